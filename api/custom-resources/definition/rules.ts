import { CelCompileError } from '../../cel';
import { partsWithPaths, type JsonSchema, type ValidationRule } from '../../structural/json-schema';
import { estimateRule, type RuleCost } from '../rules';
import { forbidden, invalid, type FieldError } from '../../validation/field-error';
import { RuleCosts, ruledParts, rulesIn, type RuledPart } from './rule-costs';

/**
 * Rules in CEL compile, each against the schema that it stands in. That takes time, here and whenever the
 * kind comes to be served: there is a bound to all of them together. What they may cost at most when
 * objects are judged has upstream's bounds; `isCostHeld` is asked when one is broken.
 */
export const rulesProblems = (
  schema: JsonSchema,
  path: string,
  isCostHeld: () => boolean = () => true,
): readonly FieldError[] => {
  const ruled = [...ruledParts(schema, path)];
  if (ruled.reduce((cost, { part }) => cost + costOf(part), 0) > COST_MAX)
    return [forbidden(path, TOO_MUCH)];
  const costs = new RuleCosts();
  const problems = ruled.flatMap((each) =>
    rulesIn(each.part).flatMap((rule, i) => {
      const at = `${each.path}.x-kubernetes-validations[${i}]`;
      const judged = judge(each, rule, at, each.part === schema);
      return [
        ...judged.problems,
        ...(judged.cost === undefined ? [] : costs.add(each, at, judged.cost)),
      ];
    }),
  );
  const isHeld = !costs.isExceeded || isCostHeld();
  return isHeld
    ? [...problems, ...costs.totalProblems(path)]
    : problems.filter((problem) => !costs.reported.has(problem));
};

/** Does any rule, or do all together, cost more at most than they may? */
export const exceedsCosts = (schema: JsonSchema): boolean => {
  const costs = new RuleCosts();
  for (const each of ruledParts(schema, ''))
    for (const rule of rulesIn(each.part)) {
      const { cost } = judge(each, rule, '', each.part === schema);
      if (cost !== undefined) costs.add(each, '', cost);
    }
  return costs.isExceeded;
};

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

interface Judged {
  readonly problems: readonly FieldError[];
  /** Absent for what does not compile. */
  readonly cost?: RuleCost;
}

const judge = (
  { part }: RuledPart,
  rule: ValidationRule,
  path: string,
  isRoot: boolean,
): Judged => {
  try {
    const { program, cost } = estimateRule(part, rule, isRoot);
    if (rule.optionalOldSelf === undefined || program.uses('oldSelf'))
      return { problems: [], cost };
    const field = `${path}.optionalOldSelf`;
    const why = 'may not be set if oldSelf is not used in rule';
    return { problems: [invalid(field, rule.optionalOldSelf, why)], cost };
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    return { problems: [invalid(`${path}.rule`, rule, error.message)] };
  }
};
