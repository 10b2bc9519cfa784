import { CelCompileError } from '../cel';
import { qualifiedNameProblems } from '../names';
import type { Compiled, CompiledCondition } from '../policies/compile';
import type { MatchCondition } from '../types';
import { duplicate, invalid, invalidFor, required, tooMany, type FieldError } from './field-error';

/** Of a policy or a webhook. */
export const validateConditions = (
  conditions: readonly MatchCondition[] = [],
  compiled: readonly CompiledCondition[],
  at: string,
): readonly FieldError[] => {
  if (conditions.length > CONDITIONS_MAX) return [tooMany(at, conditions.length, CONDITIONS_MAX)];
  const names = conditions.map(({ name }) => name);
  return conditions.flatMap(({ name, expression }, i) => [
    ...validateExpression(expression, compiled[i]?.program, `${at}[${i}].expression`),
    ...(name === ''
      ? [required(`${at}[${i}].name`)]
      : invalidFor(`${at}[${i}].name`, name, qualifiedNameProblems(name))),
    ...(names.indexOf(name) < i ? [duplicate(`${at}[${i}].name`, name)] : []),
  ]);
};

export const validateExpression = (
  expression: string | undefined,
  compiled: Compiled | undefined,
  field: string,
  missing = 'expression is not specified',
): readonly FieldError[] =>
  (expression ?? '').trim() === ''
    ? [required(field, missing)]
    : refusedBy(expression ?? '', compiled, field);

/** Why it does not compile. */
export const refusedBy = (
  expression: string,
  compiled: Compiled | undefined,
  field: string,
): readonly FieldError[] =>
  compiled instanceof CelCompileError ? [invalid(field, expression, compiled.message)] : [];

export const CONDITIONS_MAX = 64;
