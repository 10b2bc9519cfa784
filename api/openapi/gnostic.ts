import { stringifyJson, isJsonObject } from '../../lib/json';
import type { Json } from '../json-value';
import { bytesField, doubleField, headOfBytes, varintField } from '../protobuf/wire-writer';

/**
 * OpenAPI v2 as the protobuf messages that older clients ask for. The numbers are those of
 * `openapi.v2.Document` and the messages it holds.
 */

export interface GnosticDocument {
  readonly info: { readonly title: string; readonly version: string };
  /** Made by `encodeNamed` of an encoded path item or schema. */
  readonly paths: readonly Uint8Array[];
  readonly definitions: readonly Uint8Array[];
  readonly tokenSecurity: Json;
}

/** The document, one entry of it at a time. */
export function* documentPieces({
  info,
  paths,
  definitions,
  tokenSecurity,
}: GnosticDocument): Generator<Uint8Array, void, void> {
  yield bytesField(1, '2.0');
  yield bytesField(2, join([bytesField(1, info.title), bytesField(2, info.version)]));
  yield* entries(8, 2, paths);
  yield* entries(9, 1, definitions);
  yield bytesField(12, bytesField(1, encodeNamed('BearerToken', new Uint8Array())));
  yield bytesField(
    13,
    bytesField(1, encodeNamed('BearerToken', bytesField(2, keySecurity(tokenSecurity)))),
  );
}

/** A message of nothing but entries. */
function* entries(
  number: number,
  entry: number,
  values: readonly Uint8Array[],
): Generator<Uint8Array, void, void> {
  const bytes = (value: Uint8Array): number =>
    headOfBytes(entry, value.length).length + value.length;
  yield headOfBytes(
    number,
    values.reduce((sum, value) => sum + bytes(value), 0),
  );
  for (const value of values) yield bytesField(entry, value);
}

/** An entry of what is a map in JSON. */
export const encodeNamed = (name: string, value: Uint8Array): Uint8Array =>
  join([bytesField(1, name), bytesField(2, value)]);

export const encodePathItem = (item: Json): Uint8Array =>
  join([
    ...Object.entries(METHODS).flatMap(([method, number]) =>
      isJsonObject(item[method]) ? [bytesField(number, operation(item[method]))] : [],
    ),
    ...objects(item['parameters']).map((each) => bytesField(9, parameter(each))),
    ...extensions(10, item),
  ]);

export const encodeSchema = (schema: Json): Uint8Array => {
  const { additionalProperties: more, type, items, properties } = schema;
  return join([
    ...scalars(schema, SCHEMA),
    ...texts(schema['required']).map((name) => bytesField(19, name)),
    ...list(schema['enum']).map((value) => bytesField(20, any(value))),
    ...(isJsonObject(more) ? [bytesField(21, bytesField(1, encodeSchema(more)))] : []),
    ...(typeof more === 'boolean' ? [bytesField(21, varintField(2, Number(more)))] : []),
    ...(typeof type === 'string' ? [bytesField(22, bytesField(1, type))] : []),
    ...(isJsonObject(items) ? [bytesField(23, bytesField(1, encodeSchema(items)))] : []),
    ...(isJsonObject(properties) ? [bytesField(25, named(properties, encodeSchema))] : []),
    ...extensions(31, schema),
  ]);
};

const operation = (of: Json): Uint8Array =>
  join([
    ...texts(of['tags']).map((tag) => bytesField(1, tag)),
    ...scalars(of, { description: [3, 'text'], operationId: [5, 'text'] }),
    ...texts(of['produces']).map((type) => bytesField(6, type)),
    ...texts(of['consumes']).map((type) => bytesField(7, type)),
    ...objects(of['parameters']).map((each) => bytesField(8, parameter(each))),
    ...(isJsonObject(of['responses']) ? [bytesField(9, named(of['responses'], response))] : []),
    ...texts(of['schemes']).map((scheme) => bytesField(10, scheme)),
    ...extensions(13, of),
  ]);

/** A ParametersItem: of a body, of a query or of a path. */
const parameter = (of: Json): Uint8Array => bytesField(1, parameterBody(of));

const parameterBody = (of: Json): Uint8Array => {
  if (of['in'] !== 'body') {
    const isQuery = of['in'] === 'query';
    const schema = scalars(of, isQuery ? QUERY_PARAMETER : PATH_PARAMETER);
    return bytesField(2, bytesField(isQuery ? 3 : 4, join(schema)));
  }
  const schema = isJsonObject(of['schema']) ? of['schema'] : {};
  return bytesField(1, join([...scalars(of, BODY_PARAMETER), bytesField(5, encodeSchema(schema))]));
};

/** A ResponseValue. */
const response = (of: Json): Uint8Array =>
  bytesField(
    1,
    join([
      ...scalars(of, { description: [1, 'text'] }),
      ...(isJsonObject(of['schema'])
        ? [bytesField(2, bytesField(1, encodeSchema(of['schema'])))]
        : []),
    ]),
  );

const keySecurity = (of: Json): Uint8Array =>
  join(
    scalars(of, {
      type: [1, 'text'],
      name: [2, 'text'],
      in: [3, 'text'],
      description: [4, 'text'],
    }),
  );

const named = (members: Json, encode: (value: Json) => Uint8Array): Uint8Array =>
  join(
    Object.entries(members).flatMap(([name, value]) =>
      isJsonObject(value) ? [bytesField(1, encodeNamed(name, encode(value)))] : [],
    ),
  );

const extensions = (number: number, of: Json): readonly Uint8Array[] =>
  Object.entries(of)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => bytesField(number, encodeNamed(name, any(value))));

/** Any value is carried as YAML, of which JSON is a part. */
const any = (value: unknown): Uint8Array => bytesField(2, `${stringifyJson(value)}\n`);

type Scalar = readonly [number: number, type: 'text' | 'flag' | 'count' | 'number'];

const scalars = (of: Json, fields: Readonly<Record<string, Scalar>>): readonly Uint8Array[] =>
  Object.entries(fields).flatMap(([name, [number, type]]) => {
    const value = of[name];
    if (type === 'text') return typeof value === 'string' ? [bytesField(number, value)] : [];
    if (type === 'flag') return value === true ? [varintField(number, 1)] : [];
    if (typeof value !== 'number') return [];
    if (type === 'number') return [doubleField(number, value)];
    return Number.isSafeInteger(value) && value >= 0 ? [varintField(number, value)] : [];
  });

const join = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const texts = (value: unknown): readonly string[] =>
  list(value).filter((item) => typeof item === 'string');

const objects = (value: unknown): readonly Json[] => list(value).filter(isJsonObject);

const METHODS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };
const SCHEMA: Readonly<Record<string, Scalar>> = {
  $ref: [1, 'text'],
  format: [2, 'text'],
  title: [3, 'text'],
  description: [4, 'text'],
  multipleOf: [6, 'number'],
  maximum: [7, 'number'],
  exclusiveMaximum: [8, 'flag'],
  minimum: [9, 'number'],
  exclusiveMinimum: [10, 'flag'],
  maxLength: [11, 'count'],
  minLength: [12, 'count'],
  pattern: [13, 'text'],
  maxItems: [14, 'count'],
  minItems: [15, 'count'],
  uniqueItems: [16, 'flag'],
  maxProperties: [17, 'count'],
  minProperties: [18, 'count'],
};
const PLACED: Readonly<Record<string, Scalar>> = {
  required: [1, 'flag'],
  in: [2, 'text'],
  description: [3, 'text'],
  name: [4, 'text'],
};
const QUERY_PARAMETER: Readonly<Record<string, Scalar>> = {
  ...PLACED,
  type: [6, 'text'],
  uniqueItems: [20, 'flag'],
};
const PATH_PARAMETER: Readonly<Record<string, Scalar>> = {
  ...PLACED,
  type: [5, 'text'],
  uniqueItems: [19, 'flag'],
};
const BODY_PARAMETER: Readonly<Record<string, Scalar>> = {
  description: [1, 'text'],
  name: [2, 'text'],
  in: [3, 'text'],
  required: [4, 'flag'],
};
