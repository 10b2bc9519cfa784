import { createHash } from 'node:crypto';
import type { Resource } from '../resources';
import {
  definitionOf,
  definitions,
  hasDefinition,
  REFERENCE_PREFIX,
  type KindName,
} from './definitions';
import type { Definitions, Schema } from './schema';
import { stringifyJson } from '../../lib/json';

/** What a document says of one resource. */
export interface DocumentedResource {
  readonly resource: Resource;
  readonly verbs: readonly string[];
  readonly subresources: readonly string[];
}

/** An OpenAPI v3 document as text, with the hash under which clients may cache it for ever. */
export interface OpenApiDocument {
  readonly json: string;
  readonly hash: string;
}

/**
 * The document of one group version: its paths and every schema they reach. kubectl explains
 * fields from it, and finds there that PATCH takes `fieldValidation`.
 */
export const openApiV3 = (
  group: string,
  version: string,
  served: readonly DocumentedResource[],
): OpenApiDocument => {
  const own = served.filter(
    ({ resource }) => resource.group === group && resource.version === version,
  );
  const kinds = own.flatMap(({ resource, subresources }) => [
    resource,
    listOf(resource),
    ...subresources.map((name) => SUBRESOURCE_KINDS[name]).filter((kind) => kind !== undefined),
  ]);
  const json = stringifyJson({
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.assign({}, ...own.map(pathsOf)) as object,
    components: { schemas: reachable([...kinds, DELETE_OPTIONS, STATUS].filter(hasDefinition)) },
  });
  return { json, hash: createHash('sha512').update(json).digest('hex').toUpperCase() };
};

/** The index of all documents: `served` and their hashes, as `/openapi/v3` answers. */
export const openApiV3Index = (
  documents: ReadonlyMap<string, OpenApiDocument>,
): { readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>> } => ({
  paths: Object.fromEntries(
    [...documents].map(([path, { hash }]) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
    ]),
  ),
});

/** `api/v1`, `apis/apps/v1`: how the index names a group version. */
export const openApiPath = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

const DELETE_OPTIONS: KindName = { group: '', version: 'v1', kind: 'DeleteOptions' };
const STATUS: KindName = { group: '', version: 'v1', kind: 'Status' };

/** Subresources that take or give another kind than their parent. */
const SUBRESOURCE_KINDS: Readonly<Record<string, KindName | undefined>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  binding: { group: '', version: 'v1', kind: 'Binding' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
};

const listOf = ({ group, version, kind }: KindName): KindName => ({
  group,
  version,
  kind: `${kind}List`,
});

const reachable = (kinds: readonly KindName[]): Definitions => {
  const all = definitions();
  const seen = new Map<string, Schema>();
  const pending = kinds.map(definitionOf);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.name)) continue;
    seen.set(next.name, published(next.schema));
    for (const name of referencesIn(next.schema)) {
      const schema = all[name];
      if (schema !== undefined) pending.push({ name, schema });
    }
  }
  return Object.fromEntries([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** Without what only decoding reads. */
const published = (schema: Schema): Schema =>
  schema.properties === undefined
    ? schema
    : {
        ...schema,
        properties: Object.fromEntries(
          Object.entries(schema.properties).map(([name, property]) => {
            const { 'x-go-type': _type, 'x-go-presence': _presence, ...rest } = property;
            return [name, rest];
          }),
        ),
      };

const referencesIn = (schema: Schema): readonly string[] => {
  const nested = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.allOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(schema.additionalProperties === undefined ? [] : [schema.additionalProperties]),
  ];
  return [
    ...(schema.$ref === undefined ? [] : [schema.$ref.slice(REFERENCE_PREFIX.length)]),
    ...nested.flatMap(referencesIn),
  ];
};

// ---- Paths

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly action: string;
  readonly verb: string;
}

const COLLECTION: readonly Operation[] = [
  { method: 'get', action: 'list', verb: 'list' },
  { method: 'post', action: 'post', verb: 'create' },
  { method: 'delete', action: 'deletecollection', verb: 'deletecollection' },
];
const ITEM: readonly Operation[] = [
  { method: 'get', action: 'get', verb: 'get' },
  { method: 'put', action: 'put', verb: 'update' },
  { method: 'patch', action: 'patch', verb: 'patch' },
  { method: 'delete', action: 'delete', verb: 'delete' },
];
const SUBRESOURCE_OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  binding: ['post'],
  eviction: ['post'],
  token: ['post'],
  log: ['get'],
  exec: ['get', 'post'],
  attach: ['get', 'post'],
  portforward: ['get', 'post'],
};

const pathsOf = ({ resource, verbs, subresources }: DocumentedResource): object => {
  const { group, version, plural, isNamespaced } = resource;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${root}${isNamespaced ? '/namespaces/{namespace}' : ''}/${plural}`;
  const item = `${collection}/{name}`;
  const of = (operations: readonly Operation[]) =>
    operations.filter(({ verb }) => verbs.includes(verb));
  return {
    ...(isNamespaced && verbs.includes('list')
      ? { [`${root}/${plural}`]: pathItem(resource, of(COLLECTION.slice(0, 1)), []) }
      : {}),
    [collection]: pathItem(resource, of(COLLECTION), namespaceParameters(isNamespaced)),
    [item]: pathItem(resource, of(ITEM), [NAME_PARAMETER, ...namespaceParameters(isNamespaced)]),
    ...Object.fromEntries(
      subresources.map((name) => [
        `${item}/${name}`,
        pathItem(
          SUBRESOURCE_KINDS[name] ?? resource,
          ITEM.concat(COLLECTION.slice(1, 2)).filter(({ method }) =>
            (SUBRESOURCE_OPERATIONS[name] ?? ['get', 'put', 'patch']).includes(method),
          ),
          [NAME_PARAMETER, ...namespaceParameters(isNamespaced)],
        ),
      ]),
    ),
  };
};

const namespaceParameters = (isNamespaced: boolean): readonly object[] =>
  isNamespaced ? [NAMESPACE_PARAMETER] : [];

const pathItem = (
  kind: KindName,
  operations: readonly Operation[],
  parameters: readonly object[],
): object => ({
  ...Object.fromEntries(operations.map((each) => [each.method, operationOf(kind, each)])),
  parameters: [...parameters, queryParameter('pretty', 'string')],
});

const operationOf = (of: KindName, { method, action }: Operation): object => {
  const { group, version, kind } = of;
  const schema = schemaReference(of);
  const answer = { description: 'OK', content: { 'application/json': { schema } } };
  return {
    tags: [`${group === '' ? 'core' : group}_${version}`],
    operationId: `${action}_${group}_${version}_${kind}`,
    parameters: parametersOf(action),
    ...(method === 'get' ? {} : { requestBody: { content: bodyOf(method, schema) } }),
    responses: { '200': answer, '401': { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
};

const schemaReference = (kind: KindName): object =>
  hasDefinition(kind) ? { $ref: `${REFERENCE_PREFIX}${definitionOf(kind).name}` } : {};

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

const bodyOf = (method: string, schema: object): object => {
  if (method === 'patch') {
    return Object.fromEntries(PATCH_TYPES.map((type) => [type, { schema: { type: 'object' } }]));
  }
  const isDelete = method === 'delete';
  return { '*/*': { schema: isDelete ? schemaReference(DELETE_OPTIONS) : schema } };
};

const queryParameter = (name: string, type: string, description = ''): object => ({
  name,
  in: 'query',
  ...(description === '' ? {} : { description }),
  schema: { type, uniqueItems: true },
});

const pathParameter = (name: string, description: string): object => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string', uniqueItems: true },
});

const NAME_PARAMETER = pathParameter('name', 'The name of the object.');
const NAMESPACE_PARAMETER = pathParameter('namespace', 'The namespace of the object.');

const WRITE_PARAMETERS = [
  queryParameter('dryRun', 'string', 'All: nothing is stored.'),
  queryParameter('fieldManager', 'string', 'Who makes the change.'),
  queryParameter(
    'fieldValidation',
    'string',
    'What happens to unknown and repeated fields: Ignore, Warn or Strict.',
  ),
];
const LIST_PARAMETERS = [
  queryParameter('allowWatchBookmarks', 'boolean'),
  queryParameter('continue', 'string'),
  queryParameter('fieldSelector', 'string'),
  queryParameter('labelSelector', 'string'),
  queryParameter('limit', 'integer'),
  queryParameter('resourceVersion', 'string'),
  queryParameter('resourceVersionMatch', 'string'),
  queryParameter('sendInitialEvents', 'boolean'),
  queryParameter('timeoutSeconds', 'integer'),
  queryParameter('watch', 'boolean'),
];
const DELETE_PARAMETERS = [
  queryParameter('dryRun', 'string'),
  queryParameter('gracePeriodSeconds', 'integer'),
  queryParameter('orphanDependents', 'boolean'),
  queryParameter('propagationPolicy', 'string'),
];

const parametersOf = (action: string): readonly object[] => {
  switch (action) {
    case 'list':
      return LIST_PARAMETERS;
    case 'post':
    case 'put':
      return WRITE_PARAMETERS;
    case 'patch':
      return [...WRITE_PARAMETERS, queryParameter('force', 'boolean')];
    case 'delete':
      return DELETE_PARAMETERS;
    case 'deletecollection':
      return [...LIST_PARAMETERS, ...DELETE_PARAMETERS];
    default:
      return [];
  }
};
