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
import type {
  Compiled,
  CompiledCondition,
  CompiledPolicy,
  CompiledVariables,
} from '../../../../api/policies/compile';
import type { ValidatingAdmissionPolicy } from '../../../../api/types';

type Validations = NonNullable<NonNullable<ValidatingAdmissionPolicy['spec']>['validations']>;
export type Values = Readonly<Record<string, unknown>>;

/** Why a request is not to be, and as what it is refused. */
export interface Denial {
  readonly message: string;
  /** Of the validation, where it is one's. */
  readonly index?: number;
  readonly reason?: string;
}

/** What a policy makes of a request. */
export interface PolicyOutcome {
  readonly denials: readonly Denial[];
  /** For the audit log. */
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
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
 * What a policy has against a request, in the order of its validations, and what it notes of it. Errors
 * of expressions are denials when the policy fails on them, and nothing otherwise.
 */
export const evaluatePolicy = async (
  policy: ValidatingAdmissionPolicy,
  compiled: CompiledPolicy,
  given: Values,
): Promise<PolicyOutcome> => {
  const { validations = [], failurePolicy } = policy.spec ?? {};
  const failsOnError = failurePolicy !== 'Ignore';
  const met = await holdConditions(compiled.conditions, given);
  const failing = (why: Denial): PolicyOutcome => ({
    denials: failsOnError ? [why] : [],
    annotations: [],
  });
  if (met === false) return { denials: [], annotations: [] };
  if (met !== true) return failing(met);
  const budget = new CelBudget();
  const values = { ...given, variables: variablesOf(compiled, given, budget) };
  const denials: Denial[] = [];
  for (const [i, validation] of validations.entries()) {
    const { program, message } = compiled.validations[i] ?? {};
    if (program === undefined) continue;
    const outcome = outcomeOf(program, values, budget);
    if (outcome instanceof CelBudgetError && outcome.scope === 'budget')
      return failing({ message: outcome.message });
    if (outcome instanceof Error) {
      if (failsOnError) {
        const message = problemOf(outcome, 'expression', validation.expression);
        denials.push({ message, index: i });
      }
    } else if (outcome !== true) {
      denials.push({ ...denialOf(validation, message, values, budget), index: i });
    }
    await budget.rest();
  }
  const noted = await notesOf(policy, compiled, values, budget);
  return {
    denials: [...denials, ...(failsOnError ? noted.denials : [])],
    annotations: noted.annotations,
  };
};

/** What is to be noted, and the expressions that came to nothing. */
const notesOf = async (
  { spec }: ValidatingAdmissionPolicy,
  compiled: CompiledPolicy,
  values: Values,
  budget: CelBudget,
): Promise<PolicyOutcome> => {
  const denials: Denial[] = [];
  const annotations: { key: string; value: string }[] = [];
  for (const [i, { key, valueExpression }] of (spec?.auditAnnotations ?? []).entries()) {
    const program = compiled.auditAnnotations[i];
    if (program === undefined) continue;
    const outcome = outcomeOf(program, values, budget);
    const value = typeof outcome === 'string' ? outcome.trim().slice(0, ANNOTATION_LENGTH_MAX) : '';
    if (value !== '') annotations.push({ key, value });
    if (outcome instanceof Error)
      denials.push({ message: problemOf(outcome, 'valueExpression', valueExpression) });
    await budget.rest();
  }
  return { denials, annotations };
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
export const variablesOf = (
  compiled: CompiledVariables,
  given: Values,
  budget: CelBudget,
): LazyObject => {
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
export const outcomeOf = (
  program: Compiled,
  values: Values,
  budget: CelBudget,
): CelValue | Error => {
  if (program instanceof CelCompileError) return program;
  try {
    return program.evaluate(values, budget);
  } catch (error) {
    if (error instanceof CelRuntimeError || error instanceof CelBudgetError) return error;
    throw error;
  }
};

export const problemOf = (error: Error, what: string, expression: string): string =>
  error instanceof CelCompileError
    ? `compilation error: ${error.message}`
    : `${what} '${expression}' resulted in error: ${error.message}`;

const listed = (errors: readonly string[]): string =>
  errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`;

const ANNOTATION_LENGTH_MAX = 10 * 1024;
const MESSAGE_BYTES_MAX = 5 * 1024;
