import { stringifyJson, isJsonObject } from '../../lib/json';
import { cloneJson } from '../json-value';
import {
  additionalOf,
  anywhere,
  isJsonList,
  itemsOf,
  propertyOf,
  type Json,
  type JsonSchema,
} from '../structural/json-schema';
import { mapItems, mapMembers } from '../structural/prune';

/** Defaults make more of a value than any object may be. */
export class DefaultsTooLargeError extends Error {
  override readonly name = 'DefaultsTooLargeError';

  constructor() {
    super(`the defaults of the schema come to more than ${DEFAULTS_LENGTH_MAX} bytes`);
  }
}

/**
 * The value with the defaults of its schema, which fill in nulls too where there can be none. Defaults
 * inside defaults multiply: @throws DefaultsTooLargeError when they come to too much
 */
export const defaulted = <T>(value: T, schema: JsonSchema): T =>
  hasDefaults(schema) ? (new Filler().fill(value, schema) as T) : value;

class Filler {
  private left = DEFAULTS_LENGTH_MAX;

  fill(value: unknown, schema: JsonSchema): unknown {
    if (!hasDefaults(schema)) return value;
    if (isJsonObject(value)) return this.fillMembers(this.withMissing(value, schema), schema);
    const items = itemsOf(schema);
    if (!isJsonList(value) || items === undefined) return value;
    return mapItems(value, (item) => this.fill(this.instead(item, items), items));
  }

  private fillMembers(object: Json, schema: JsonSchema): Json {
    return mapMembers(object, (name, member) => {
      const property = propertyOf(schema, name);
      if (property !== undefined) return this.fill(member, property);
      const additional = additionalOf(schema);
      return additional === undefined
        ? member
        : this.fill(this.instead(member, additional), additional);
    });
  }

  private withMissing(object: Json, schema: JsonSchema): Json {
    const missing = defaultsOf(schema).filter(
      ({ name, property }) => !Object.hasOwn(object, name) || isRefusedNull(object[name], property),
    );
    if (missing.length === 0) return object;
    return Object.fromEntries([
      ...Object.entries(object),
      ...missing.map(({ name, property, length }) => [name, this.copy(property, length)] as const),
    ]);
  }

  private instead(value: unknown, schema: JsonSchema): unknown {
    return isRefusedNull(value, schema) && schema.default !== undefined
      ? this.copy(schema, lengthOf(schema))
      : value;
  }

  private copy(schema: JsonSchema, length: number): unknown {
    this.left -= length;
    if (this.left < 0) throw new DefaultsTooLargeError();
    return cloneJson(schema.default);
  }
}

interface Default {
  readonly name: string;
  readonly property: JsonSchema;
  /** What it adds to an object. */
  readonly length: number;
}

/** Found once for a schema: objects come by thousands. */
const defaultsOf = (schema: JsonSchema): readonly Default[] => {
  let found = known.get(schema);
  if (found === undefined) {
    found = Object.entries(schema.properties ?? {})
      .filter(([, property]) => property.default !== undefined)
      .map(([name, property]) => ({ name, property, length: name.length + lengthOf(property) }));
    known.set(schema, found);
  }
  return found;
};

/** Objects and lists take more than their text. */
const lengthOf = (schema: JsonSchema): number => {
  const text = stringifyJson(schema.default);
  return text.length + COMPOUND_LENGTH * (1 + (text.match(/[[{]/g)?.length ?? 0));
};

const COMPOUND_LENGTH = 16;

const known = new WeakMap<JsonSchema, readonly Default[]>();

const isRefusedNull = (value: unknown, { nullable }: JsonSchema): boolean =>
  value === null && nullable !== true;

/** Most schemas have none in most of their branches: those need not be walked. */
const hasDefaults = anywhere((schema) => schema.default !== undefined);

/** More than a request may hold. */
const DEFAULTS_LENGTH_MAX = 4 * 1024 * 1024;
