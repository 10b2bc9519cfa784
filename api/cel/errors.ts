/** The expression is no expression, or cannot be meant as it stands. The message is upstream's. */
export class CelCompileError extends Error {
  override readonly name = 'CelCompileError';
}

/** What was evaluated has no value: a key that is not there, a division by zero. */
export class CelRuntimeError extends Error {
  override readonly name = 'CelRuntimeError';
}

/** There was more to do than may be done: no part of an expression can catch this. */
export class CelBudgetError extends Error {
  override readonly name = 'CelBudgetError';

  constructor(
    /** `call`: this expression alone did too much. `budget`: all of them together. */
    readonly scope: 'call' | 'budget',
  ) {
    super(scope === 'call' ? CALL : BUDGET);
  }
}

export const noSuchOverload = (): CelRuntimeError => new CelRuntimeError('no such overload');

const CALL = 'operation cancelled: actual cost limit exceeded';
const BUDGET =
  'validation failed due to running out of cost budget, no further validation rules will be run';
