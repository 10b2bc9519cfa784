import { typeName, type CelType, type ListType } from './types';

/** `bigint` is int, `number` is double. */
export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | CelUint
  | CelTimestamp
  | CelDuration
  | CelList
  | CelMap
  | CelObject
  | CelOptional
  | CelTypeValue
  | CelOpaque;

export class CelUint {
  constructor(readonly value: bigint) {}
}

/** A moment between the years 1 and 9999, in nanoseconds since 1970. */
export class CelTimestamp {
  constructor(readonly nanos: bigint) {}
}

export class CelDuration {
  constructor(readonly nanos: bigint) {}
}

export abstract class CelList {
  abstract readonly size: number;

  /** What tells its items apart: see `ListType`. */
  constructor(readonly merge?: ListType['merge']) {}

  /** What stands there; the index is inside. */
  abstract at(index: number): CelValue;
  /** All items, for what needs them all. */
  toArray(): readonly CelValue[] {
    const { size } = this;
    const items = new Array<CelValue>(size);
    for (let i = 0; i < size; i++) items[i] = this.at(i);
    return items;
  }

  [Symbol.iterator](): Iterator<CelValue> {
    return this.toArray()[Symbol.iterator]();
  }
}

export class ArrayList extends CelList {
  constructor(
    private readonly items: readonly CelValue[],
    merge?: ListType['merge'],
  ) {
    super(merge);
  }

  get size(): number {
    return this.items.length;
  }

  at(index: number): CelValue {
    return this.items[index] as CelValue;
  }

  override toArray(): readonly CelValue[] {
    return this.items;
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  abstract get(key: CelValue): CelValue | undefined;
  abstract keys(): Iterable<CelValue>;
}

/** A map made by an expression. */
export class EntryMap extends CelMap {
  private readonly entries = new Map<string | boolean | bigint, [CelValue, CelValue]>();

  get size(): number {
    return this.entries.size;
  }

  get(key: CelValue): CelValue | undefined {
    const index = keyOf(key);
    return index === undefined ? undefined : this.entries.get(index)?.[1];
  }

  keys(): Iterable<CelValue> {
    return [...this.entries.values()].map(([key]) => key);
  }

  /** False when the key is there already, or can be none. */
  add(key: CelValue, value: CelValue): boolean {
    const index = keyOf(key);
    if (index === undefined || this.entries.has(index)) return false;
    this.entries.set(index, [key, value]);
    return true;
  }
}

/** An object of a declared type: an object of JSON behind its fields. */
export abstract class CelObject {
  abstract readonly type: CelType;
  /** Absent when the object has no such field now. */
  abstract field(name: string): CelValue | undefined;
  /** Those that are there. */
  abstract fieldNames(): Iterable<string>;
}

export class CelOptional {
  static readonly NONE = new CelOptional(undefined);

  constructor(readonly value: CelValue | undefined) {}
}

export class CelTypeValue {
  constructor(readonly typeName: string) {}
}

/** A value that only functions of its library understand. */
export abstract class CelOpaque {
  abstract readonly type: CelType;
  /** Two values of one type. */
  equals(other: CelOpaque): boolean {
    return this === other;
  }
}

/** The kind that overloads are told apart by: of an opaque value or an object, its type's name. */
export const kindOf = (value: CelValue): string => {
  switch (typeof value) {
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    default:
      return value === null ? 'null' : kindOfObject(value);
  }
};

const kindOfObject = (value: Exclude<CelValue, null | boolean | bigint | number | string>) => {
  if (value instanceof CelList) return 'list';
  if (value instanceof CelMap) return 'map';
  if (value instanceof CelObject || value instanceof CelOpaque) return typeName(value.type);
  if (value instanceof CelUint) return 'uint';
  if (value instanceof CelTimestamp) return 'timestamp';
  if (value instanceof CelDuration) return 'duration';
  if (value instanceof CelOptional) return 'optional';
  return value instanceof CelTypeValue ? 'type' : 'bytes';
};

/** Keys are equal as numbers, whatever their type. */
const keyOf = (key: CelValue): string | boolean | bigint | undefined => {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint') return key;
  if (key instanceof CelUint) return key.value;
  return typeof key === 'number' && Number.isInteger(key) ? BigInt(key) : undefined;
};
