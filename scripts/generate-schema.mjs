// Writes api/schema/generated/kubernetes.json: OpenAPI definitions of the kinds Dhow serves and of
// all they reach, read from the declarations of `kubernetes-types` and completed by our tables.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  additions,
  atomicMaps,
  atomicTypes,
  byteFields,
  enums,
  int64Fields,
  listRules,
  stringTypes,
} from './schema-tables.mjs';

const require = createRequire(import.meta.url);
const ts = require('typescript');
const root = dirname(require.resolve('kubernetes-types/package.json'));
const output = resolve(
  dirname(fileURLToPath(import.meta.url)),
  '../api/schema/generated/kubernetes.json',
);

const ROOTS = {
  'core/v1': [
    'Namespace',
    'Node',
    'Pod',
    'ConfigMap',
    'Secret',
    'ServiceAccount',
    'Event',
    'Binding',
  ],
  'apps/v1': ['Deployment', 'ReplicaSet'],
  'coordination/v1': ['Lease'],
  'events/v1': ['Event'],
  'autoscaling/v1': ['Scale'],
  'policy/v1': ['Eviction'],
  'authentication/v1': ['SelfSubjectReview', 'TokenRequest', 'TokenReview'],
  'authorization/v1': [
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
    'SubjectAccessReview',
    'LocalSubjectAccessReview',
  ],
  'rbac/v1': ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  'scheduling/v1': ['PriorityClass'],
  'meta/v1': ['DeleteOptions', 'Status'],
};
/** Path below the package to the OpenAPI prefix and the group of its kinds. */
const GROUPS = {
  core: ['io.k8s.api.core', ''],
  apps: ['io.k8s.api.apps', 'apps'],
  coordination: ['io.k8s.api.coordination', 'coordination.k8s.io'],
  events: ['io.k8s.api.events', 'events.k8s.io'],
  autoscaling: ['io.k8s.api.autoscaling', 'autoscaling'],
  policy: ['io.k8s.api.policy', 'policy'],
  authentication: ['io.k8s.api.authentication', 'authentication.k8s.io'],
  authorization: ['io.k8s.api.authorization', 'authorization.k8s.io'],
  rbac: ['io.k8s.api.rbac', 'rbac.authorization.k8s.io'],
  scheduling: ['io.k8s.api.scheduling', 'scheduling.k8s.io'],
  meta: ['io.k8s.apimachinery.pkg.apis.meta', ''],
};
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

const definitions = {
  [QUANTITY]: {
    description: 'A fixed-point number with a suffix, such as 100m, 1.5Gi or 64e6.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  [INT_OR_STRING]: {
    description: 'An integer or a string.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [`${META}Time`]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in the form of RFC 3339.',
  },
  [`${META}MicroTime`]: {
    type: 'string',
    format: 'date-time',
    description: 'A time in the form of RFC 3339 with microseconds.',
  },
  [`${META}FieldsV1`]: {
    type: 'object',
    description: 'A set of fields in JSON form.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': {
    type: 'object',
    description: 'Any object.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
};

const modules = new Map();

/** One parsed declaration file: its interfaces, and where each imported name comes from. */
const load = (path) => {
  const known = modules.get(path);
  if (known !== undefined) return known;
  const file = join(root, `${path}.d.ts`);
  const source = ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const module = { path, interfaces: new Map(), imports: new Map() };
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement)) module.interfaces.set(statement.name.text, statement);
    if (!ts.isImportDeclaration(statement)) continue;
    const from = join(dirname(path), statement.moduleSpecifier.text);
    for (const element of statement.importClause?.namedBindings?.elements ?? []) {
      module.imports.set(element.name.text, from);
    }
  }
  modules.set(path, module);
  return module;
};

const nameOf = (path, name) => {
  if (name === 'Quantity') return QUANTITY;
  if (path === 'runtime') return `io.k8s.apimachinery.pkg.runtime.${name}`;
  const [group, version] = path.split('/');
  return `${GROUPS[group][0]}.${version}.${name}`;
};

const docOf = (node) => {
  const comment = node.jsDoc?.at(-1)?.comment;
  return typeof comment === 'string' ? comment : (ts.getTextOfJSDocComment(comment) ?? '');
};

const refTo = (module, name) => {
  const path = module.interfaces.has(name)
    ? module.path
    : (module.imports.get(name) ?? module.path);
  const full = nameOf(path, name);
  if (!(full in definitions)) define(path, name);
  return { $ref: `#/components/schemas/${full}` };
};

const scalar = (owner, field, kind) => {
  if (kind === ts.SyntaxKind.StringKeyword) {
    return byteFields.has(`${owner}.${field}`)
      ? { type: 'string', format: 'byte' }
      : { type: 'string', default: '' };
  }
  if (kind === ts.SyntaxKind.BooleanKeyword) return { type: 'boolean', default: false };
  const isLong = int64Fields.has(field) || int64Fields.has(`${owner}.${field}`);
  return { type: 'integer', format: isLong ? 'int64' : 'int32', default: 0 };
};

const schemaOf = (module, owner, field, type) => {
  if (ts.isUnionTypeNode(type)) return { $ref: `#/components/schemas/${INT_OR_STRING}` };
  // A literal type: the `kind` and `apiVersion` of an object.
  if (ts.isLiteralTypeNode(type)) return { type: 'string' };
  if (ts.isArrayTypeNode(type))
    return { type: 'array', items: schemaOf(module, owner, field, type.elementType) };
  if (ts.isTypeLiteralNode(type)) {
    const [index] = type.members;
    if (index === undefined)
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    return { type: 'object', additionalProperties: schemaOf(module, owner, field, index.type) };
  }
  if (!ts.isTypeReferenceNode(type)) return scalar(owner, field, type.kind);
  const name = type.typeName.getText();
  if (name === 'Array')
    return { type: 'array', items: schemaOf(module, owner, field, type.typeArguments[0]) };
  return refTo(module, name);
};

/** A referenced field carries its own description beside the reference, so it is wrapped. */
const property = (schema, description, isRequired) => {
  if ('$ref' in schema) return { ...(description === '' ? {} : { description }), allOf: [schema] };
  const { default: fallback, ...rest } = schema;
  return {
    ...(description === '' ? {} : { description }),
    ...rest,
    ...(isRequired && fallback !== undefined ? { default: fallback } : {}),
  };
};

const withEnum = (key, schema) => {
  const entry = enums[key];
  const goType = entry?.[0] ?? stringTypes[key];
  if (entry === undefined)
    return goType === undefined ? schema : { ...schema, 'x-go-type': goType };
  const [, values, fallback] = entry;
  const lines = Object.entries(values).map(([value, text]) =>
    text === '' ? ` - \`"${value}"\`` : ` - \`"${value}"\` ${text}`,
  );
  return {
    ...schema,
    description: `${schema.description ?? ''}\n\nPossible enum values:\n${lines.join('\n')}`,
    enum: Object.keys(values),
    ...(fallback === undefined ? {} : { default: fallback }),
    'x-go-type': goType,
  };
};

const addedSchema = (module, { ref, map, list, any, description, ...schema }) => {
  if (ref !== undefined) return { description, allOf: [refTo(module, ref)] };
  if (map !== undefined)
    return { description, type: 'object', additionalProperties: refTo(module, map) };
  if (list === 'any')
    return {
      description,
      type: 'array',
      items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    };
  if (list !== undefined) return { description, type: 'array', items: { type: list, default: '' } };
  if (any === true)
    return { description, type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return { description, ...schema };
};

const sorted = (object) =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

const define = (path, name) => {
  const module = load(path);
  const declaration = module.interfaces.get(name);
  if (declaration === undefined) throw new Error(`${path}: no interface ${name}`);
  const definition = { description: docOf(declaration), type: 'object' };
  // Set before its fields are read: types may reach themselves.
  definitions[nameOf(path, name)] = definition;
  const properties = {};
  const required = [];
  for (const member of declaration.members) {
    if (!ts.isPropertySignature(member)) continue;
    const field = member.name.text;
    const isTypeMeta = field === 'apiVersion' || field === 'kind';
    const isRequired =
      member.questionToken === undefined && !(isTypeMeta && ts.isLiteralTypeNode(member.type));
    const schema = schemaOf(module, name, field, member.type);
    const key = `${name}.${field}`;
    properties[field] = {
      ...withEnum(key, property(schema, docOf(member), isRequired)),
      ...(listRules[key] ?? {}),
      ...(atomicMaps.has(key) ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    };
    if (isRequired) required.push(field);
  }
  for (const [field, added] of Object.entries(additions[name] ?? {})) {
    properties[field] ??= {
      ...withEnum(`${name}.${field}`, addedSchema(module, added)),
      ...(listRules[`${name}.${field}`] ?? {}),
    };
  }
  definition.properties = sorted(properties);
  if (required.length > 0) definition.required = required.sort();
  if (atomicTypes.has(name)) definition['x-kubernetes-map-type'] = 'atomic';
  const [group, version] = path.split('/');
  if (
    'kind' in properties &&
    'apiVersion' in properties &&
    (ROOTS[path] ?? []).includes(name.replace(/List$/, ''))
  ) {
    definition['x-kubernetes-group-version-kind'] = [
      { group: GROUPS[group][1], kind: name, version },
    ];
  }
};

for (const [path, names] of Object.entries(ROOTS)) {
  const { interfaces } = load(path);
  for (const name of names) {
    for (const each of [name, `${name}List`]) {
      if (interfaces.has(each) && !(nameOf(path, each) in definitions)) define(path, each);
    }
  }
}

// One definition a line: a change shows as the lines it touches.
const lines = Object.entries(sorted(definitions)).map(
  ([name, definition]) => `${JSON.stringify(name)}:${JSON.stringify(definition)}`,
);
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, `{\n${lines.join(',\n')}\n}\n`);
