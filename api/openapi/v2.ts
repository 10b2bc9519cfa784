import { createHash } from 'node:crypto';
import { stringifyJson, isJsonObject } from '../../lib/json';
import type { Json } from '../json-value';
import { REFERENCE_PREFIX } from '../schema/definitions';
import { BEARER_TOKEN, INFO, type OpenApiParts } from './documents';
import { encodeDocument, encodeNamed, encodePathItem, encodeSchema } from './gnostic';

/** One document in both of its forms, with the hash of each. */
export interface OpenApiV2 {
  readonly json: EncodedV2;
  readonly protobuf: EncodedV2;
}

interface EncodedV2 {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** What one group version adds to the document that has all of them. */
export interface Pieces {
  readonly paths: ReadonlyMap<string, Piece>;
  readonly definitions: ReadonlyMap<string, Piece>;
}

interface Piece {
  readonly json: string;
  readonly protobuf: Uint8Array;
}

/** Of the same parts as the v3 document. Thousands of them take seconds: others may run in between. */
export function* piecesOf({ paths, schemas }: OpenApiParts): Generator<void, Pieces, void> {
  return {
    paths: yield* mapped(paths, pathOf, encodePathItem),
    definitions: yield* mapped(schemas, schemaOf, encodeSchema),
  };
}

/** Everything that is served, described in OpenAPI v2: what v2 cannot say is left out. */
export const openApiV2 = (all: readonly Pieces[]): OpenApiV2 => {
  const paths = merged(all.map((pieces) => pieces.paths));
  const definitions = merged(all.map((pieces) => pieces.definitions));
  const [head = '', tail = ''] = stringifyJson({
    swagger: '2.0',
    info: INFO,
    paths: {},
    definitions: {},
    securityDefinitions: SECURITY_DEFINITIONS,
    security: SECURITY,
  }).split('"paths":{},"definitions":{}');
  const json = Buffer.from(
    `${head}"paths":{${membersOf(paths)}},"definitions":{${membersOf(definitions)}}${tail}`,
  );
  const protobuf = encodeDocument({
    info: INFO,
    paths: paths.map(([name, piece]) => encodeNamed(name, piece.protobuf)),
    definitions: definitions.map(([name, piece]) => encodeNamed(name, piece.protobuf)),
    tokenSecurity: BEARER_TOKEN,
  });
  return { json: withEtag(json), protobuf: withEtag(protobuf) };
};

const withEtag = (bytes: Uint8Array): EncodedV2 => ({
  bytes,
  etag: createHash('sha512').update(bytes).digest('hex').toUpperCase(),
});

function* mapped(
  members: Readonly<Record<string, object>>,
  convert: (value: Json) => Json,
  encode: (value: Json) => Uint8Array,
): Generator<void, ReadonlyMap<string, Piece>, void> {
  const pieces = new Map<string, Piece>();
  for (const [name, member] of Object.entries(members)) {
    const value = convert(member as Json);
    pieces.set(name, { json: stringifyJson(value), protobuf: encode(value) });
    yield;
  }
  return pieces;
}

const merged = (maps: readonly ReadonlyMap<string, Piece>[]): readonly [string, Piece][] =>
  [...new Map(maps.flatMap((map) => [...map]))].sort(([a], [b]) => (a < b ? -1 : 1));

const membersOf = (pieces: readonly [string, Piece][]): string =>
  pieces.map(([name, { json }]) => `${stringifyJson(name)}:${json}`).join(',');

const pathOf = (item: Json): Json => ({
  ...Object.fromEntries(
    METHODS.flatMap((method) =>
      isJsonObject(item[method]) ? [[method, operationOf(item[method], method)]] : [],
    ),
  ),
  ...(item['parameters'] === undefined
    ? {}
    : { parameters: listOf(item, 'parameters').map(parameterOf) }),
});

const operationOf = (operation: Json, method: string): Json => {
  const { requestBody, responses, parameters: _v3, ...rest } = operation;
  const body = isJsonObject(requestBody) ? requestBody : undefined;
  const answers = isJsonObject(responses) ? Object.entries(responses) : [];
  const produced = answers.flatMap(([, answer]) => contentTypesOf(answer));
  return {
    ...rest,
    schemes: ['https'],
    consumes: body !== undefined && method === 'patch' ? contentTypesOf(body) : ['*/*'],
    ...(produced.length === 0 ? {} : { produces: [...new Set(produced)] }),
    parameters: [
      ...(body === undefined ? [] : [bodyOf(body)]),
      ...listOf(operation, 'parameters').map(parameterOf),
    ],
    responses: Object.fromEntries(answers.map(([code, answer]) => [code, responseOf(answer)])),
  };
};

const parameterOf = ({ schema, ...rest }: Json): Json => ({
  ...rest,
  ...(isJsonObject(schema) ? schema : {}),
});

const bodyOf = (body: Json): Json => ({
  in: 'body',
  name: 'body',
  ...(body['required'] === true ? { required: true } : {}),
  schema: contentSchemaOf(body) ?? {},
});

const responseOf = (answer: unknown): Json => {
  const schema = contentSchemaOf(answer);
  return {
    description: isJsonObject(answer) ? answer['description'] : '',
    ...(schema === undefined ? {} : { schema }),
  };
};

const contentTypesOf = (holder: unknown): readonly string[] =>
  isJsonObject(holder) && isJsonObject(holder['content']) ? Object.keys(holder['content']) : [];

const contentSchemaOf = (holder: unknown): Json | undefined => {
  const content = isJsonObject(holder) && isJsonObject(holder['content']) ? holder['content'] : {};
  const [first] = Object.values(content);
  const schema = isJsonObject(first) ? first['schema'] : undefined;
  return isJsonObject(schema) ? schemaOf(schema) : undefined;
};

/** A schema in the words of v2, as upstream makes it: without defaults, and with one type. */
const schemaOf = (schema: Json): Json => {
  const all = listOf(schema, 'allOf');
  const reference = schema['$ref'] ?? (all.length === 1 ? all[0]?.['$ref'] : undefined);
  if (typeof reference === 'string')
    return {
      ...only(schema, ['description', ...extensionsIn(schema)]),
      $ref: reference.replace(REFERENCE_PREFIX, '#/definitions/'),
    };
  const isOpaque = schema['nullable'] === true;
  const isFree = isOpaque || schema['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    ...only(schema, [...KEPT, ...extensionsIn(schema)]),
    ...(isOpaque ? {} : typeOf(schema)),
    ...(isFree ? {} : nestedOf(schema)),
  };
};

/** A quantity is written as text, and so is what may be a number or text. */
const typeOf = (schema: Json): Json => {
  if (schema['x-kubernetes-int-or-string'] === true) return {};
  if (typeof schema['type'] === 'string') return { type: schema['type'] };
  return schema['oneOf'] === undefined ? {} : { type: 'string' };
};

const nestedOf = (schema: Json): Json => {
  const { properties, items, additionalProperties: more } = schema;
  return {
    ...(isJsonObject(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).flatMap(([name, value]) =>
              isJsonObject(value) ? [[name, schemaOf(value)]] : [],
            ),
          ),
        }
      : {}),
    ...(isJsonObject(items) ? { items: schemaOf(items) } : {}),
    ...(isJsonObject(more) ? { additionalProperties: schemaOf(more) } : {}),
    ...(typeof more === 'boolean' ? { additionalProperties: more } : {}),
  };
};

const extensionsIn = (schema: Json): readonly string[] =>
  Object.keys(schema).filter((key) => key.startsWith('x-'));

const only = (from: Json, keys: readonly string[]): Json =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])));

const listOf = (from: Json, key: string): readonly Json[] => {
  const list = from[key];
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
};

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const KEPT = [
  'description',
  'format',
  'title',
  'required',
  'enum',
  'pattern',
  'maximum',
  'minimum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'maxItems',
  'minItems',
  'uniqueItems',
  'maxProperties',
  'minProperties',
  'multipleOf',
];
const SECURITY_DEFINITIONS = { BearerToken: BEARER_TOKEN };
const SECURITY = [{ BearerToken: [] }];
