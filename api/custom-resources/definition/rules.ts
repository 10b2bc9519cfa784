import { CelCompileError } from '../../cel';
import { partsIn, type JsonSchema, type ValidationRule } from '../../structural/json-schema';
import { estimateRule, type RuleCost } from '../rules';
import { forbidden, invalid, type FieldError } from '../../validation/field-error';
import type { Pacer, Steps } from '../steps';
import { RuleCosts, ruledParts, rulesIn, type RuledPart } from './rule-costs';

/**
 * Rules in CEL compile, each against the schema that it stands in. That takes time, here and whenever the
 * kind comes to be served: there is a bound to all of them together. What they may cost at most when
 * objects are judged has upstream's bounds; `isCostHeld` is asked when one is broken.
 */
export function* rulesProblems(
  schema: JsonSchema,
  path: string,
  pacer: Pacer,
  isCostHeld: () => Steps<boolean>,
): Steps<readonly FieldError[]> {
  const ruled: (RuledPart & { readonly typeCost: number })[] = [];
  let cost = 0;
  for (const each of ruledParts(schema, path)) {
    const typeCost = typeCostOf(each.part);
    cost += typeCost + sum(rulesIn(each.part).map(ruleCost));
    if (cost > COST_MAX) return [forbidden(path, TOO_MUCH)];
    ruled.push({ ...each, typeCost });
    yield* pacer.after(typeCost);
  }
  const costs = new RuleCosts();
  const problems: FieldError[] = [];
  for (const each of ruled)
    for (const [i, rule] of rulesIn(each.part).entries()) {
      yield* pacer.after(ruleCost(rule) + (i === 0 ? each.typeCost : 0));
      const at = `${each.path}.x-kubernetes-validations[${i}]`;
      const judged = judge(each, rule, at, each.part === schema);
      problems.push(...judged.problems);
      if (judged.cost !== undefined) problems.push(...costs.add(each, at, judged.cost));
    }
  const isHeld = !costs.isExceeded || (yield* isCostHeld());
  return isHeld
    ? [...problems, ...costs.totalProblems(path)]
    : problems.filter((problem) => !costs.reported.has(problem));
}

/** Does any rule, or do all together, cost more at most than they may? */
export function* exceedsCosts(schema: JsonSchema, pacer: Pacer): Steps<boolean> {
  const costs = new RuleCosts();
  for (const each of ruledParts(schema, ''))
    for (const rule of rulesIn(each.part)) {
      yield* pacer.after(ruleCost(rule));
      const { cost } = judge(each, rule, '', each.part === schema);
      if (cost !== undefined) costs.add(each, '', cost);
    }
  return costs.isExceeded;
}

/** Of what rules of the part can see, known from the first of them on. */
const typeCostOf = (part: JsonSchema): number => {
  let cost = 0;
  for (const _ of partsIn(part)) cost += TYPE_COST;
  return cost;
};

const sum = (costs: readonly number[]): number => costs.reduce((total, cost) => total + cost, 0);

/** In characters of a rule, of which a thousand take about two milliseconds. */
const ruleCost = ({ rule, messageExpression = '' }: ValidationRule): number =>
  RULE_COST + rule.length + messageExpression.length;

const RULE_COST = 100;
const TYPE_COST = 0.25;
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
