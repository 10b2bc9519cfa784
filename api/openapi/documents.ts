import {
  definitionOf,
  definitions,
  hasDefinition,
  REFERENCE_PREFIX,
  type KindName,
} from '../schema/definitions';
import type { Schema } from '../schema/schema';
import { stringifyJson } from '../../lib/json';
import {
  DELETE_OPTIONS,
  listKindOf,
  pathsOf,
  readingPath,
  rootOf,
  STATUS,
  subresourceKind,
  tagOf,
  titleOf,
  type DocumentedResource,
} from './operations';

export type { DocumentedResource } from './operations';

/** What one document is made of: one part at a time, so that thousands need not be in memory together. */
export interface OpenApiParts {
  paths(): Iterable<readonly [path: string, item: object]>;
  /** By name, in order. */
  schemas(): Iterable<readonly [name: string, schema: Schema]>;
}

/** The hash of a document's bytes, under which clients may cache it for ever. */
export interface Hashed {
  readonly hash: string;
}

/**
 * Of one group version: its paths and every schema they reach. kubectl explains fields from it, and
 * finds there that PATCH takes `fieldValidation`.
 */
export const groupVersionParts = (
  group: string,
  version: string,
  served: readonly DocumentedResource[],
): OpenApiParts => {
  const own = served.filter(
    ({ resource }) => resource.group === group && resource.version === version,
  );
  const kinds = own.flatMap(({ resource, subresources }) => [
    resource,
    listKindOf(resource),
    ...subresources.map((name) => subresourceKind(resource, name)),
  ]);
  const index = readingPath(
    `get${titleOf(group, version)}APIResources`,
    tagOf(group, version),
    API_RESOURCES,
  );
  return {
    *paths() {
      yield [`${rootOf({ group, version })}/`, index];
      for (const each of own) yield* Object.entries(pathsOf(each));
    },
    schemas: () => reachable([...kinds, API_RESOURCES, DELETE_OPTIONS, STATUS]),
  };
};

/** What describes what is served: discovery, and what everybody may ask. By the name in the index. */
export const metaParts = (groups: readonly string[]): ReadonlyMap<string, OpenApiParts> =>
  new Map([
    ['api', metaPart('/api/', 'getCoreAPIVersions', 'core', API_VERSIONS)],
    ['apis', metaPart('/apis/', 'getAPIVersions', 'apis', API_GROUPS)],
    ['version', metaPart('/version/', 'getCodeVersion', 'version', VERSION_INFO)],
    [
      'openid/v1/jwks',
      metaPart('/openid/v1/jwks/', 'getServiceAccountIssuerOpenIDKeyset', 'openid', TEXT),
    ],
    [
      '.well-known/openid-configuration',
      metaPart(
        '/.well-known/openid-configuration/',
        'getServiceAccountIssuerOpenIDConfiguration',
        'WellKnown',
        TEXT,
      ),
    ],
    ...groups
      .filter((group) => group !== '')
      .map((group): [string, OpenApiParts] => [
        `apis/${group}`,
        metaPart(`/apis/${group}/`, `get${titleOf(group, '')}APIGroup`, tagOf(group), API_GROUP),
      ]),
  ]);

const metaPart = (
  path: string,
  operationId: string,
  tag: string,
  kind: KindName,
): OpenApiParts => ({
  paths: () => [[path, readingPath(operationId, tag, kind)]],
  schemas: () => reachable([kind]),
});

/** An OpenAPI v3 document as text, piece by piece: a large one takes long, and others may run in between. */
export function* openApiV3(parts: OpenApiParts): Generator<string, void, void> {
  yield `{"openapi":"3.0.0","info":${stringifyJson(INFO)},"paths":{`;
  yield* membersOf(parts.paths());
  yield '},"components":{"schemas":{';
  yield* membersOf(parts.schemas());
  yield `},"securitySchemes":${stringifyJson({ BearerToken: BEARER_TOKEN })}},`;
  yield `"security":${stringifyJson([{ BearerToken: [] }])}}`;
}

/** The members of a JSON object, between its braces. */
export function* membersOf(
  members: Iterable<readonly [string, object]>,
): Generator<string, void, void> {
  let separator = '';
  for (const [name, value] of members) {
    yield `${separator}${stringifyJson(name)}:${stringifyJson(value)}`;
    separator = ',';
  }
}

/** The index of all documents: `served` and their hashes, as `/openapi/v3` answers. */
export const openApiV3Index = (
  documents: ReadonlyMap<string, Hashed>,
): { readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>> } => ({
  paths: Object.fromEntries(
    [...documents]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]),
  ),
});

/** `api/v1`, `apis/apps/v1`: how the index names a group version. */
export const openApiPath = (group: string, version: string): string =>
  rootOf({ group, version }).slice(1);

export const INFO = { title: 'Kubernetes', version: 'unversioned' };
export const BEARER_TOKEN = {
  type: 'apiKey',
  description: 'Bearer Token authentication',
  name: 'authorization',
  in: 'header',
};

const reachable = (kinds: readonly KindName[]): Iterable<readonly [string, Schema]> => {
  const all = definitions();
  const seen = new Map<string, Schema>();
  const pending = kinds.filter(hasDefinition).map(definitionOf);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.name)) continue;
    seen.set(next.name, next.schema);
    for (const name of referencesIn(next.schema)) {
      const schema = all[name];
      if (schema !== undefined) pending.push({ name, schema });
    }
  }
  return publishedInOrder(seen);
};

function* publishedInOrder(
  schemas: ReadonlyMap<string, Schema>,
): Generator<readonly [string, Schema], void> {
  for (const [name, schema] of [...schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
    yield [name, published(schema)];
}

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

const meta = (kind: string): KindName => ({ group: '', version: 'v1', kind });

const API_VERSIONS = meta('APIVersions');
const API_GROUPS = meta('APIGroupList');
const API_GROUP = meta('APIGroup');
const API_RESOURCES = meta('APIResourceList');

const TEXTS = [
  'major',
  'minor',
  'gitVersion',
  'gitCommit',
  'gitTreeState',
  'buildDate',
  'goVersion',
  'compiler',
  'platform',
];
const VERSION_INFO: KindName = {
  ...meta('Info'),
  definition: {
    name: 'io.k8s.apimachinery.pkg.version.Info',
    schema: {
      description: 'What program answers, and how it was built.',
      type: 'object',
      properties: Object.fromEntries(TEXTS.map((name) => [name, { type: 'string', default: '' }])),
      required: TEXTS,
    },
  },
};
/** Without a schema: it is anything. */
const TEXT = meta('');
