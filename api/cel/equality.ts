import { ITEM_COST, STRING_COST, type Meter } from './meter';
import { order } from './ordering';
import {
  CelDuration,
  CelList,
  CelMap,
  CelObject,
  CelOpaque,
  CelOptional,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  kindOf,
  type CelValue,
} from './values';

/** Are two values one? Numbers are compared as numbers; values of different kinds are different. */
export const celEquals = (meter: Meter, a: CelValue, b: CelValue): boolean => {
  meter.charge(1);
  if (typeof a === 'string' && typeof b === 'string') {
    meter.charge(Math.min(a.length, b.length) * STRING_COST);
    return a === b;
  }
  if (typeof a === 'bigint' && typeof b === 'bigint') return a === b;
  const x = numberOf(a);
  if (x !== undefined) {
    const y = numberOf(b);
    return y !== undefined && order(x, y) === 0;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  return kindOf(a) === kindOf(b) && sameContent(meter, a, b);
};

const sameContent = (meter: Meter, a: object & CelValue, b: object & CelValue): boolean => {
  if (a instanceof CelList && b instanceof CelList) return sameList(meter, a, b);
  if (a instanceof CelMap && b instanceof CelMap) return sameMap(meter, a, b);
  if (a instanceof CelObject && b instanceof CelObject) return sameObject(meter, a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    meter.charge(Math.min(a.length, b.length) * STRING_COST);
    return Buffer.compare(a, b) === 0;
  }
  if (a instanceof CelOptional && b instanceof CelOptional)
    return a.value === undefined || b.value === undefined
      ? a.value === b.value
      : celEquals(meter, a.value, b.value);
  if (a instanceof CelTimestamp && b instanceof CelTimestamp) return a.nanos === b.nanos;
  if (a instanceof CelDuration && b instanceof CelDuration) return a.nanos === b.nanos;
  if (a instanceof CelTypeValue && b instanceof CelTypeValue) return a.typeName === b.typeName;
  return a instanceof CelOpaque && b instanceof CelOpaque && a.equals(b);
};

const sameList = (meter: Meter, a: CelList, b: CelList): boolean => {
  if (a.size !== b.size) return false;
  const merge = a.merge ?? b.merge;
  if (merge !== undefined) return sameSet(meter, a, b, merge);
  for (let i = 0; i < a.size; i++) {
    meter.charge(ITEM_COST);
    if (!celEquals(meter, a.at(i), b.at(i))) return false;
  }
  return true;
};

/** Lists that are sets, or maps by some of their items' fields: in any order. */
const sameSet = (
  meter: Meter,
  a: CelList,
  b: CelList,
  merge: 'set' | readonly string[],
): boolean => {
  const byKey = new Map<string, CelValue>();
  meter.charge(a.size * ITEM_COST);
  for (const item of b) byKey.set(mergeKey(meter, item, merge), item);
  for (const item of a) {
    const other = byKey.get(mergeKey(meter, item, merge));
    if (other === undefined || !celEquals(meter, item, other)) return false;
  }
  return true;
};

/** What tells an item of such a list from the others, as text. */
export const mergeKey = (
  meter: Meter,
  item: CelValue,
  merge: 'set' | readonly string[],
): string => {
  meter.charge(1);
  if (merge === 'set') return textOf(meter, item);
  return merge
    .map((key) => {
      const value =
        item instanceof CelObject
          ? item.field(key)
          : item instanceof CelMap
            ? item.get(key)
            : undefined;
      return value === undefined ? '' : textOf(meter, value);
    })
    .join('\0');
};

const textOf = (meter: Meter, value: CelValue): string => {
  if (typeof value === 'string') {
    meter.charge(value.length * STRING_COST);
    return `s${value}`;
  }
  if (value instanceof CelList) meter.charge(value.size * ITEM_COST);
  if (value instanceof CelList) return [...value].map((item) => textOf(meter, item)).join('\x01');
  if (value instanceof CelTimestamp || value instanceof CelDuration) return `t${value.nanos}`;
  return typeof value === 'object' ? kindOf(value) : `${typeof value}${String(value)}`;
};

const sameMap = (meter: Meter, a: CelMap, b: CelMap): boolean => {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    meter.charge(ENTRY_COST);
    const x = a.get(key);
    const y = b.get(key);
    if (x === undefined || y === undefined || !celEquals(meter, x, y)) return false;
  }
  return true;
};

const sameObject = (meter: Meter, a: CelObject, b: CelObject): boolean => {
  const names = [...a.fieldNames()];
  meter.charge(names.length);
  if (names.length !== [...b.fieldNames()].length) return false;
  return names.every((name) => {
    const [x, y] = [a.field(name), b.field(name)];
    return x !== undefined && y !== undefined && celEquals(meter, x, y);
  });
};

const numberOf = (value: CelValue): bigint | number | undefined => {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  return value instanceof CelUint ? value.value : undefined;
};

/** To find both sides' value of a key. */
const ENTRY_COST = 2 * ITEM_COST;
