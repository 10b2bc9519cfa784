import { CelList, CelMap, CelObject, CelOptional, type CelValue } from './values';
import { CelRuntimeError } from './errors';
import { parseDuration, parseTimestamp } from './time';
import { DYN, type CelType, type ListType, type ObjectType } from './types';
import { isJsonObject } from '../../lib/json';

/**
 * A value of JSON as an expression sees it: what is declared decides, and what is `dyn` is taken for
 * what it looks like. Nothing is copied: lists and objects are read as the expression goes along.
 * @throws CelRuntimeError when the value is not what was declared
 */
export const fromJson = (json: unknown, type: CelType): CelValue => {
  if (json === null || json === undefined)
    return type.kind === 'optional' ? CelOptional.NONE : null;
  switch (type.kind) {
    case 'optional':
      return new CelOptional(fromJson(json, type.of));
    case 'list':
      return Array.isArray(json) ? new JsonList(json, type) : mismatch(json, type);
    case 'map':
      return isJsonObject(json) ? new JsonMap(json, type.of) : mismatch(json, type);
    case 'object':
      return isJsonObject(json) ? new JsonObject(json, type) : mismatch(json, type);
    case 'dyn':
      return dynamic(json);
    default:
      return scalar(json, type);
  }
};

type JsonMembers = Readonly<Record<string, unknown>>;

class JsonList extends CelList {
  constructor(
    private readonly items: readonly unknown[],
    private readonly type: ListType,
  ) {
    super(type.merge);
  }

  get size(): number {
    return this.items.length;
  }

  at(index: number): CelValue {
    return fromJson(this.items[index], this.type.of);
  }
}

class JsonMap extends CelMap {
  private names: readonly string[] | undefined;

  constructor(
    private readonly members: JsonMembers,
    private readonly valueType: CelType,
  ) {
    super();
  }

  get size(): number {
    return this.keys().length;
  }

  get(key: CelValue): CelValue | undefined {
    return typeof key === 'string' && isThere(this.members, key)
      ? fromJson(this.members[key], this.valueType)
      : undefined;
  }

  keys(): readonly string[] {
    this.names ??= Object.keys(this.members).filter((key) => this.members[key] !== undefined);
    return this.names;
  }
}

class JsonObject extends CelObject {
  constructor(
    private readonly members: JsonMembers,
    readonly type: ObjectType,
  ) {
    super();
  }

  field(name: string): CelValue | undefined {
    const declared = this.type.fields.get(name);
    return declared !== undefined && isThere(this.members, declared.jsonName)
      ? fromJson(this.members[declared.jsonName], declared.type)
      : undefined;
  }

  *fieldNames(): Generator<string> {
    for (const [name, { jsonName }] of this.type.fields)
      if (isThere(this.members, jsonName)) yield name;
  }
}

const dynamic = (json: unknown): CelValue => {
  if (Array.isArray(json)) return new JsonList(json, ANY_LIST);
  if (isJsonObject(json)) return new JsonMap(json, DYN);
  // JSON does not tell 1 from 1.0: what is whole is an int.
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  return json as CelValue;
};

const scalar = (json: unknown, type: CelType): CelValue => {
  switch (type.kind) {
    case 'int':
      if (typeof json === 'bigint') return json;
      return Number.isInteger(json) ? BigInt(json as number) : mismatch(json, type);
    case 'double':
      if (typeof json === 'number') return json;
      return typeof json === 'bigint' ? Number(json) : mismatch(json, type);
    case 'bool':
      return typeof json === 'boolean' ? json : mismatch(json, type);
    case 'string':
      return typeof json === 'string' ? json : mismatch(json, type);
    case 'bytes':
      return typeof json === 'string' ? decodeBytes(json) : mismatch(json, type);
    case 'timestamp':
      return typeof json === 'string' ? parseTimestamp(json) : mismatch(json, type);
    case 'duration':
      return typeof json === 'string' ? parseDuration(json) : mismatch(json, type);
    default:
      return mismatch(json, type);
  }
};

const decodeBytes = (text: string): Uint8Array => {
  const bytes = Buffer.from(text, 'base64');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

const mismatch = (json: unknown, type: CelType): never => {
  const kind = Array.isArray(json) ? 'array' : typeof json;
  throw new CelRuntimeError(`invalid data, expected ${type.kind} but got ${kind}`);
};

const isThere = (members: JsonMembers, name: string): boolean =>
  Object.hasOwn(members, name) && members[name] !== undefined;

const ANY_LIST: ListType = { kind: 'list', of: DYN };
