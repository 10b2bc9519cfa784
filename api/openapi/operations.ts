import {
  definitionOf,
  hasDefinition,
  REFERENCE_PREFIX,
  type KindName,
} from '../schema/definitions';
import type { Schema } from '../schema/schema';
import type { Resource } from '../resources';
import {
  CONNECT_PARAMETERS,
  DELETE_PARAMETERS,
  LIST_PARAMETERS,
  LOG_PARAMETERS,
  NAME_PARAMETER,
  NAMESPACE_PARAMETER,
  PATCH_PARAMETERS,
  PRETTY_PARAMETER,
  WRITE_PARAMETERS,
} from './parameters';

/** What a document says of one resource. */
export interface DocumentedResource {
  readonly resource: Resource;
  readonly verbs: readonly string[];
  readonly subresources: readonly string[];
}

/** The paths of a resource with what can be done there, as OpenAPI v3 says it. */
export const pathsOf = (documented: DocumentedResource): Readonly<Record<string, object>> => {
  const { resource, verbs, subresources } = documented;
  const { plural, isNamespaced } = resource;
  const root = rootOf(resource);
  const collection = `${root}${isNamespaced ? '/namespaces/{namespace}' : ''}/${plural}`;
  const item = `${collection}/{name}`;
  const place = isNamespaced ? [NAMESPACE_PARAMETER] : [];
  const here = (operations: readonly Operation[], scope = '') =>
    operations
      .filter(({ verb }) => verbs.includes(verb))
      .map((operation) => described(operation, resource, { parent: resource, scope }));
  const paths: readonly (readonly [string, readonly Described[], readonly object[]])[] = [
    [`${root}/${plural}`, isNamespaced ? here(LIST, 'ForAllNamespaces') : [], []],
    [collection, here([...LIST, ...COLLECTION]), place],
    [item, here(ITEM), [NAME_PARAMETER, ...place]],
    ...subresources.map(
      (name) =>
        [`${item}/${name}`, ofSubresource(resource, name), [NAME_PARAMETER, ...place]] as const,
    ),
  ];
  return Object.fromEntries(
    paths
      .filter(([, operations]) => operations.length > 0)
      .map(([path, operations, parameters]) => [path, pathItem(operations, parameters)]),
  );
};

/** A GET that answers one document: discovery and the like. */
export const readingPath = (operationId: string, tag: string, kind: KindName): object => ({
  get: {
    tags: [tag],
    operationId,
    responses: { '200': jsonAnswer(referenceTo(kind)), ...UNAUTHORIZED },
  },
});

/** `/api/v1`, `/apis/apps/v1` */
export const rootOf = ({ group, version }: Pick<KindName, 'group' | 'version'>): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** `CoreV1`, `RbacAuthorizationV1`: as operations name a group version. */
export const titleOf = (group: string, version: string): string =>
  titled(group === '' ? 'core' : group.replace(/\.k8s\.io$/, '')) + titled(version);

/** `core_v1`, `rbacAuthorization_v1` */
export const tagOf = (group: string, version = ''): string => {
  const title = titleOf(group, '');
  return title.charAt(0).toLowerCase() + title.slice(1) + (version === '' ? '' : `_${version}`);
};

/** Subresources that take or give another kind than their parent. */
export const subresourceKind = (resource: Resource, name: string): KindName =>
  name === 'proxy'
    ? { group: '', version: 'v1', kind: `${resource.kind}ProxyOptions` }
    : (SUBRESOURCE_KINDS[name] ?? resource);

/** A kind that brings its own schema has its list described likewise. */
export const listKindOf = ({ group, version, kind, definition }: KindName): KindName => ({
  group,
  version,
  kind: `${kind}List`,
  ...(definition === undefined
    ? {}
    : { definition: { name: `${definition.name}List`, schema: listSchema(definition.name) } }),
});

const listSchema = (itemName: string): Schema => ({
  description: 'A list of objects, or one page of it.',
  type: 'object',
  properties: {
    apiVersion: { type: 'string', description: 'The version of the schema of the list.' },
    kind: { type: 'string', description: 'What it is a list of.' },
    items: {
      type: 'array',
      description: 'The objects.',
      items: { $ref: `${REFERENCE_PREFIX}${itemName}` },
    },
    metadata: { $ref: `${REFERENCE_PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta` },
  },
  required: ['items'],
});

export const DELETE_OPTIONS: KindName = { group: '', version: 'v1', kind: 'DeleteOptions' };
export const STATUS: KindName = { group: '', version: 'v1', kind: 'Status' };

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly action: string;
  readonly verb: string;
}

interface Described {
  readonly method: string;
  readonly operation: object;
}

/** Where an operation is found: what its parent is, and what follows in its name. */
interface Place {
  readonly parent: Resource;
  readonly scope: string;
}

const LIST: readonly Operation[] = [{ method: 'get', action: 'list', verb: 'list' }];
const COLLECTION: readonly Operation[] = [
  { method: 'post', action: 'post', verb: 'create' },
  { method: 'delete', action: 'deletecollection', verb: 'deletecollection' },
];
const ITEM: readonly Operation[] = [
  { method: 'get', action: 'get', verb: 'get' },
  { method: 'put', action: 'put', verb: 'update' },
  { method: 'patch', action: 'patch', verb: 'patch' },
  { method: 'delete', action: 'delete', verb: 'delete' },
];

const SUBRESOURCE_KINDS: Readonly<Record<string, KindName | undefined>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  binding: { group: '', version: 'v1', kind: 'Binding' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  exec: { group: '', version: 'v1', kind: 'PodExecOptions' },
  attach: { group: '', version: 'v1', kind: 'PodAttachOptions' },
  portforward: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
};

const SUBRESOURCE_METHODS: Readonly<Record<string, readonly string[] | undefined>> = {
  binding: ['post'],
  eviction: ['post'],
  token: ['post'],
  log: ['get'],
  finalize: ['put'],
  approval: ['get', 'put', 'patch'],
  ...Object.fromEntries(['exec', 'attach', 'portforward'].map((name) => [name, ['get', 'post']])),
};

/** Pods and services are asked whatever there is to ask; what a node says of itself is read. */
const methodsOf = ({ kind }: Resource, name: string): readonly string[] => {
  if (name !== 'proxy') return SUBRESOURCE_METHODS[name] ?? ['get', 'put', 'patch'];
  return kind === 'Node' ? ['get'] : ['get', 'put', 'post', 'patch', 'delete'];
};

const ofSubresource = (resource: Resource, name: string): readonly Described[] => {
  const methods = methodsOf(resource, name);
  const place = { parent: resource, scope: titled(name) };
  const kind = subresourceKind(resource, name);
  return [...ITEM, ...COLLECTION.slice(0, 1)]
    .filter(({ method }) => methods.includes(method))
    .map((operation) =>
      name in CONNECT_PARAMETERS
        ? connecting(operation, kind, place, CONNECT_PARAMETERS[name] ?? [])
        : name === 'log'
          ? { method: 'get', operation: logOperation(kind, place) }
          : described(operation, kind, place),
    );
};

const described = (operation: Operation, kind: KindName, place: Place): Described => {
  const { method, action } = operation;
  const { group, version } = place.parent;
  const schema = referenceTo(kind);
  return {
    method,
    operation: {
      tags: [tagOf(group, version)],
      operationId: idOf(NAMES[action] ?? action, place, action === 'deletecollection'),
      parameters: PARAMETERS[action] ?? [],
      ...(method === 'get' ? {} : { requestBody: bodyOf(action, kind, schema) }),
      responses: { ...answersOf(action, kind, schema), ...UNAUTHORIZED },
      ...extensionsOf(action, kind),
    },
  };
};

const connecting = (
  { method }: Operation,
  kind: KindName,
  place: Place,
  parameters: readonly object[],
): Described => {
  const { group, version } = place.parent;
  const ok = { description: 'OK', content: { '*/*': { schema: { type: 'string' } } } };
  return {
    method,
    operation: {
      tags: [tagOf(group, version)],
      operationId: idOf('connect', place, false, titled(method)),
      parameters,
      responses: { '200': ok, ...UNAUTHORIZED },
      ...extensionsOf('connect', kind),
    },
  };
};

const logOperation = (kind: KindName, place: Place): object => {
  const { group, version } = place.parent;
  const ok = { description: 'OK', content: { 'text/plain': { schema: { type: 'string' } } } };
  return {
    tags: [tagOf(group, version)],
    operationId: idOf('read', place, false),
    parameters: LOG_PARAMETERS,
    responses: { '200': ok, ...UNAUTHORIZED },
    ...extensionsOf('get', kind),
  };
};

/** `deleteCoreV1CollectionNamespacedPod`: as generated clients call it. */
const idOf = (
  verb: string,
  { parent: { group, version, kind, isNamespaced }, scope }: Place,
  isCollection: boolean,
  method = '',
): string => {
  const isEverywhere = scope === 'ForAllNamespaces';
  const place = isNamespaced && !isEverywhere ? 'Namespaced' : '';
  const set = isCollection ? 'Collection' : '';
  return `${verb}${titleOf(group, version)}${method}${set}${place}${kind}${scope}`;
};

const extensionsOf = (action: string, { group, kind, version }: KindName): object => ({
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': { group, kind, version },
});

/** A kind that has no schema is anything. */
const referenceTo = (kind: KindName): object =>
  hasDefinition(kind) ? { $ref: `${REFERENCE_PREFIX}${definitionOf(kind).name}` } : {};

const answersOf = (action: string, kind: KindName, schema: object): object => {
  const list = referenceTo(listKindOf(kind));
  const status = referenceTo(STATUS);
  switch (action) {
    case 'list':
      return { '200': streamedAnswer(Object.keys(list).length === 0 ? { type: 'object' } : list) };
    case 'post':
      return answers(schema, { '200': 'OK', '201': 'Created', '202': 'Accepted' });
    case 'put':
    case 'patch':
      return answers(schema, { '200': 'OK', '201': 'Created' });
    case 'delete':
      return answers(status, { '200': 'OK', '202': 'Accepted' });
    case 'deletecollection':
      return answers(status, { '200': 'OK' });
    default:
      return answers(schema, { '200': 'OK' });
  }
};

const answers = (schema: object, codes: Readonly<Record<string, string>>): object =>
  Object.fromEntries(
    Object.entries(codes).map(([code, description]) => [code, jsonAnswer(schema, description)]),
  );

const jsonAnswer = (schema: object, description = 'OK'): object => ({
  description,
  content: { 'application/json': { schema } },
});

const streamedAnswer = (schema: object): object => ({
  description: 'OK',
  content: { 'application/json': { schema }, 'application/json;stream=watch': { schema } },
});

const bodyOf = (action: string, kind: KindName, schema: object): object => {
  switch (action) {
    case 'patch':
      return {
        content: Object.fromEntries(
          patchTypesOf(kind).map((type) => [type, { schema: { type: 'object' } }]),
        ),
        required: true,
      };
    case 'delete':
    case 'deletecollection':
      return { content: { '*/*': { schema: referenceTo(DELETE_OPTIONS) } } };
    default:
      return { content: { '*/*': { schema } }, required: true };
  }
};

/** Merge keys are known of upstream's kinds alone. */
const patchTypesOf = ({ definition }: KindName): readonly string[] => [
  'application/json-patch+json',
  'application/merge-patch+json',
  ...(definition === undefined ? ['application/strategic-merge-patch+json'] : []),
  'application/apply-patch+yaml',
];

const pathItem = (operations: readonly Described[], parameters: readonly object[]): object => ({
  ...Object.fromEntries(operations.map(({ method, operation }) => [method, operation])),
  parameters: [...parameters, PRETTY_PARAMETER],
});

const titled = (text: string): string =>
  text
    .split(/[.-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');

const UNAUTHORIZED = { '401': { description: 'Unauthorized' } };
const NAMES: Readonly<Record<string, string | undefined>> = {
  get: 'read',
  put: 'replace',
  post: 'create',
  deletecollection: 'delete',
};
const PARAMETERS: Readonly<Record<string, readonly object[] | undefined>> = {
  list: LIST_PARAMETERS,
  post: WRITE_PARAMETERS,
  put: WRITE_PARAMETERS,
  patch: PATCH_PARAMETERS,
  delete: DELETE_PARAMETERS,
  deletecollection: [...LIST_PARAMETERS, ...DELETE_PARAMETERS],
};
