import { compileChecks } from './checks';
import { customKind } from '../kinds/custom-kind';
import { defaulted, DefaultsTooLargeError } from './defaults';
import { embeddedProblems } from './embedded-problems';
import { formatCheck } from './formats';
import { listProblems } from './list-types';
import { finished } from '../testing';
import { ruleProblems } from './rules';
import type { JsonSchema } from '../structural/json-schema';
import { pruned, withoutNulls } from '../structural/prune';
import { decode } from '../schema/decode';
import type { ApiObject } from '../types';

const problems = (schema: JsonSchema, value: unknown, before?: { value: unknown }) =>
  compileChecks(schema)
    .problems(value, before)
    .map(({ field, message }) => `${field}: ${message}`);

const of = (property: JsonSchema): JsonSchema => ({ type: 'object', properties: { a: property } });

it.each<[JsonSchema, unknown, string]>([
  [
    { type: 'integer' },
    'x',
    'a: Invalid value: "string": a in body must be of type integer: "string"',
  ],
  [
    { type: 'integer' },
    1.5,
    'a: Invalid value: "number": a in body must be of type integer: "number"',
  ],
  [{ type: 'string' }, null, 'a: Invalid value: "null": a in body must be of type string: "null"'],
  [
    { type: 'string', enum: ['x', 'y'] },
    'z',
    'a: Unsupported value: "z": supported values: "x", "y"',
  ],
  [
    { type: 'string', pattern: '^x+$' },
    'y',
    `a: Invalid value: "y": a in body should match '^x+$'`,
  ],
  [{ type: 'string', maxLength: 2 }, 'xyz', 'a: Too long: may not be more than 2 bytes'],
  [
    { type: 'string', minLength: 2 },
    'x',
    'a: Invalid value: "x": a in body should be at least 2 chars long',
  ],
  [
    { type: 'string', format: 'ipv4' },
    'x',
    'a: Invalid value: "x": a in body must be of type ipv4: "x"',
  ],
  [
    { type: 'number', minimum: 1 },
    0,
    'a: Invalid value: 0: a in body should be greater than or equal to 1',
  ],
  [
    { type: 'number', maximum: 1 },
    2,
    'a: Invalid value: 2: a in body should be less than or equal to 1',
  ],
  [
    { type: 'number', minimum: 1, exclusiveMinimum: true },
    1,
    'a: Invalid value: 1: a in body should be greater than 1',
  ],
  [
    { type: 'number', maximum: 1, exclusiveMaximum: true },
    1,
    'a: Invalid value: 1: a in body should be less than 1',
  ],
  [
    { type: 'number', multipleOf: 0.1 },
    0.25,
    'a: Invalid value: 0.25: a in body should be a multiple of 0.1',
  ],
  [
    { type: 'integer', format: 'int32' },
    2 ** 40,
    '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a',
  ],
  [
    { type: 'array', minItems: 1 },
    [],
    'a: Invalid value: 0: a in body should have at least 1 items',
  ],
  [{ type: 'array', maxItems: 1 }, [1, 2], 'a: Too many: 2: must have at most 1 item'],
  [
    { type: 'array', items: { type: 'string' } },
    [1],
    'a[0]: Invalid value: "integer": a[0] in body must be of type string: "integer"',
  ],
  [
    { type: 'object', minProperties: 1 },
    {},
    'a: Invalid value: 0: a in body should have at least 1 properties',
  ],
  [{ type: 'object', maxProperties: 0 }, { b: 1 }, 'a: Too many: 1: must have at most 0 items'],
  [{ type: 'object', required: ['b'] }, {}, 'a.b: Required value'],
  [
    { type: 'object', additionalProperties: { type: 'string' } },
    { b: 1 },
    'a.b: Invalid value: "integer": a.b in body must be of type string: "integer"',
  ],
  [
    { 'x-kubernetes-int-or-string': true },
    true,
    'a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"',
  ],
])('says what is wrong by %j with %j', (schema, value, message) => {
  expect(problems(of(schema), { a: value })).toEqual([message]);
  expect(problems(of(schema), {})).toEqual([]);
});

it.each<[JsonSchema, unknown, readonly string[]]>([
  [
    { type: 'object', oneOf: [{ required: ['b'] }, { required: ['c'] }] },
    {},
    [
      '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid',
      'a.b: Required value',
    ],
  ],
  [
    { type: 'object', oneOf: [{ required: ['b'] }, { required: ['c'] }] },
    { b: 1, c: 1 },
    [
      '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  ],
  [
    { type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 1 }] },
    3,
    [
      '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
      'a: Invalid value: 3: a in body should be greater than or equal to 5',
    ],
  ],
  [
    { type: 'integer', allOf: [{ minimum: 5 }, { maximum: 9 }] },
    3,
    [
      'a: Invalid value: 3: a in body should be greater than or equal to 5',
      '<nil>: Invalid value: "": "a" must validate all the schemas (allOf)',
    ],
  ],
  [
    { type: 'string', not: { enum: ['x'] } },
    'x',
    ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
  ],
])('tells of alternatives: %j with %j', (schema, value, messages) => {
  expect(problems(of(schema), { a: value })).toEqual(messages);
});

it('takes nulls where the schema says so', () => {
  expect(problems(of({ type: 'string', nullable: true }), { a: null })).toEqual([]);
});

it('lets what was there before be, though the schema has become stricter', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'integer', maximum: 1 }, b: { type: 'integer' } },
  };
  expect(problems(schema, { a: 5, b: 1 }, { value: { a: 5, b: 2 } })).toEqual([]);
  expect(problems(schema, { a: 6 }, { value: { a: 5 } })).toHaveLength(1);
});

it('stops where alternatives multiply', () => {
  const nested = (depth: number): JsonSchema =>
    depth === 0
      ? { minimum: 1 }
      : { anyOf: [nested(depth - 1), nested(depth - 1), nested(depth - 1)] };
  const schema = { type: 'array', items: { type: 'integer', ...nested(8) } };
  const value = Array.from({ length: 10_000 }, () => 0);
  expect(problems(schema, value).at(-1)).toContain('the schema asks too much');
});

it.each([
  ['date-time', '2026-01-02T03:04:05Z', '2026-13-02T03:04:05Z'],
  ['date', '2024-02-29', '2023-02-29'],
  ['duration', '1h30m', '1 fortnight'],
  ['uuid', '123E4567-e89b-12d3-a456-426614174000', '123'],
  ['email', 'a@example.com', 'a'],
  ['hostname', 'example.com', 'ex_ample..com'],
  ['ipv6', '::1', '1.2.3.4'],
  ['cidr', '10.0.0.0/8', '10.0.0.0/33'],
  ['mac', '01:23:45:67:89:ab', '01:23'],
  ['uri', 'https://example.com/a', 'no uri'],
  ['byte', 'aGk=', 'a'],
  ['hexcolor', '#fff', '#ff'],
  ['isbn13', '978-0321751041', '978-0321751042'],
  ['k8s-short-name', 'a-b', 'a.b'],
])('knows the format %s', (format, good, bad) => {
  const check = formatCheck(format);
  expect([check?.(good), check?.(bad)]).toEqual([true, false]);
});

const NESTED: JsonSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        kept: { type: 'string' },
        any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        map: {
          type: 'object',
          additionalProperties: { type: 'object', properties: { b: { type: 'integer' } } },
        },
        list: {
          type: 'array',
          items: { type: 'object', properties: { b: { type: 'integer', default: 7 } } },
        },
      },
    },
  },
};

it('drops what the schema does not name, and nothing else', () => {
  const unknown: string[] = [];
  const value = {
    kind: 'X',
    other: 1,
    spec: {
      kept: 'x',
      gone: 1,
      any: { deep: [{ x: 1 }] },
      map: { k: { b: 1, c: 2 } },
      list: [{ b: 1 }, { d: 1 }],
    },
  };
  expect(pruned(value, NESTED, (path) => unknown.push(path))).toEqual({
    kind: 'X',
    spec: { kept: 'x', any: { deep: [{ x: 1 }] }, map: { k: { b: 1 } }, list: [{ b: 1 }, {}] },
  });
  expect(unknown).toEqual(['other', 'spec.gone', 'spec.map.k.c', 'spec.list[1].d']);
  const whole = { spec: { kept: 'x', list: [{ b: 1 }] } };
  expect(pruned(whole, NESTED)).toBe(whole);
});

it('fills in defaults deep inside, and nulls that cannot be', () => {
  const value = { spec: { list: [{}, { b: null }, { b: 1 }] } };
  expect(defaulted(value, NESTED)).toEqual({ spec: { list: [{ b: 7 }, { b: 7 }, { b: 1 }] } });
  expect(withoutNulls({ spec: { kept: null, list: [{ b: null }] } }, NESTED)).toEqual({
    spec: { list: [{ b: null }] },
  });
  const whole = { spec: { list: [{ b: 1 }] } };
  expect(defaulted(whole, NESTED)).toBe(whole);
});

const kindOf = (schema: JsonSchema) =>
  customKind(
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'things.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { kind: 'Thing', plural: 'things' },
        versions: [],
      },
      status: {
        acceptedNames: { kind: 'Thing', plural: 'things' },
        conditions: [],
        storedVersions: [],
      },
    },
    { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema as never } },
  );

it('decodes objects as they come, but for what is unknown', () => {
  const { resource } = kindOf(NESTED);
  const body = { metadata: { name: 't', labels: { a: 'b' } }, spec: { kept: '', list: [] } };
  const { object } = decode(resource, body, { fieldValidation: 'Strict' });
  expect(object).toEqual({
    apiVersion: 'example.com/v1',
    kind: 'Thing',
    ...body,
    metadata: expect.anything(),
  });
  const strange = { metadata: { name: 't', strange: 1 }, spec: { gone: 1 } };
  expect(() => decode(resource, strange, { fieldValidation: 'Strict' })).toThrow(
    'Thing in version "v1" cannot be handled as a Thing: strict decoding error: unknown field ' +
      '"metadata.strange", unknown field "spec.gone"',
  );
  expect(() => decode(resource, { metadata: { labels: 1 } })).toThrow(
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type map[string]string',
  );
});

it('holds embedded objects to what all objects are', () => {
  const schema = of({
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  });
  const { resource, rules } = kindOf(schema);
  const embedded = { metadata: { name: 'Not/Good', labels: { '-': 'x' } } };
  const body = { metadata: { name: 't' }, a: embedded };
  const { object } = decode(resource, body);
  expect(rules.validateCreate(object).map(({ field }) => field)).toEqual([
    'a.apiVersion',
    'a.kind',
    'a.metadata.name',
    'a.metadata.labels',
  ]);
});

it('tells the items of lists apart by their keys', () => {
  const { rules } = kindOf(
    of({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: { type: 'object', properties: { name: { type: 'string' } } },
    }),
  );
  const object = {
    metadata: { name: 't' },
    a: [{ name: 'x' }, { name: 'x' }],
  } as unknown as ApiObject;
  expect(rules.validateCreate(object)).toEqual([
    { type: 'FieldValueDuplicate', field: 'a[1]', message: 'Duplicate value: {"name":"x"}' },
  ]);
  const set = kindOf(
    of({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'integer' } }),
  );
  const twice = { metadata: { name: 't' }, a: [1, 2, 1] } as unknown as ApiObject;
  expect(set.rules.validateCreate(twice)).toEqual([
    { type: 'FieldValueDuplicate', field: 'a[2]', message: 'Duplicate value: 1' },
  ]);
});

it('asks rules in CEL about objects and about changes', () => {
  const { rules } = kindOf({
    type: 'object',
    'x-kubernetes-validations': [
      { rule: 'self.a <= self.max', message: 'a must not be more than max', fieldPath: '.a' },
    ],
    properties: {
      a: {
        type: 'integer',
        'x-kubernetes-validations': [
          { rule: 'self >= oldSelf', messageExpression: "'was ' + string(oldSelf)" },
        ],
      },
      max: { type: 'integer' },
    },
  });
  const object = (a: number) =>
    ({ metadata: { name: 't', resourceVersion: '1' }, a, max: 5 }) as unknown as ApiObject;
  const told = (errors: readonly { field: string; message: string }[]) =>
    errors.map(({ field, message }) => `${field}: ${message}`);
  const judged = (a: number, old?: number) =>
    told(judge(rules, object(a), old === undefined ? undefined : object(old)).value);
  expect(judged(3)).toEqual([]);
  expect(judged(6)).toEqual(['a: Invalid value: a must not be more than max']);
  expect(judged(2, 3)).toEqual(['a: Invalid value: 2: was 3']);
});

const judge = (rules: ReturnType<typeof kindOf>['rules'], object: ApiObject, old?: ApiObject) => {
  const errors =
    old === undefined ? rules.validateCreate(object) : rules.validateUpdate(object, old);
  const steps = rules.judge?.(object, old, errors);
  return steps === undefined ? { value: errors, pauseCount: 0 } : finished(steps);
};

const many = <T>(count: number, value: T): readonly T[] =>
  Array.from({ length: count }, () => value);
const properties = (count: number, schema: JsonSchema) =>
  Object.fromEntries(many(count, schema).map((each, i) => [`p${i}`, each]));
const ASKS_TOO_MUCH = expect.stringContaining('asks too much');

it.each<[string, JsonSchema, unknown, unknown?]>([
  [
    'many properties under many items',
    { type: 'array', items: { type: 'object', properties: properties(5000, { type: 'string' }) } },
    many(20_000, {}),
  ],
  [
    'many names under many items',
    { type: 'array', items: { type: 'object', required: Object.keys(properties(5000, {})) } },
    many(20_000, {}),
  ],
  [
    'many values under many items',
    { type: 'array', items: { type: 'object', enum: many(2000, { a: { b: 1 } }) } },
    many(20_000, { a: { b: 2 } }),
  ],
  [
    'many bounds of one long text',
    { type: 'string', allOf: many(1000, { maxLength: 900_000, minLength: 1 }) },
    'x'.repeat(1_000_000),
  ],
  [
    'many patterns of one long text',
    { type: 'string', allOf: many(1000, { pattern: '^(a|b|x)*$' }) },
    'x'.repeat(100_000),
  ],
])('gives up %s', (_title, schema, value) => {
  expect(problems(schema, value)).toContainEqual(ASKS_TOO_MUCH);
});

it('compares a large part with what it was once, however many rules there are', () => {
  const list = Array.from({ length: 100_000 }, (_, i) => i);
  const schema = of({ type: 'array', allOf: many(1000, { minItems: 200_000 }) });
  const before = { value: { a: [...list.slice(0, -1), -1] } };
  expect(problems(schema, { a: list }, before)).not.toContainEqual(ASKS_TOO_MUCH);
  expect(problems(schema, { a: list }, { value: { a: [...list] } })).toEqual([]);
});

it('tells no more of long values than people can read', () => {
  const schema = of({ type: 'string', allOf: many(90, { pattern: '^y$' }) });
  const text = problems(schema, { a: 'x'.repeat(50_000) }).join();
  expect(text).toContain('should match');
  expect(text.length).toBeLessThan(300_000);
});

it.each<[string, JsonSchema]>([
  ['set', { type: 'array', 'x-kubernetes-list-type': 'set' }],
  [
    'embedded objects',
    { type: 'array', items: { type: 'object', 'x-kubernetes-embedded-resource': true } },
  ],
])('tells of some of very many problems of a list: %s', (_title, list) => {
  const items = Array.from({ length: 20_000 }, (_, i) => ({ n: i >> 1 }));
  const found = [
    ...listProblems({ a: items }, of(list)),
    ...embeddedProblems({ a: items }, of(list)),
  ];
  expect(found.length).toBeGreaterThan(0);
  expect(found.length).toBeLessThan(110);
});

it('makes nothing enormous of a small object', () => {
  const leaf: JsonSchema = of({ type: 'string', default: 'x' });
  const bomb = [1, 2, 3].reduce<JsonSchema>(
    (items) => of({ type: 'array', default: many(200, {}), items }),
    leaf,
  );
  expect(() => defaulted({}, bomb)).toThrow(DefaultsTooLargeError);
});

it('makes no prototype of a default that is called as one', () => {
  const schema: JsonSchema = {
    type: 'object',
    properties: Object.fromEntries([['__proto__', { type: 'object', default: { evil: true } }]]),
  };
  const definition = {
    spec: { group: 'x.example', names: { kind: 'X', plural: 'xs' } },
    status: {},
  };
  const kind = customKind(
    definition as never,
    { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } } as never,
  );
  const object = { apiVersion: 'x.example/v1', kind: 'X', metadata: { name: 'a' } } as ApiObject;
  kind.rules.applyDefaults(object);
  expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  expect(Object.hasOwn(object, '__proto__')).toBe(true);
});

it('asks rules of a part that is large, and of very many parts, within a bound', () => {
  const rules = many(100, { rule: 'true' });
  const list = Array.from({ length: 50_000 }, (_, i) => i);
  const schema = of({
    ...{ type: 'array', 'x-kubernetes-validations': rules },
    items: { type: 'integer', 'x-kubernetes-validations': rules },
  });
  const before = { value: { a: [...list.slice(0, -1), -1] } };
  const { value: problems, pauseCount } = finished(ruleProblems({ a: list }, schema, before));
  expect(problems[0]?.message).toContain('running out of cost budget');
  expect(pauseCount).toBeGreaterThan(50);
});

it('pauses before a rule that took long the last time', () => {
  const rules = many(1, { rule: 'self.all(x, self.all(y, x == y || x != y))' });
  const schema = of({
    ...{ type: 'array', 'x-kubernetes-validations': rules },
    items: { type: 'integer' },
  });
  const object = { a: Array.from({ length: 120 }, (_, i) => i) };
  const pauses = () => finished(ruleProblems(object, schema)).pauseCount;
  expect([pauses(), pauses()]).toEqual([0, 1]);
});

it('reckons with bounds of 64 bits', () => {
  const large = 2n ** 63n - 1n;
  const most: JsonSchema = {
    ...{ maxLength: large, maxItems: large, maxProperties: large },
  };
  const least: JsonSchema = {
    ...{ minLength: large, minItems: large, minProperties: large },
  };
  for (const [type, value] of [
    ['string', 'x'],
    ['array', [1]],
    ['object', { a: 1 }],
  ] as const) {
    expect(problems(of({ type, ...most }), { a: value })).toEqual([]);
    expect(problems(of({ type, ...least }), { a: value })).toHaveLength(1);
  }
  expect(problems(of({ type: 'number', multipleOf: large }), { a: 1e17 })).toHaveLength(1);
});
