// Writes api/schema/upstream/kubernetes.json.gz, the one description of Kubernetes' API that all
// else is generated from, out of the Go sources of Kubernetes' API types, and objects.json.gz, an
// object of each kind with every field set, as JSON and as protobuf, that upstream tests itself by:
//   node scripts/kubernetes/import.mjs /usr/share/gocode/src 1.36.4
// Debian packages golang-k8s-api-dev and golang-k8s-apimachinery-dev hold them. Needed only to move
// to another version of Kubernetes; `npm run generate` starts from the description.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parseGoTypes } from './go-types.mjs';

const [, , root, version] = process.argv;
if (version === undefined) throw new Error('usage: import.mjs GO_SOURCES VERSION');

const FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../api/schema/upstream');
const META = 'k8s.io/apimachinery/pkg/apis/meta/v1';
const PACKAGES = [
  META,
  ...[
    'admissionregistration/v1',
    'apps/v1',
    'authentication/v1',
    'authorization/v1',
    'autoscaling/v1',
    'autoscaling/v2',
    'batch/v1',
    'certificates/v1',
    'coordination/v1',
    'core/v1',
    'discovery/v1',
    'events/v1',
    'networking/v1',
    'node/v1',
    'policy/v1',
    'rbac/v1',
    'scheduling/v1',
    'storage/v1',
  ].map((path) => `k8s.io/api/${path}`),
];
/** Types with a form of their own in JSON. */
const SPECIAL = new Map([
  ['k8s.io/apimachinery/pkg/api/resource.Quantity', 'quantity'],
  ['k8s.io/apimachinery/pkg/util/intstr.IntOrString', 'intOrString'],
  ['k8s.io/apimachinery/pkg/types.UID', 'string'],
  ['k8s.io/apimachinery/pkg/runtime.RawExtension', 'any'],
  [`${META}.Time`, 'time'],
  [`${META}.MicroTime`, 'microTime'],
  [`${META}.FieldsV1`, 'fields'],
  [`${META}.Duration`, 'duration'],
]);
const SCALARS = new Set(['string', 'bool', 'int32', 'int64', 'float64', 'uint8', 'byte']);

const parsed = new Map(
  PACKAGES.map((path) => [path, parseGoTypes(readFileSync(join(root, path, 'types.go'), 'utf8'))]),
);

/** `io.k8s.api.core.v1.Pod`, as OpenAPI names a type. */
const fullName = (path, name) =>
  `${path.replace('k8s.io/', 'io.k8s.').replaceAll('/', '.')}.${name}`;

/** A Go type as `{ list }`, `{ map }`, `{ ref }` or `{ scalar, go }`. */
const typeOf = (path, text) => {
  if (text === '[]byte') return { scalar: 'bytes' };
  if (text.startsWith('[]')) return { list: typeOf(path, text.slice(2)) };
  const [, value] = /^map\[[\w.]+\](.*)$/.exec(text) ?? [];
  if (value !== undefined) return { map: typeOf(path, value) };
  if (text === 'interface{}' || text === 'any') return { scalar: 'any' };
  if (SCALARS.has(text)) return { scalar: text };
  const [pkg, name] = text.includes('.')
    ? [parsed.get(path).imports.get(text.split('.')[0]), text.split('.')[1]]
    : [path, text];
  const special = SPECIAL.get(`${pkg}.${name}`);
  if (special !== undefined)
    return special === 'string' ? { scalar: 'string', go: name } : { scalar: special };
  const module = parsed.get(pkg);
  if (module?.structs.has(name)) return { ref: fullName(pkg, name) };
  const alias = module?.aliases.get(name);
  if (alias === undefined) throw new Error(`${path}: unknown type ${text}`);
  const target = typeOf(pkg, alias.type);
  // On the wire a named list is a message with the items in field 1.
  if (target.list !== undefined) return { ...target, isMessage: true };
  return { ...target, go: name, ...enumOf(module, name, alias) };
};

const enumOf = (module, name, { markers }) => {
  if (markers.enum === undefined) return {};
  const values = module.constants.filter(({ type }) => type === name);
  return {
    enum: Object.fromEntries(
      values
        .map(({ name: own, value, doc }) => [
          value,
          doc.startsWith(`${own} `) ? doc.slice(own.length + 1) : doc,
        ])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  };
};

const fieldOf = (path, { name, type, tags, doc, markers }) => {
  const [jsonName, ...options] = (tags.json ?? '').split(',');
  const isPointer = type.startsWith('*');
  const number = Number(/^\w+,(\d+)/.exec(tags.protobuf ?? '')?.[1] ?? 0);
  const isInline = jsonName === '';
  return {
    ...(isInline ? { inline: true } : { name: jsonName }),
    ...typeOf(path, type.replace(/^\*/, '')),
    ...(doc === '' ? {} : { doc }),
    ...(number === 0 ? {} : { number }),
    ...(isPointer ? { pointer: true } : {}),
    ...(options.includes('omitempty') ? { omitEmpty: true } : {}),
    ...(options.includes('omitzero') ? { omitZero: true } : {}),
    ...('optional' in markers ? { optional: true } : {}),
    ...listFacts(markers, tags),
    ...(markers.default === undefined
      ? {}
      : { default: JSON.parse(markers.default[0].replace(/^ref\(.*$/, 'null')) }),
    ...(markers.featureGate === undefined ? {} : { featureGate: markers.featureGate }),
  };
};

const listFacts = (markers, tags) => ({
  ...(markers.listType === undefined ? {} : { listType: markers.listType[0] }),
  ...(markers.listMapKey === undefined ? {} : { listMapKeys: markers.listMapKey }),
  ...(tags.patchMergeKey === undefined ? {} : { mergeKey: tags.patchMergeKey }),
  ...(tags.patchStrategy === undefined ? {} : { patchStrategy: tags.patchStrategy }),
  ...((markers.mapType ?? markers.structType)
    ? { mapType: (markers.mapType ?? markers.structType)[0] }
    : {}),
});

const save = (name, value) =>
  writeFileSync(join(FOLDER, `${name}.json.gz`), gzipSync(JSON.stringify(value), { level: 9 }));

const types = {};
for (const [path, { structs }] of parsed) {
  for (const [name, { doc, markers, fields }] of structs) {
    if (SPECIAL.has(`${path}.${name}`)) continue;
    types[fullName(path, name)] = {
      doc,
      ...((markers.structType ?? markers.mapType)?.[0] === 'atomic' ? { atomic: true } : {}),
      fields: fields
        .filter(({ tags }) => tags.json !== '-' && tags.json !== undefined)
        .map((field) => fieldOf(path, field)),
    };
  }
}
const description = { version, license: 'Apache-2.0', copyright: 'The Kubernetes Authors', types };
save('kubernetes', description);
console.log(`${Object.keys(types).length} types`);

// ---- Objects, of this version and of the oldest whose clients are met

const TEST_DATA = join(root, 'k8s.io/api/testdata');
const FULL_KINDS =
  /^(core|apps|coordination|events|autoscaling|policy|auth\w+|rbac\S*|scheduling)(\.\S*)?\.v1\.(\w+)\.pb$/;
const OLDEST = 'v1.34.0';

const objectsIn = (folder, label) =>
  readdirSync(join(TEST_DATA, folder))
    .filter((file) => FULL_KINDS.test(file))
    .map((file) => {
      const name = file.slice(0, -'.pb'.length);
      return {
        title: `${name} of ${label}`,
        json: JSON.parse(readFileSync(join(TEST_DATA, folder, `${name}.json`), 'utf8')),
        protobuf: readFileSync(join(TEST_DATA, folder, file)).toString('base64'),
      };
    });
save('objects', [...objectsIn('HEAD', `v${version}`), ...objectsIn(OLDEST, OLDEST)]);
