import { fieldsOf, type WireField } from '../protobuf/wire';
import { openApiV2Json, openApiV2Protobuf } from '.';

const REFERENCE = '#/components/schemas/Part';
const parts = {
  paths: {
    '/things/{name}': {
      patch: {
        operationId: 'patchThing',
        parameters: [
          { name: 'dryRun', in: 'query', schema: { type: 'string', uniqueItems: true } },
        ],
        requestBody: {
          content: { 'application/merge-patch+json': { schema: { type: 'object' } } },
          required: true,
        },
        responses: {
          '200': {
            description: 'OK',
            content: { 'application/json': { schema: { $ref: REFERENCE } } },
          },
          '401': { description: 'Unauthorized' },
        },
      },
      parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
    },
  },
  schemas: {
    Thing: {
      type: 'object' as const,
      properties: {
        part: { description: 'a part', allOf: [{ $ref: REFERENCE }], default: {} },
        port: { format: 'int-or-string', oneOf: [{ type: 'integer' as const }] },
        size: { type: 'integer' as const, default: 1, minimum: 1, maxLength: 300 },
      },
      'x-kubernetes-list-map-keys': ['a'],
    },
    Part: { type: 'string' as const, enum: ['a', 'b'] },
  },
};

const given = {
  paths: () => Object.entries(parts.paths),
  schemas: () => Object.entries(parts.schemas).sort(([a], [b]) => (a < b ? -1 : 1)),
};
const text = [...openApiV2Json([given, given])].join('');
const json = JSON.parse(text) as Record<string, object>;

it('says in the words of v2 what v3 says', () => {
  expect(json['paths']).toEqual({
    '/things/{name}': {
      patch: {
        operationId: 'patchThing',
        schemes: ['https'],
        consumes: ['application/merge-patch+json'],
        produces: ['application/json'],
        parameters: [
          { in: 'body', name: 'body', required: true, schema: { type: 'object' } },
          { name: 'dryRun', in: 'query', type: 'string', uniqueItems: true },
        ],
        responses: {
          '200': { description: 'OK', schema: { $ref: '#/definitions/Part' } },
          '401': { description: 'Unauthorized' },
        },
      },
      parameters: [{ name: 'name', in: 'path', required: true, type: 'string' }],
    },
  });
});

it('drops defaults, and gives every schema one type', () => {
  expect(json['definitions']).toMatchObject({
    Thing: {
      properties: {
        part: { description: 'a part', $ref: '#/definitions/Part' },
        port: { type: 'string', format: 'int-or-string' },
        size: { type: 'integer', minimum: 1 },
      },
    },
  });
  expect(text).not.toContain('default');
});

it('writes the same as protobuf', () => {
  const root = messages(Buffer.concat([...openApiV2Protobuf([given, given])]));
  expect(textOf(root, 1)).toBe('2.0');
  const definitions = messages(bytesOf(root, 9)).map(({ value }) => messages(value));
  expect(definitions.map((definition) => textOf(definition, 1))).toEqual(['Part', 'Thing']);
  const thing = messages(bytesOf(definitions[1]!, 2));
  const properties = messages(bytesOf(thing, 25)).map(({ value }) => messages(value));
  expect(properties.map((property) => textOf(property, 1))).toEqual(['part', 'port', 'size']);
  expect(textOf(messages(bytesOf(properties[0]!, 2)), 1)).toBe('#/definitions/Part');
  const [extension] = thing.filter(({ number }) => number === 31);
  expect(textOf(messages(bytesOf(messages(extension!.value), 2)), 2)).toBe('["a"]\n');
});

type Bytes = Extract<WireField, { kind: 'bytes' }>;

const messages = (bytes: Uint8Array): readonly Bytes[] =>
  [...fieldsOf(bytes)].filter((field) => field.kind === 'bytes');

const bytesOf = (fields: readonly Bytes[], wanted: number): Uint8Array =>
  fields.find(({ number }) => number === wanted)!.value;

const textOf = (fields: readonly Bytes[], wanted: number): string =>
  Buffer.from(bytesOf(fields, wanted)).toString();
