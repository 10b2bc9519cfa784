// Writes, from the description of Kubernetes' API in api/schema/upstream:
//   api/schema/generated/kubernetes.json   OpenAPI definitions of the kinds Dhow serves and of all
//                                          they reach, with what Go's declarations say beyond OpenAPI
//   api/protobuf/generated/messages.json   the protobuf message of each of them
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const { types } = JSON.parse(
  gunzipSync(readFileSync(resolve(here, '../api/schema/upstream/kubernetes.json.gz'))),
);

/** The kinds that are served, by package. Their lists come with them. */
const ROOTS = {
  'api.core.v1': [
    'Namespace',
    'Node',
    'Pod',
    'ConfigMap',
    'Secret',
    'ServiceAccount',
    'Event',
    'Binding',
    'LimitRange',
    'ResourceQuota',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'Service',
    'Endpoints',
    'ReplicationController',
    'PodTemplate',
  ],
  'api.apps.v1': ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ControllerRevision'],
  'api.certificates.v1': ['CertificateSigningRequest'],
  'api.coordination.v1': ['Lease'],
  'api.events.v1': ['Event'],
  'api.autoscaling.v1': ['Scale', 'HorizontalPodAutoscaler'],
  'api.policy.v1': ['Eviction', 'PodDisruptionBudget'],
  'api.authentication.v1': ['SelfSubjectReview', 'TokenRequest', 'TokenReview'],
  'api.authorization.v1': [
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
    'SubjectAccessReview',
    'LocalSubjectAccessReview',
  ],
  'api.rbac.v1': ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  'api.networking.v1': ['Ingress', 'IngressClass', 'NetworkPolicy', 'ServiceCIDR', 'IPAddress'],
  'api.autoscaling.v2': ['HorizontalPodAutoscaler'],
  'api.batch.v1': ['Job', 'CronJob'],
  'api.storage.v1': [
    'StorageClass',
    'CSIDriver',
    'CSINode',
    'CSIStorageCapacity',
    'VolumeAttachment',
  ],
  'api.scheduling.v1': ['PriorityClass'],
  'api.node.v1': ['RuntimeClass'],
  'api.discovery.v1': ['EndpointSlice'],
  'api.admissionregistration.v1': [
    'MutatingWebhookConfiguration',
    'ValidatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
    'MutatingAdmissionPolicy',
    'MutatingAdmissionPolicyBinding',
  ],
  'apimachinery.pkg.apis.meta.v1': [
    'APIGroup',
    'APIGroupList',
    'APIResourceList',
    'APIVersions',
    'DeleteOptions',
    'Status',
  ],
};
/** The group of a package's kinds, where it is not the package's own name. */
const GROUPS = {
  core: '',
  meta: '',
  certificates: 'certificates.k8s.io',
  coordination: 'coordination.k8s.io',
  events: 'events.k8s.io',
  authentication: 'authentication.k8s.io',
  authorization: 'authorization.k8s.io',
  rbac: 'rbac.authorization.k8s.io',
  scheduling: 'scheduling.k8s.io',
  networking: 'networking.k8s.io',
  node: 'node.k8s.io',
  discovery: 'discovery.k8s.io',
  storage: 'storage.k8s.io',
  admissionregistration: 'admissionregistration.k8s.io',
};
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const SPECIAL = {
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  time: `${META}Time`,
  microTime: `${META}MicroTime`,
  fields: `${META}FieldsV1`,
};
const SPECIAL_DEFINITIONS = {
  [SPECIAL.quantity]: {
    description: 'A fixed-point number with a suffix, such as 100m, 1.5Gi or 64e6.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  [SPECIAL.intOrString]: {
    description: 'An integer or a string.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [SPECIAL.time]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in the form of RFC 3339.',
  },
  [SPECIAL.microTime]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in the form of RFC 3339 with microseconds.',
  },
  [SPECIAL.fields]: {
    type: 'object',
    description: 'A set of fields in JSON form.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
};
const ANY = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const SCALARS = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  bytes: { type: 'string', format: 'byte' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  any: ANY,
};
const ZEROS = { string: '', bool: false, int32: 0, int64: 0 };

const rootNames = Object.entries(ROOTS).flatMap(([path, names]) =>
  names
    .flatMap((name) => [name, `${name}List`])
    .map((name) => `io.k8s.${path}.${name}`)
    .filter((name) => name in types),
);

// ---- OpenAPI

const refTo = (name) => ({ $ref: `#/components/schemas/${name}` });

const schemaOf = (type) => {
  if (type.list !== undefined) return { type: 'array', items: itemOf(type.list) };
  if (type.map !== undefined) return { type: 'object', additionalProperties: itemOf(type.map) };
  if (type.ref !== undefined) return refTo(type.ref);
  if (type.scalar in SPECIAL) return refTo(SPECIAL[type.scalar]);
  const schema = SCALARS[type.scalar];
  if (schema === undefined) throw new Error(`no schema for ${JSON.stringify(type)}`);
  return schema;
};

/** Items have the zero of their type for a default, as upstream's. */
const itemOf = (type) => {
  const schema = schemaOf(type);
  return type.scalar in ZEROS ? { ...schema, default: ZEROS[type.scalar] } : schema;
};

/** Some types are called an enumeration, and have their values elsewhere. */
const hasValues = (type) => Object.keys(type.enum ?? {}).length > 0;

const enumSuffix = (type) =>
  !hasValues(type)
    ? ''
    : `\n\nPossible enum values:\n${Object.entries(type.enum)
        .map(([value, text]) => ` - \`"${value}"\`${text === '' ? '' : ` ${text}`}`)
        .join('\n')}`;

/**
 * How a field looks in JSON when it is empty. `pointer`: absent, but a zero that is given stays.
 * `null` and `zero`: written as that. Otherwise absent and zero are the same, and absent.
 */
const presenceOf = (field) => {
  if (field.pointer === true) return field.omitEmpty === true ? 'pointer' : 'null';
  if (field.omitZero === true) return undefined;
  // Go's omitempty does not omit structs; some of them write themselves as null.
  if (NULL_STRUCTS.includes(field.scalar)) return 'null';
  if (field.ref !== undefined || field.scalar in SPECIAL) return 'zero';
  if (field.omitEmpty === true) return undefined;
  return field.scalar in ZEROS ? 'zero' : 'null';
};

const NULL_STRUCTS = ['time', 'microTime', 'fields', 'any'];

const isRequired = (field) => field.omitEmpty !== true && field.optional !== true;

const defaultOf = (field) => {
  if (field.default !== undefined && field.default !== null) return { default: field.default };
  if (field.pointer === true) return {};
  if (field.ref !== undefined) return { default: {} };
  return isRequired(field) && field.scalar in ZEROS ? { default: ZEROS[field.scalar] } : {};
};

const property = (field) => {
  const schema = schemaOf(field);
  const description = `${field.doc ?? ''}${enumSuffix(field)}`.trim();
  const presence = presenceOf(field);
  return {
    ...(description === '' ? {} : { description }),
    ...('$ref' in schema ? { allOf: [schema] } : schema),
    ...(hasValues(field) ? { enum: Object.keys(field.enum) } : {}),
    ...defaultOf(field),
    ...extensionsOf(field),
    ...(field.go === undefined ? {} : { 'x-go-type': field.go }),
    ...(presence === undefined ? {} : { 'x-go-presence': presence }),
  };
};

const extensionsOf = (field) => ({
  ...(field.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.mergeKey }),
  ...(field.patchStrategy === undefined
    ? {}
    : { 'x-kubernetes-patch-strategy': field.patchStrategy }),
  ...(field.listType === undefined ? {} : { 'x-kubernetes-list-type': field.listType }),
  ...(field.listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': field.listMapKeys }),
  ...(field.mapType === undefined ? {} : { 'x-kubernetes-map-type': field.mapType }),
});

/** The fields of a type in JSON: those of inlined types are its own. */
const fieldsIn = (name) =>
  types[name].fields.flatMap((field) => (field.inline === true ? fieldsIn(field.ref) : [field]));

const definitionOf = (name) => {
  const fields = fieldsIn(name);
  const required = fields.filter(isRequired).map((field) => field.name);
  return {
    description: types[name].doc,
    type: 'object',
    properties: sorted(Object.fromEntries(fields.map((field) => [field.name, property(field)]))),
    ...(required.length > 0 ? { required: required.sort() } : {}),
    ...(types[name].atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...groupVersionKind(name),
  };
};

const groupVersionKind = (name) => {
  if (!rootNames.includes(name)) return {};
  const [kind, version, group] = name.split('.').reverse();
  return { 'x-kubernetes-group-version-kind': [{ group: GROUPS[group] ?? group, kind, version }] };
};

const sorted = (object) =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

// ---- Protobuf

/** `string`, `io.k8s.api.core.v1.Container[]`, `map:quantity`: see api/protobuf/messages.ts. */
const wireTypeOf = (type) => {
  if (type.isMessage === true) return `items:${wireTypeOf(type.list)}`;
  if (type.list !== undefined) return `${wireTypeOf(type.list)}[]`;
  if (type.map !== undefined) return `map:${wireTypeOf(type.map)}`;
  if (type.ref !== undefined) return type.ref;
  if (type.scalar === 'int32' || type.scalar === 'int64') return 'int';
  if (type.scalar === 'any' || type.scalar === 'fields') return 'json';
  if (!['string', 'bool', 'bytes'].includes(type.scalar) && !(type.scalar in SPECIAL))
    throw new Error(`no wire type for ${JSON.stringify(type)}`);
  return type.scalar;
};

/** An inlined type is a message of its own on the wire: its entry has no name. */
const messageOf = (name) =>
  Object.fromEntries(
    types[name].fields
      .filter(({ number }) => number !== undefined)
      .map((field) => [field.number, [field.name ?? '', wireTypeOf(field)]]),
  );

// ---- What is reached, and the files

const referencesOf = (type) =>
  [
    type.ref,
    ...(type.list ? referencesOf(type.list) : []),
    ...(type.map ? referencesOf(type.map) : []),
  ].filter((name) => name !== undefined);

const reached = (roots) => {
  const seen = new Set();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    pending.push(...types[name].fields.flatMap(referencesOf));
  }
  return [...seen].sort();
};

// One entry a line: a change shows as the lines it touches.
const write = (path, entries) => {
  const lines = Object.entries(sorted(entries)).map(
    ([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`,
  );
  const file = resolve(here, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
};

const names = reached(rootNames);
write('../api/schema/generated/kubernetes.json', {
  ...SPECIAL_DEFINITIONS,
  ...Object.fromEntries(names.map((name) => [name, definitionOf(name)])),
});
write(
  '../api/protobuf/generated/messages.json',
  Object.fromEntries(names.map((name) => [name, messageOf(name)])),
);
