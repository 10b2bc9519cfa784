import { cloneJson } from '../json-value';
import {
  additionalOf,
  anywhere,
  isJsonList,
  isJsonObject,
  itemsOf,
  propertyOf,
  type Json,
  type JsonSchema,
} from './json-schema';
import { mapItems, mapMembers } from './prune';

/** The value with the defaults of its schema, which fill in nulls too where there can be none. */
export const defaulted = <T>(value: T, schema: JsonSchema): T =>
  hasDefaults(schema) ? (fill(value, schema) as T) : value;

const fill = (value: unknown, schema: JsonSchema): unknown => {
  if (!hasDefaults(schema)) return value;
  if (isJsonObject(value)) return fillMembers(withMissing(value, schema), schema);
  const items = itemsOf(schema);
  if (!isJsonList(value) || items === undefined) return value;
  return mapItems(value, (item) => fill(instead(item, items), items));
};

const fillMembers = (object: Json, schema: JsonSchema): Json =>
  mapMembers(object, (name, member) => {
    const property = propertyOf(schema, name);
    if (property !== undefined) return fill(member, property);
    const additional = additionalOf(schema);
    return additional === undefined ? member : fill(instead(member, additional), additional);
  });

const withMissing = (object: Json, { properties = {} }: JsonSchema): Json => {
  const missing = Object.entries(properties).filter(
    ([name, property]) =>
      property.default !== undefined &&
      (!Object.hasOwn(object, name) || isRefusedNull(object[name], property)),
  );
  if (missing.length === 0) return object;
  return Object.fromEntries([
    ...Object.entries(object),
    ...missing.map(([name, property]) => [name, cloneJson(property.default)] as const),
  ]);
};

const instead = (value: unknown, schema: JsonSchema): unknown =>
  isRefusedNull(value, schema) && schema.default !== undefined ? cloneJson(schema.default) : value;

const isRefusedNull = (value: unknown, { nullable }: JsonSchema): boolean =>
  value === null && nullable !== true;

/** Most schemas have none in most of their branches: those need not be walked. */
const hasDefaults = anywhere((schema) => schema.default !== undefined);
