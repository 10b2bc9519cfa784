import { stringifyJson, isJsonObject } from '../../lib/json';
import type { Json } from '../json-value';
import { REFERENCE_PREFIX } from '../schema/definitions';
import { BEARER_TOKEN, INFO, membersOf, type OpenApiParts } from './documents';
import { documentPieces, encodeNamed, encodePathItem, encodeSchema } from './gnostic';

/** Everything that is served, described in OpenAPI v2 piece by piece: what v2 cannot say is left out. */
export function* openApiV2Json(all: readonly OpenApiParts[]): Generator<string, void, void> {
  yield `{"swagger":"2.0","info":${stringifyJson(INFO)},"paths":{`;
  yield* membersOf(distinct(all, (parts) => parts.paths(), pathOf));
  yield '},"definitions":{';
  yield* membersOf(distinct(all, (parts) => parts.schemas(), schemaOf));
  yield `},"securityDefinitions":${stringifyJson(SECURITY_DEFINITIONS)},`;
  yield `"security":${stringifyJson(SECURITY)}}`;
}

/** The same as protobuf. Pieces without a byte only tell that some time has passed. */
export function* openApiV2Protobuf(
  all: readonly OpenApiParts[],
): Generator<Uint8Array, void, void> {
  const [paths, definitions]: [Uint8Array[], Uint8Array[]] = [[], []];
  for (const [name, item] of distinct(all, (parts) => parts.paths(), pathOf)) {
    paths.push(encodeNamed(name, encodePathItem(item)));
    yield NOTHING;
  }
  for (const [name, schema] of distinct(all, (parts) => parts.schemas(), schemaOf)) {
    definitions.push(encodeNamed(name, encodeSchema(schema)));
    yield NOTHING;
  }
  yield* documentPieces({ info: INFO, paths, definitions, tokenSecurity: BEARER_TOKEN });
}

/** Documents of several group versions have schemas in common. */
function* distinct(
  all: readonly OpenApiParts[],
  membersIn: (parts: OpenApiParts) => Iterable<readonly [string, object]>,
  convert: (value: Json) => Json,
): Generator<readonly [string, Json], void, void> {
  const seen = new Set<string>();
  for (const parts of all)
    for (const [name, value] of membersIn(parts)) {
      if (seen.has(name)) continue;
      seen.add(name);
      yield [name, convert(value as Json)];
    }
}

const NOTHING = new Uint8Array();

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
