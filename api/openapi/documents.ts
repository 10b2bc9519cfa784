import { createHash } from 'node:crypto';
import {
  definitionOf,
  definitions,
  hasDefinition,
  REFERENCE_PREFIX,
  type KindName,
} from '../schema/definitions';
import type { Definitions, Schema } from '../schema/schema';
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

/** What one document is made of. */
export interface OpenApiParts {
  readonly paths: Readonly<Record<string, object>>;
  readonly schemas: Definitions;
}

/** An OpenAPI v3 document as text, with the hash under which clients may cache it for ever. */
export interface OpenApiDocument {
  readonly json: string;
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
    paths: Object.assign(
      { [`${rootOf({ group, version })}/`]: index },
      ...own.map(pathsOf),
    ) as OpenApiParts['paths'],
    schemas: reachable([...kinds, API_RESOURCES, DELETE_OPTIONS, STATUS]),
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
  paths: { [path]: readingPath(operationId, tag, kind) },
  schemas: reachable([kind]),
});

export const openApiV3 = ({ paths, schemas }: OpenApiParts): OpenApiDocument => {
  const json = stringifyJson({
    openapi: '3.0.0',
    info: INFO,
    paths,
    components: {
      ...(Object.keys(schemas).length === 0 ? {} : { schemas }),
      securitySchemes: { BearerToken: BEARER_TOKEN },
    },
    security: [{ BearerToken: [] }],
  });
  return { json, hash: createHash('sha512').update(json).digest('hex').toUpperCase() };
};

/** The index of all documents: `served` and their hashes, as `/openapi/v3` answers. */
export const openApiV3Index = (
  documents: ReadonlyMap<string, OpenApiDocument>,
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

const reachable = (kinds: readonly KindName[]): Definitions => {
  const all = definitions();
  const seen = new Map<string, Schema>();
  const pending = kinds.filter(hasDefinition).map(definitionOf);
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
