import type { JsonSchema } from '../structural/json-schema';
import { CRD_DEFINITIONS } from './crd-definitions';
import type { Schema, Definitions } from './schema';
import { DHOW_DEFINITIONS } from './dhow-definitions';
import { POD_GROUP_DEFINITIONS } from './pod-group-definitions';

/** A schema, and what OpenAPI calls it: `io.k8s.api.core.v1.Pod`. */
export interface Definition {
  readonly name: string;
  readonly schema: Schema;
  /** Of a kind that users define: its objects are kept as they come, less what this does not name. */
  readonly structural?: JsonSchema;
}

/** Names a kind, as its definition is found. */
export interface KindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** What a kind has that is not always there: it brings its own. */
  readonly definition?: Definition;
}

/** Every definition, by OpenAPI name (`io.k8s.api.core.v1.Pod`). Read on first use: it is large. */
export const definitions = (): Definitions => {
  cached ??= {
    ...loadGenerated(),
    ...CRD_DEFINITIONS,
    ...DHOW_DEFINITIONS,
    ...POD_GROUP_DEFINITIONS,
  };
  return cached;
};

/** The definition's name and schema. Throws on a kind that has none: that is a mistake of ours. */
export const definitionOf = (kind: KindName): Definition => {
  const found = find(kind);
  if (found === undefined) throw new Error(`no schema for ${kindKey(kind)}`);
  return found;
};

export const hasDefinition = (kind: KindName): boolean => find(kind) !== undefined;

/** The definition that a schema stands for, with its name; inline schemas have none. */
export const resolveSchema = (
  schema: Schema,
): { readonly name?: string; readonly schema: Schema } => {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (reference === undefined) return { schema };
  return definitionNamed(reference.slice(REFERENCE_PREFIX.length));
};

export const definitionNamed = (name: string): Definition => {
  const schema = definitions()[name];
  if (schema === undefined) throw new Error(`no schema ${name}`);
  return { name, schema };
};

export const REFERENCE_PREFIX = '#/components/schemas/';

let cached: Definitions | undefined;
let byKind: Map<string, Definition> | undefined;

const find = (kind: KindName): Definition | undefined =>
  kind.definition ?? (byKind ??= indexByKind()).get(kindKey(kind));

const kindKey = ({ group, version, kind }: KindName): string => `${group}/${version}/${kind}`;

const indexByKind = () => {
  const index = new Map<string, Definition>();
  for (const [name, schema] of Object.entries(definitions())) {
    for (const kind of schema['x-kubernetes-group-version-kind'] ?? []) {
      index.set(kindKey(kind), { name, schema });
    }
  }
  return index;
};

const loadGenerated = (): Definitions =>
  // `require` and not `import`: commands that need no schema must not read it, and bundles keep it lazy.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  require('./generated/kubernetes.json') as Definitions;
