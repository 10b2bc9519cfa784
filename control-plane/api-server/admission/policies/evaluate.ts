import {
  CelBudget,
  CelBudgetError,
  CelCompileError,
  CelRuntimeError,
  LazyObject,
  MATCH_CONDITIONS_BUDGET,
  type CelProgram,
  type CelValue,
} from '../../../../api/cel';
import type { Compiled, CompiledCondition, CompiledPolicy } from '../../../../api/policies/compile';
import type { ValidatingAdmissionPolicy } from '../../../../api/types';

type Validations = NonNullable<NonNullable<ValidatingAdmissionPolicy['spec']>['validations']>;
type Values = Readonly<Record<string, unknown>>;

/** Why a request is not to be, and as what it is refused. */
export interface Denial {
  readonly message: string;
  readonly reason?: string;
}

/** Do all conditions hold? One that does not decides; only then errors count. */
export type ConditionsOutcome = boolean | Denial;

export const holdConditions = async (
  conditions: readonly CompiledCondition[],
  values: Values,
): Promise<ConditionsOutcome> => {
  const budget = new CelBudget(MATCH_CONDITIONS_BUDGET);
  const errors: string[] = [];
  for (const { name, program } of conditions) {
    const outcome = outcomeOf(program, values, budget);
    if (outcome === false) return false;
    if (outcome instanceof CelBudgetError) return { message: outcome.message };
    if (outcome instanceof Error) errors.push(`${name}: ${outcome.message}`);
    await budget.rest();
  }
  return errors.length === 0 ? true : { message: listed(errors) };
};

/**
 * What a policy has against a request, in the order of its validations. Errors of expressions are
 * denials when the policy fails on them, and nothing otherwise.
 */
export const evaluatePolicy = async (
  policy: ValidatingAdmissionPolicy,
  compiled: CompiledPolicy,
  given: Values,
): Promise<readonly Denial[]> => {
  const { validations = [], failurePolicy } = policy.spec ?? {};
  const failsOnError = failurePolicy !== 'Ignore';
  const met = await holdConditions(compiled.conditions, given);
  if (met === false) return [];
  if (met !== true) return failsOnError ? [met] : [];
  const budget = new CelBudget();
  const values = { ...given, variables: variablesOf(compiled, given, budget) };
  const denials: Denial[] = [];
  for (const [i, validation] of validations.entries()) {
    const { program, message } = compiled.validations[i] ?? {};
    if (program === undefined) continue;
    const outcome = outcomeOf(program, values, budget);
    if (outcome instanceof CelBudgetError && outcome.scope === 'budget')
      return failsOnError ? [{ message: outcome.message }] : [];
    if (outcome instanceof Error) {
      if (failsOnError) denials.push({ message: problemOf(outcome, validation.expression) });
    } else if (outcome !== true) denials.push(denialOf(validation, message, values, budget));
    await budget.rest();
  }
  return denials;
};

const denialOf = (
  validation: Validations[number],
  program: Compiled | undefined,
  values: Values,
  budget: CelBudget,
): Denial => {
  const told = program === undefined ? undefined : outcomeOf(program, values, budget);
  const message =
    (typeof told === 'string' ? usable(told) : '') ||
    (validation.message ?? '').trim() ||
    `failed expression: ${validation.expression.trim()}`;
  return { message, ...(validation.reason === undefined ? {} : { reason: validation.reason }) };
};

/** A message of one line that is not too long. */
const usable = (text: string): string => {
  const message = text.trim();
  return message.includes('\n') || Buffer.byteLength(message) > MESSAGE_BYTES_MAX ? '' : message;
};

/** `variables`: each is evaluated when an expression first asks for it, from the same budget. */
const variablesOf = (compiled: CompiledPolicy, given: Values, budget: CelBudget): LazyObject => {
  const fields = new Map<string, () => CelValue>();
  const variables = new LazyObject(compiled.variablesType, fields);
  for (const { name, program } of compiled.variables)
    fields.set(name, () => runnable(program).evaluate({ ...given, variables }, budget));
  return variables;
};

const runnable = (program: Compiled): CelProgram => {
  if (program instanceof CelCompileError) throw new CelRuntimeError(program.message);
  return program;
};

/** The value, or what came in its way; a fault of this program is thrown. */
const outcomeOf = (program: Compiled, values: Values, budget: CelBudget): CelValue | Error => {
  if (program instanceof CelCompileError) return program;
  try {
    return program.evaluate(values, budget);
  } catch (error) {
    if (error instanceof CelRuntimeError || error instanceof CelBudgetError) return error;
    throw error;
  }
};

const problemOf = (error: Error, expression: string): string =>
  error instanceof CelCompileError
    ? `compilation error: ${error.message}`
    : `expression '${expression}' resulted in error: ${error.message}`;

const listed = (errors: readonly string[]): string =>
  errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`;

const MESSAGE_BYTES_MAX = 5 * 1024;
