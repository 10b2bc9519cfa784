import { CelCompileError } from '../../cel';
import { partsWithPaths, type JsonSchema, type ValidationRule } from '../../structural/json-schema';
import { compileRule } from '../rules';
import { forbidden, invalid, type FieldError } from '../../validation/field-error';

/**
 * Rules in CEL compile, each against the schema that it stands in. That takes time, here and whenever the
 * kind comes to be served: there is a bound to all of them together.
 */
export const rulesProblems = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const ruled = [...partsWithPaths(schema, path)].filter(([part]) => rulesIn(part).length > 0);
  if (ruled.reduce((cost, [part]) => cost + costOf(part), 0) > COST_MAX)
    return [forbidden(path, TOO_MUCH)];
  return ruled.flatMap(([part, at]) =>
    rulesIn(part).flatMap((rule, i) =>
      problemsOf(part, rule, `${at}.x-kubernetes-validations[${i}]`, part === schema),
    ),
  );
};

const rulesIn = (part: JsonSchema): readonly ValidationRule[] =>
  part['x-kubernetes-validations'] ?? [];

/** In characters of a rule, of which a thousand take about two milliseconds. */
const costOf = (part: JsonSchema): number => {
  let cost = 0;
  for (const _ of partsWithPaths(part, '')) cost += PART_COST;
  for (const { rule, messageExpression = '' } of rulesIn(part))
    cost += RULE_COST + rule.length + messageExpression.length;
  return cost;
};

const RULE_COST = 100;
const PART_COST = 0.25;
const COST_MAX = 300_000;
const TOO_MUCH =
  'the rules of x-kubernetes-validations are too many or too long to be compiled for a schema of this size';

const problemsOf = (
  schema: JsonSchema,
  rule: ValidationRule,
  path: string,
  isRoot: boolean,
): readonly FieldError[] => {
  try {
    const { program } = compileRule(schema, rule, isRoot);
    return rule.optionalOldSelf !== undefined && !program.uses('oldSelf')
      ? [
          invalid(
            `${path}.optionalOldSelf`,
            rule.optionalOldSelf,
            'may not be set if oldSelf is not used in rule',
          ),
        ]
      : [];
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    return [invalid(`${path}.rule`, rule, error.message)];
  }
};
