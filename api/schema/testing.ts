import * as fc from 'fast-check';

import { definitionOf, resolveSchema, type KindName } from './definitions';
import type { Schema } from './schema';

/**
 * Objects of a kind made of the extremes of every type its schema has: the smallest and biggest
 * integers, long and strange texts, empty and full lists, maps with names that hurt, the deepest
 * nesting. Any field may be absent.
 */
export const extremeObject = (kind: KindName): fc.Arbitrary<Record<string, unknown>> =>
  objectOf(definitionOf(kind).schema, 0).map((object) => ({
    ...object,
    apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
  }));

const INT32 = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];
const INT64 = [
  ...INT32,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const TEXTS = [
  '',
  'a',
  'x'.repeat(253),
  'long '.repeat(200),
  '9007199254740993',
  '-1',
  '0640',
  '1e3',
  'yes',
  'null',
  '~',
  '2026-01-01',
  ' led and trailed ',
  'several\nlines\n\n',
  '\ttab: "quoted" \\ {a: [b]} # no comment',
  'ünïcødé 𝕌 \u2028\u0085\uFEFF \u0007',
  '__proto__',
];
const NAMES = [
  'a',
  '__proto__',
  'constructor',
  'toString',
  'x/y.z',
  '0',
  'y',
  '',
  'ü',
  'k'.repeat(63),
];
const QUANTITIES = ['0', '100m', '1.5Gi', '9223372036854775807', '-1', '1n', '64e6', '12E', '0.5'];
const TIMES = ['1970-01-01T00:00:00Z', '2026-02-28T23:59:59Z', '9999-12-31T23:59:59Z'];
const DEPTH_MAX = 14;
/** What a type that holds itself counts for: many times over, its values grow without bounds. */
const RECURSIVE_DEPTH = 7;
const LIST_MAX = 3;

const valueOf = (schema: Schema, depth: number): fc.Arbitrary<unknown> => {
  const { name = '', schema: target } = resolveSchema(schema);
  switch (name.slice(name.lastIndexOf('.') + 1)) {
    case 'Quantity':
      return fc.constantFrom(...QUANTITIES);
    case 'IntOrString':
      return fc.constantFrom<unknown>(...INT32, '25%', 'http', '');
    case 'Time':
      return fc.constantFrom(...TIMES);
    case 'MicroTime':
      return fc.constantFrom('2026-02-28T23:59:59.999999Z', '1970-01-01T00:00:00.000000Z');
    default:
      return target.properties === undefined
        ? plainOf(target, depth)
        : structOf(name, target, depth);
  }
};

const structOf = (name: string, schema: Schema, depth: number): fc.Arbitrary<unknown> => {
  if (depth >= DEPTH_MAX) return fc.constant({});
  const key = `${name}@${depth}`;
  const inner = depth + (holdsItself(name, schema) ? RECURSIVE_DEPTH : 0);
  const known = structs.get(key) ?? objectOf(schema, inner);
  structs.set(key, known);
  return known;
};

/** By name and depth: the same type stands in many places. */
const structs = new Map<string, fc.Arbitrary<Record<string, unknown>>>();

const holdsItself = (name: string, schema: Schema): boolean => {
  const known = recursive.get(name) ?? reaches(schema, name, new Set());
  recursive.set(name, known);
  return known;
};

/** Is there a way from the schema's parts to the type of that name? */
const reaches = (schema: Schema, wanted: string, seen: Set<string>): boolean =>
  partsOf(schema).some((part) => {
    const { name = '', schema: target } = resolveSchema(part);
    if (name === wanted) return true;
    if (name !== '' && seen.has(name)) return false;
    seen.add(name);
    return reaches(target, wanted, seen);
  });

const partsOf = ({ properties, items, additionalProperties }: Schema): readonly Schema[] => [
  ...Object.values(properties ?? {}),
  ...(items === undefined ? [] : [items]),
  ...(additionalProperties === undefined ? [] : [additionalProperties]),
];

const recursive = new Map<string, boolean>();

const objectOf = (schema: Schema, depth: number): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, property]) => [
        name,
        valueOf(property, depth + 1),
      ]),
    ),
    { requiredKeys: [], noNullPrototype: true },
  );

const plainOf = (schema: Schema, depth: number): fc.Arbitrary<unknown> => {
  switch (schema.type) {
    case 'array':
      return fc.array(valueOf(schema.items ?? {}, depth), { maxLength: LIST_MAX });
    case 'object':
      return schema.additionalProperties === undefined
        ? fc.constantFrom({}, { a: [2n ** 60n, { b: 'c' }] })
        : mapOf(schema.additionalProperties, depth);
    case 'string':
      return schema.format === 'byte'
        ? fc.constantFrom('', '/w==', Buffer.alloc(1024, 0xff).toString('base64'))
        : fc.constantFrom(...(schema.enum ?? TEXTS));
    case 'integer':
      return fc.constantFrom<unknown>(...(schema.format === 'int64' ? INT64 : INT32));
    case 'number':
      return fc.constantFrom(0.1, -1.5, 1e21, 3);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.constantFrom<unknown>('a', 1, { a: 2n ** 60n });
  }
};

const mapOf = (schema: Schema, depth: number): fc.Arbitrary<unknown> =>
  fc
    .array(fc.tuple(fc.constantFrom(...NAMES), valueOf(schema, depth)), { maxLength: LIST_MAX })
    .map((entries) => Object.fromEntries(entries));
