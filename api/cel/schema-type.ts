import { escapeFieldName } from './escape';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  STRING,
  TIMESTAMP,
  type CelType,
  type ListType,
  type ObjectField,
} from './types';

/** What the type of a value follows from: a structural schema of OpenAPI v3, as JSON. */
export interface SchemaShape {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, SchemaShape>>;
  readonly additionalProperties?: SchemaShape | boolean;
  readonly items?: SchemaShape;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

/**
 * The type that an expression sees of values of the schema; undefined when they are not for
 * expressions, such as those of which nothing is known. At the root of a resource there are always
 * `apiVersion`, `kind`, `metadata.name` and `metadata.generateName`.
 */
export const schemaType = (
  schema: SchemaShape,
  { isRoot = false, name = 'selfType' }: { isRoot?: boolean; name?: string } = {},
): CelType | undefined => {
  if (schema['x-kubernetes-int-or-string'] === true) return DYN;
  const isResource = isRoot || schema['x-kubernetes-embedded-resource'] === true;
  switch (schema.type) {
    case 'array':
      return arrayType(schema, name);
    case 'object':
      return isResource ? fieldsType(withMetadata(schema), name) : membersType(schema, name);
    case 'string':
      return FORMATS[schema.format ?? ''] ?? STRING;
    case 'boolean':
      return BOOL;
    case 'number':
      return DOUBLE;
    case 'integer':
      return INT;
    default:
      return isResource ? fieldsType(withMetadata(schema), name) : undefined;
  }
};

const arrayType = (schema: SchemaShape, name: string): CelType | undefined => {
  const item = schema.items && schemaType(schema.items, { name: `${name}.@idx` });
  return item === undefined ? undefined : listOf(item, mergeOf(schema));
};

const mergeOf = (schema: SchemaShape): ListType['merge'] => {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return 'set';
    case 'map':
      return (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => escapeFieldName(key) ?? key);
    default:
      return undefined;
  }
};

const membersType = (schema: SchemaShape, name: string): CelType | undefined => {
  const { additionalProperties } = schema;
  if (typeof additionalProperties !== 'object') return fieldsType(schema, name);
  const value = schemaType(additionalProperties, { name: `${name}.@elem` });
  return value === undefined ? undefined : mapOf(STRING, value);
};

const fieldsType = ({ properties = {} }: SchemaShape, name: string): CelType => {
  const fields = new Map<string, ObjectField>();
  for (const [jsonName, schema] of Object.entries(properties)) {
    const escaped = escapeFieldName(jsonName);
    const type =
      escaped === undefined ? undefined : schemaType(schema, { name: `${name}.${escaped}` });
    if (escaped !== undefined && type !== undefined) fields.set(escaped, { type, jsonName });
  }
  return { kind: 'object', name, fields };
};

const withMetadata = (schema: SchemaShape): SchemaShape => ({
  ...schema,
  properties: {
    ...schema.properties,
    ...{ apiVersion: TEXT, kind: TEXT },
    metadata: { type: 'object', properties: { name: TEXT, generateName: TEXT } },
  },
});

const TEXT: SchemaShape = { type: 'string' };
const FORMATS: Readonly<Record<string, CelType | undefined>> = {
  ...{ byte: BYTES, duration: DURATION, date: TIMESTAMP, 'date-time': TIMESTAMP },
};
