import { celEquals } from '../equality';
import { CelRuntimeError } from '../errors';
import { ITEM_COST, type Meter } from '../meter';
import { compareValues, int, uint } from '../ordering';
import { duration } from '../time';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  INT,
  listOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
} from '../types';
import { CelDuration, CelUint, type CelList, type CelValue } from '../values';
import { fn, member, type Library } from './function';

const A = param('A');
const ORDERED = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES];

const isSorted = (meter: Meter, list: CelList): boolean => {
  for (let i = 1; i < list.size; i++) {
    meter.charge(2 * ITEM_COST);
    if (!(compareValues(meter, list.at(i - 1), list.at(i)) <= 0)) return false;
  }
  return true;
};

const extreme = (sign: number, name: string) => (meter: Meter, list: CelList) => {
  if (list.size === 0) throw new CelRuntimeError(`${name} called on empty list`);
  let best = list.at(0);
  for (let i = 1; i < list.size; i++) {
    meter.charge(ITEM_COST);
    const item = list.at(i);
    if (compareValues(meter, item, best) * sign > 0) best = item;
  }
  return best;
};

const sum = (meter: Meter, list: CelList, zero: CelValue): CelValue => {
  let total = zero;
  meter.charge(list.size * ITEM_COST);
  for (const item of list) {
    meter.charge(1);
    total = plus(total, item);
  }
  return total;
};

const plus = (a: CelValue, b: CelValue): CelValue => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a + b);
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a instanceof CelUint && b instanceof CelUint) return uint(a.value + b.value);
  if (a instanceof CelDuration && b instanceof CelDuration) return duration(a.nanos + b.nanos);
  throw new CelRuntimeError('no such overload');
};

const indexOf = (meter: Meter, list: CelList, value: CelValue): bigint => {
  for (let i = 0; i < list.size; i++) {
    meter.charge(ITEM_COST);
    if (celEquals(meter, list.at(i), value)) return BigInt(i);
  }
  return -1n;
};

const lastIndexOf = (meter: Meter, list: CelList, value: CelValue): bigint => {
  for (let i = list.size - 1; i >= 0; i--) {
    meter.charge(ITEM_COST);
    if (celEquals(meter, list.at(i), value)) return BigInt(i);
  }
  return -1n;
};

export const LIST_LIBRARY: Library = {
  isSorted: ORDERED.map((type) => member([listOf(type)], BOOL, isSorted)),
  min: ORDERED.map((type) => member([listOf(type)], type, extreme(-1, 'min'))),
  max: ORDERED.map((type) => member([listOf(type)], type, extreme(1, 'max'))),
  sum: [
    member([listOf(INT)], INT, (meter, list) => sum(meter, list, 0n)),
    member([listOf(UINT)], UINT, (meter, list) => sum(meter, list, new CelUint(0n))),
    member([listOf(DOUBLE)], DOUBLE, (meter, list) => sum(meter, list, 0)),
    member([listOf(DURATION)], DURATION, (meter, list) => sum(meter, list, new CelDuration(0n))),
  ],
  indexOf: [member([listOf(A), A], INT, indexOf)],
  lastIndexOf: [member([listOf(A), A], INT, lastIndexOf)],
};

const isAmong = (meter: Meter, value: CelValue, list: CelList): boolean =>
  indexOf(meter, list, value) >= 0n;

const containsAll = (meter: Meter, list: CelList, others: CelList): boolean => {
  meter.charge(others.size * ITEM_COST);
  for (const item of others) if (!isAmong(meter, item, list)) return false;
  return true;
};

const intersects = (meter: Meter, list: CelList, others: CelList): boolean => {
  meter.charge(others.size * ITEM_COST);
  for (const item of others) if (isAmong(meter, item, list)) return true;
  return false;
};

const LISTS = [listOf(A), listOf(A)] as const;

export const SET_LIBRARY: Library = {
  'sets.contains': [fn(LISTS, BOOL, containsAll)],
  'sets.intersects': [fn(LISTS, BOOL, intersects)],
  'sets.equivalent': [
    fn(LISTS, BOOL, (meter, a, b) => containsAll(meter, a, b) && containsAll(meter, b, a)),
  ],
};
