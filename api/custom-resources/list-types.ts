import { canonicalJson, isJsonObject } from '../../lib/json';
import { duplicate, invalid, type FieldError } from '../validation/field-error';
import {
  additionalOf,
  anywhere,
  isJsonList,
  itemsOf,
  propertyOf,
  type JsonSchema,
} from '../structural/json-schema';

/** Lists of type set and map hold no two items that are the same. Source: schema/listtype. */
export const listProblems = (
  value: unknown,
  schema: JsonSchema,
  path = '',
): readonly FieldError[] => {
  const problems: FieldError[] = [];
  visit(value, schema, path, problems);
  return problems;
};

const visit = (value: unknown, schema: JsonSchema, path: string, problems: FieldError[]): void => {
  if (!hasTypedLists(schema) || problems.length >= PROBLEMS_MAX) return;
  if (isJsonList(value)) {
    problems.push(...itemProblems(value, schema, path));
    const items = itemsOf(schema);
    if (items === undefined) return;
    value.forEach((item, index) => visit(item, items, `${path}[${index}]`, problems));
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    const of = property ?? additionalOf(schema);
    const at = property === undefined ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    if (of !== undefined) visit(member, of, at, problems);
  }
};

const itemProblems = (
  list: readonly unknown[],
  schema: JsonSchema,
  path: string,
): readonly FieldError[] => {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return repeated(list).map((index) => duplicate(`${path}[${index}]`, list[index]));
    case 'map': {
      const strange = list.findIndex((item) => item !== null && !isJsonObject(item));
      if (strange >= 0)
        return [
          invalid(
            `${path}[${strange}]`,
            list[strange],
            'must be an object for an array of list-type map',
          ),
        ];
      const keys = list.map((item) => keysOf(schema, item));
      return repeated(keys).map((index) => duplicate(`${path}[${index}]`, keys[index]));
    }
    default:
      return [];
  }
};

/** Where a value stands for the second time; what comes a third time is not told of again. */
const repeated = (list: readonly unknown[]): readonly number[] => {
  const counts = new Map<string, number>();
  const found: number[] = [];
  for (const [index, item] of list.entries()) {
    const text = canonicalJson(item);
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    if (count === 2) found.push(index);
    if (found.length >= PROBLEMS_MAX) break;
  }
  return found;
};

const keysOf = (schema: JsonSchema, item: unknown): Readonly<Record<string, unknown>> => {
  if (!isJsonObject(item)) return {};
  return Object.fromEntries(
    (schema['x-kubernetes-list-map-keys'] ?? [])
      .filter((name) => Object.hasOwn(item, name))
      .map((name) => [name, item[name]]),
  );
};

/** What an item was before, for lists that tell their items apart. */
export const itemByKeys = (
  schema: JsonSchema,
  before: unknown,
): ((item: unknown) => { readonly value: unknown } | undefined) => {
  if (schema['x-kubernetes-list-type'] !== 'map' || !isJsonList(before)) return () => undefined;
  const known = new Map(before.map((item) => [canonicalJson(keysOf(schema, item)), item]));
  return (item) => {
    const key = canonicalJson(keysOf(schema, item));
    return known.has(key) ? { value: known.get(key) } : undefined;
  };
};

const hasTypedLists = anywhere((schema) =>
  ['set', 'map'].includes(schema['x-kubernetes-list-type'] ?? ''),
);

/** Nobody reads more. */
const PROBLEMS_MAX = 100;
