import type { Definition } from '../schema/definitions';
import type { Schema } from '../schema/schema';
import { REFERENCE_PREFIX } from '../schema/definitions';
import { anywhere, isEmbedded, isJsonList, type JsonSchema } from '../structural/json-schema';

/*
 * Schemas of custom resources as clients read them, and as owners of fields are reckoned by: with what
 * every object has, whatever the definition says of it.
 */

interface Names {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** `com.example.stable.v1.CronTab` */
export const definitionNameOf = ({ group, version, kind }: Names): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

export const publishedDefinition = (names: Names, schema: JsonSchema): Definition => ({
  name: definitionNameOf(names),
  schema: {
    ...withMeta(embedded(schema), OBJECT_META),
    'x-kubernetes-group-version-kind': [names],
  },
  structural: schema,
});

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const OBJECT_META: Schema = {
  description: "Standard object's metadata.",
  allOf: [{ $ref: `${REFERENCE_PREFIX}${META}ObjectMeta` }],
};
const API_VERSION: Schema = {
  type: 'string',
  description: 'APIVersion defines the versioned schema of this representation of an object.',
};
const KIND: Schema = {
  type: 'string',
  description: 'Kind is a string value representing the REST resource this object represents.',
};

const withMeta = (schema: Schema, metadata: Schema): Schema => ({
  ...schema,
  properties: { ...schema.properties, apiVersion: API_VERSION, kind: KIND, metadata },
});

/** Objects inside objects are objects of the API too. What has none comes back itself. */
const embedded = (schema: JsonSchema): Schema => {
  if (!hasEmbedded(schema)) return schema as Schema;
  const { properties, items, additionalProperties } = schema;
  const within = {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, each]) => [name, embedded(each)]),
          ),
        }),
    ...(items === undefined || isJsonList(items) ? {} : { items: embedded(items) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: embedded(additionalProperties) }
      : {}),
  } as Schema;
  if (!isEmbedded(schema)) return within;
  const required = [...new Set([...(schema.required ?? []), 'kind', 'apiVersion'])];
  return { ...withMeta(within, OBJECT_META), required };
};

const hasEmbedded = anywhere(isEmbedded);
