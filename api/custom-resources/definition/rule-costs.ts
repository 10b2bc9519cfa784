import { mostOf, sizesOf, type BoundedSchema } from '../../cel';
import {
  additionalOf,
  itemsOf,
  type JsonSchema,
  type ValidationRule,
} from '../../structural/json-schema';
import { forbidden, type FieldError } from '../../validation/field-error';
import type { RuleCost } from '../rules';

/*
 * What rules may cost at most, each for as many values as its schema lets there be. Source:
 * apiextensions-apiserver's validation.go and cel_validation.go.
 */

/** A schema with rules. */
export interface RuledPart {
  readonly part: JsonSchema;
  readonly path: string;
  /** How many values of it an object may hold; undefined where nothing bounds them. */
  readonly count: number | undefined;
}

export const rulesIn = (part: JsonSchema): readonly ValidationRule[] =>
  part['x-kubernetes-validations'] ?? [];

/** Wherever values are: elsewhere rules were refused before. */
export const ruledParts = (schema: JsonSchema, path: string): Iterable<RuledPart> =>
  partsAt(schema, path, 1);

function* partsAt(
  schema: JsonSchema,
  path: string,
  count: number | undefined,
): Generator<RuledPart> {
  if (rulesIn(schema).length > 0) yield { part: schema, path, count };
  const [additional, items] = [additionalOf(schema), itemsOf(schema)];
  const inside = timesBound(count, boundOf(schema));
  if (items !== undefined) yield* partsAt(items, `${path}.items`, inside);
  if (additional !== undefined) yield* partsAt(additional, `${path}.additionalProperties`, inside);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* partsAt(property, `${path}.properties[${name}]`, inside);
}

/** How many values of what is inside there are for each of its own. */
const boundOf = (schema: JsonSchema): number | undefined => {
  const isMap = schema.type === 'object' && schema.additionalProperties !== undefined;
  if (!isMap && schema.type !== 'array') return 1;
  const bound = isMap ? schema.maxProperties : schema.maxItems;
  return bound === undefined ? undefined : Math.max(0, Number(bound));
};

const timesBound = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a * b;

/** Adds up what the rules of one schema cost. */
export class RuleCosts {
  /** Which of the problems are about costs. */
  readonly reported = new Set<FieldError>();
  private total = 0;
  private dearest: readonly { readonly field: string; readonly cost: number }[] = [];

  get isExceeded(): boolean {
    return this.reported.size > 0 || this.total > TOTAL_MAX;
  }

  /** Counts a rule, and says what is wrong with its cost alone. */
  add(
    { part, count }: RuledPart,
    path: string,
    { rule, message }: RuleCost,
  ): readonly FieldError[] {
    const most = count ?? mostOf(sizesOf(part as BoundedSchema) ?? NOTHING);
    const cost = rule === 0 || most === 0 ? 0 : rule * most;
    return [
      ...this.observe(`${path}.rule`, 'estimated rule cost', cost),
      ...this.observe(`${path}.messageExpression`, 'estimated messageExpression cost', message),
    ];
  }

  /** What is wrong with all of them together. */
  totalProblems(path: string): readonly FieldError[] {
    if (this.total <= TOTAL_MAX) return [];
    const why =
      'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...this.dearest.map(({ field }) => forbidden(field, why)),
      forbidden(path, tooDear(what, this.total, TOTAL_MAX)),
    ];
  }

  private observe(field: string, what: string, cost: number): readonly FieldError[] {
    this.total += cost;
    if (cost >= TOTAL_MAX / 100)
      this.dearest = [...this.dearest, { field, cost }]
        .sort((a, b) => b.cost - a.cost)
        .slice(0, DEAREST_COUNT);
    if (cost <= EXPRESSION_MAX) return [];
    const problem = forbidden(field, tooDear(what, cost, EXPRESSION_MAX));
    this.reported.add(problem);
    return [problem];
  }
}

const tooDear = (what: string, cost: number, max: number): string => {
  const factor = cost / max;
  const times =
    factor > 100 ? 'more than 100x' : `${factor < 1.5 ? factor.toFixed(6) : factor.toFixed(1)}x`;
  return (
    `${what} exceeds budget by factor of ${times} (try simplifying the rule, or adding maxItems, ` +
    'maxProperties, and maxLength where arrays, maps, and strings are declared)'
  );
};

const NOTHING = { max: 0, leastBytes: 1 };
const EXPRESSION_MAX = 10_000_000;
const TOTAL_MAX = 100_000_000;
const DEAREST_COUNT = 4;
