import {
  allowsAdditional,
  additionalOf,
  isEmbedded,
  isJsonList,
  itemsOf,
  memberSchema,
  META_FIELDS,
  preservesUnknown,
  propertyOf,
  type Json,
  type JsonSchema,
} from './json-schema';
import { isJsonObject } from '../../lib/json';

/*
 * What a schema does not name is dropped, and nulls where there can be none. Values are not changed:
 * one that stays as it is comes back itself.
 */

/** An object of the kind without what its schema does not name; `onUnknown` hears of each such field. */
export const pruned = (
  object: Json,
  schema: JsonSchema,
  onUnknown: (path: string) => void = () => undefined,
): Json => new Pruner(onUnknown).object(object, schema, '', true);

class Pruner {
  constructor(private readonly onUnknown: (path: string) => void) {}

  object(value: Json, schema: JsonSchema, path: string, isRoot: boolean): Json {
    const keepsMeta = isRoot || isEmbedded(schema);
    const keepsAll = preservesUnknown(schema);
    return mapMembers(value, (name, member) => {
      if (keepsMeta && META_FIELDS.has(name)) return member;
      const at = path === '' ? name : `${path}.${name}`;
      const property = propertyOf(schema, name);
      if (property !== undefined) return this.value(member, property, at);
      if (allowsAdditional(schema)) {
        const additional = additionalOf(schema);
        // Any member will do, and it may hold nothing: as upstream has it of a schema that is `true`.
        return additional === undefined
          ? this.bare(member, at)
          : this.value(member, additional, at);
      }
      if (keepsAll) return member;
      this.onUnknown(at);
      return DROPPED;
    });
  }

  private value(value: unknown, schema: JsonSchema, path: string): unknown {
    if (isJsonObject(value)) return this.object(value, schema, path, false);
    if (!isJsonList(value)) return value;
    const items = itemsOf(schema);
    return mapItems(value, (item, index) => {
      const at = `${path}[${index}]`;
      if (items !== undefined) return this.value(item, items, at);
      return preservesUnknown(schema) ? item : this.bare(item, at);
    });
  }

  /** Nothing is known of the value: objects have no fields. */
  private bare(value: unknown, path: string): unknown {
    return this.value(value, NOTHING, path);
  }
}

/** Without nulls where a schema has neither room nor a default for them. */
export const withoutNulls = (value: unknown, schema: JsonSchema | undefined): unknown => {
  if (isJsonObject(value))
    return mapMembers(value, (name, member) => {
      const of = schema === undefined ? undefined : memberSchema(schema, name);
      const isRefused =
        member === null && of !== undefined && of.nullable !== true && of.default === undefined;
      return isRefused ? DROPPED : withoutNulls(member, of);
    });
  if (!isJsonList(value)) return value;
  const items = schema === undefined ? undefined : itemsOf(schema);
  return mapItems(value, (item) => withoutNulls(item, items));
};

/** The object with each member as `change` makes it: the same object when all are the same. */
export const mapMembers = (
  object: Json,
  change: (name: string, member: unknown) => unknown,
): Json => {
  let changed: [string, unknown][] | undefined;
  const entries = Object.entries(object);
  entries.forEach(([name, member], index) => {
    const next = change(name, member);
    if (next !== member) changed ??= entries.slice(0, index);
    if (changed !== undefined && next !== DROPPED) changed.push([name, next]);
  });
  // fromEntries makes own properties, even of `__proto__`.
  return changed === undefined ? object : Object.fromEntries(changed);
};

export const mapItems = (
  list: readonly unknown[],
  change: (item: unknown, index: number) => unknown,
): readonly unknown[] => {
  const next = list.map(change);
  return next.some((item, index) => item !== list[index]) ? next : list;
};

const DROPPED = Symbol('dropped');
const NOTHING: JsonSchema = {};
