import { REFERENCE_PREFIX, resolveSchema, type Definition } from './definitions';
import type { Schema } from './schema';

/**
 * A schema made ready for decoding: one object per definition, references followed. Fields of a
 * struct are shaped on first use, since types reach themselves and most are never seen.
 */
export type Shape =
  | StructShape
  | { readonly kind: 'list'; readonly item: Shape; readonly goType: string }
  | { readonly kind: 'map'; readonly value: Shape; readonly goType: string }
  | { readonly kind: 'string'; readonly goType: string }
  /** A schema, or what may stand in its place. */
  | {
      readonly kind: 'schemaOr';
      readonly other: 'boolean' | 'array';
      readonly schema: () => Shape;
      readonly goType: string;
    }
  | { readonly kind: 'int32' | 'int64' | 'float64' | 'bool'; readonly goType: string }
  | {
      readonly kind: 'quantity' | 'intOrString' | 'time' | 'bytes' | 'any';
      readonly goType: string;
    };

export interface StructShape {
  readonly kind: 'struct';
  /** Go's name without the package: `Container`. */
  readonly name: string;
  readonly goType: string;
  readonly field: (name: string) => Shape | undefined;
  /** Is a zero of this field kept, or is it the same as none? */
  readonly keepsZero: (name: string) => boolean;
  /** Fields that are always written, and whether as null or as their zero. */
  readonly always: readonly (readonly [name: string, as: 'null' | 'zero'])[];
}

/** One shape a definition, for as long as its schema is there. */
export const shapeOfDefinition = ({ name, schema }: Definition): Shape => {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const shape = namedShape(name, schema);
  shapes.set(schema, shape);
  return shape;
};

const shapeOf = (schema: Schema): Shape => {
  const { name, schema: target } = resolveSchema(schema);
  return name === undefined ? inlineShape(target) : shapeOfDefinition({ name, schema: target });
};

const shapes = new WeakMap<Schema, Shape>();

const namedShape = (name: string, schema: Schema): Shape => {
  const goName = name.slice(name.lastIndexOf('.') + 1);
  switch (goName) {
    case 'Quantity':
      return { kind: 'quantity', goType: 'resource.Quantity' };
    case 'IntOrString':
      return { kind: 'intOrString', goType: 'intstr.IntOrString' };
    case 'Time':
    case 'MicroTime':
      return { kind: 'time', goType: `v1.${goName}` };
    case 'JSONSchemaPropsOrBool':
      return schemaOr('boolean', name);
    case 'JSONSchemaPropsOrArray':
      return schemaOr('array', name);
    default:
      return schema.properties === undefined
        ? { kind: 'any', goType: `v1.${goName}` }
        : structShape(goName, schema);
  }
};

/** Schemas are made of schemas: theirs is looked up when it is met. */
const schemaOr = (other: 'boolean' | 'array', name: string): Shape => ({
  kind: 'schemaOr',
  other,
  schema: () => shapeOf({ $ref: `${REFERENCE_PREFIX}${name.replace(/Or(?:Bool|Array)$/, '')}` }),
  goType: `v1.${name.slice(name.lastIndexOf('.') + 1)}`,
});

const structShape = (name: string, { properties = {} }: Schema): StructShape => {
  const fields = new Map<string, Shape>();
  const presenceOf = (field: string) => properties[field]?.['x-go-presence'];
  return {
    kind: 'struct',
    name,
    goType: `v1.${name}`,
    field: (field) => {
      const known = fields.get(field);
      if (known !== undefined || !Object.hasOwn(properties, field)) return known;
      const shape = shapeOf(properties[field] ?? {});
      fields.set(field, shape);
      return shape;
    },
    keepsZero: (field) => presenceOf(field) !== undefined,
    always: Object.keys(properties).flatMap((field) => {
      const presence = presenceOf(field);
      return presence === 'null' || presence === 'zero' ? [[field, presence] as const] : [];
    }),
  };
};

const inlineShape = (schema: Schema): Shape => {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return ANY;
  switch (schema.type) {
    case 'array': {
      const item = shapeOf(schema.items ?? {});
      return { kind: 'list', item, goType: `[]${item.goType}` };
    }
    case 'object': {
      if (schema.properties !== undefined) return structShape('object', schema);
      if (schema.additionalProperties === undefined) return ANY;
      const value = shapeOf(schema.additionalProperties);
      return { kind: 'map', value, goType: `map[string]${value.goType}` };
    }
    case 'string':
      if (schema.format === 'byte') return { kind: 'bytes', goType: '[]uint8' };
      return { kind: 'string', goType: goStringType(schema['x-go-type']) };
    case 'integer':
      return schema.format === 'int64'
        ? { kind: 'int64', goType: 'int64' }
        : { kind: 'int32', goType: 'int32' };
    case 'number':
      return { kind: 'float64', goType: 'float64' };
    case 'boolean':
      return { kind: 'bool', goType: 'bool' };
    default:
      return ANY;
  }
};

const ANY: Shape = { kind: 'any', goType: 'interface {}' };

const goStringType = (name: string | undefined): string => {
  if (name === undefined) return 'string';
  return name === 'UID' ? 'types.UID' : `v1.${name}`;
};
