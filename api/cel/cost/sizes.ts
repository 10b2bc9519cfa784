import { escapeFieldName } from '../escape';
import type { SchemaShape } from '../schema-type';

/*
 * How large values of a schema may be, by its bounds or else by what one request may hold. Source:
 * apiserver/pkg/cel/common/schemas.go and pkg/cel/limits.go.
 */

/** A schema's bounds, as JSON has them. */
export interface BoundedSchema extends SchemaShape {
  readonly properties?: Readonly<Record<string, BoundedSchema>>;
  readonly additionalProperties?: BoundedSchema | boolean;
  readonly items?: BoundedSchema;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly maxLength?: number | bigint;
  readonly maxItems?: number | bigint;
  readonly maxProperties?: number | bigint;
}

export interface ValueSize {
  /** Items, entries or bytes; 0 of what has none. */
  readonly max: number;
  /** Bytes of JSON that the smallest takes. */
  readonly leastBytes: number;
  /** Of a list or a map. */
  readonly item?: ValueSize;
  /** Of an object, by names as expressions have them. */
  readonly fields?: ReadonlyMap<string, ValueSize>;
}

/** Undefined where expressions see no value. */
export const sizesOf = (schema: BoundedSchema, isRoot = false): ValueSize | undefined => {
  const known = isRoot ? rootSizes : sizes;
  const found = known.get(schema);
  if (found !== undefined) return found;
  const size = sizeOf(schema, isRoot);
  if (size !== undefined) known.set(schema, size);
  return size;
};

const sizes = new WeakMap<BoundedSchema, ValueSize>();
const rootSizes = new WeakMap<BoundedSchema, ValueSize>();

/** How many values there may be in one request whose smallest takes so many bytes. */
export const mostOf = ({ leastBytes }: ValueSize): number =>
  Math.floor(REQUEST_BYTES_MAX / (leastBytes + 1));

const sizeOf = (schema: BoundedSchema, isRoot: boolean): ValueSize | undefined => {
  if (schema['x-kubernetes-int-or-string'] === true)
    return { max: stringMax(schema), leastBytes: 1 };
  const isResource = isRoot || schema['x-kubernetes-embedded-resource'] === true;
  switch (schema.type) {
    case 'array':
      return listSize(schema);
    case 'object':
      return isResource ? objectSize(schema, true) : (mapSize(schema) ?? objectSize(schema, false));
    case 'string':
      return textSize(schema);
    case 'boolean':
      return { max: 0, leastBytes: 4 };
    case 'number':
    case 'integer':
      return { max: 0, leastBytes: 1 };
    default:
      return isResource ? objectSize(schema, true) : undefined;
  }
};

const listSize = ({ items, maxItems }: BoundedSchema): ValueSize | undefined => {
  const item = items && sizesOf(items);
  if (item === undefined) return undefined;
  const most = Math.floor((REQUEST_BYTES_MAX - 2) / (item.leastBytes + 1));
  return { max: boundOf(maxItems) ?? most, leastBytes: 2, item };
};

const mapSize = ({ additionalProperties, maxProperties }: BoundedSchema): ValueSize | undefined => {
  if (typeof additionalProperties !== 'object') return undefined;
  const item = sizesOf(additionalProperties);
  if (item === undefined) return undefined;
  const most = Math.floor((REQUEST_BYTES_MAX - 2) / (item.leastBytes + 6));
  return { max: boundOf(maxProperties) ?? most, leastBytes: 2, item };
};

const objectSize = (schema: BoundedSchema, isResource: boolean): ValueSize => {
  const required = new Set(schema.required ?? []);
  const fields = new Map<string, ValueSize>();
  let leastBytes = 2;
  const properties = { ...schema.properties, ...(isResource ? METADATA : {}) };
  for (const [name, property] of Object.entries(properties)) {
    const size = sizesOf(property);
    if (size === undefined) continue;
    const escaped = escapeFieldName(name);
    if (escaped !== undefined) fields.set(escaped, size);
    // What has a default is filled in later.
    if (required.has(name) && property.default === undefined)
      leastBytes += name.length + size.leastBytes + 4;
  }
  return { max: 0, leastBytes, fields };
};

const textSize = (schema: BoundedSchema): ValueSize => {
  switch (schema.format) {
    case 'byte':
      return { max: boundOf(schema.maxLength) ?? REQUEST_BYTES_MAX - 2, leastBytes: 2 };
    case 'duration':
      return { max: 32, leastBytes: 3 };
    case 'date':
      return { max: 12, leastBytes: 12 };
    case 'date-time':
      return { max: 32, leastBytes: 21 };
    default:
      return { max: stringMax(schema), leastBytes: 2 };
  }
};

const stringMax = ({ maxLength, enum: values = [] }: BoundedSchema): number => {
  const bound = boundOf(maxLength);
  if (bound !== undefined) return bound * BYTES_A_CHARACTER;
  const texts = values.filter((value) => typeof value === 'string');
  return values.length === 0
    ? REQUEST_BYTES_MAX - 2
    : texts.reduce((max, text) => Math.max(max, Buffer.byteLength(text)), 0);
};

const boundOf = (bound: number | bigint | undefined): number | undefined =>
  bound === undefined ? undefined : Math.max(0, Number(bound));

const TEXT: BoundedSchema = { type: 'string' };
const METADATA: Readonly<Record<string, BoundedSchema>> = {
  ...{ apiVersion: TEXT, kind: TEXT },
  metadata: { type: 'object', properties: { name: TEXT, generateName: TEXT } },
};
const REQUEST_BYTES_MAX = 3 * 1024 * 1024;
const BYTES_A_CHARACTER = 4;
