import { celEquals, mergeKey } from '../equality';
import { CelRuntimeError } from '../errors';
import { ITEM_COST, type Meter } from '../meter';
import { compareValues, int, uint } from '../ordering';
import { duration, timestamp } from '../time';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  INT,
  listOf,
  mapOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
  type CelType,
} from '../types';
import { ArrayList, type CelList, type CelValue } from '../values';
import { fn, type Library, type Overload } from './function';

const A = param('A');
const B = param('B');

const ints = (calc: (a: bigint, b: bigint) => bigint): Overload =>
  fn([INT, INT], INT, (_meter, a, b) => int(calc(a, b)));
const uints = (calc: (a: bigint, b: bigint) => bigint): Overload =>
  fn([UINT, UINT], UINT, (_meter, a, b) => uint(calc(a.value, b.value)));
const doubles = (calc: (a: number, b: number) => number): Overload =>
  fn([DOUBLE, DOUBLE], DOUBLE, (_meter, a, b) => calc(a, b));

const byZero = (a: bigint, b: bigint, word: string, calc: (a: bigint, b: bigint) => bigint) => {
  if (b === 0n) throw new CelRuntimeError(`${word} by zero`);
  return calc(a, b);
};
const divide = (a: bigint, b: bigint) => byZero(a, b, 'division', (x, y) => x / y);
const modulo = (a: bigint, b: bigint) => byZero(a, b, 'modulus', (x, y) => x % y);

const ORDERED: readonly CelType[] = [
  ...[BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION],
];
const NUMBERS: readonly CelType[] = [INT, UINT, DOUBLE];

/** Numbers of all types have one order. */
const ordering = (holds: (order: number) => boolean): readonly Overload[] =>
  [
    ...ORDERED.map((type) => [type, type] as const),
    ...NUMBERS.flatMap((a) => NUMBERS.map((b) => [a, b] as const)).filter(([a, b]) => a !== b),
  ].map((types) =>
    fn(types, BOOL, (meter: Meter, a: CelValue, b: CelValue) => holds(compareValues(meter, a, b))),
  );

const concatBytes = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
};

/** Sets and maps take in what they do not have; of maps, the right one's items win. */
const concatLists = (meter: Meter, a: CelList, b: CelList): CelList => {
  meter.charge((a.size + b.size) * ITEM_COST);
  const { merge } = a;
  if (merge === undefined) return new ArrayList(a.toArray().concat(b.toArray()));
  const byKey = new Map<string, CelValue>();
  for (const item of a) byKey.set(mergeKey(meter, item, merge), item);
  for (const item of b) byKey.set(mergeKey(meter, item, merge), item);
  return new ArrayList([...byKey.values()], merge);
};

const isAmong = (meter: Meter, value: CelValue, list: CelList): boolean => {
  for (let i = 0; i < list.size; i++) {
    meter.charge(ITEM_COST);
    if (celEquals(meter, value, list.at(i))) return true;
  }
  return false;
};

export const OPERATORS: Library = {
  '_==_': [fn([A, A], BOOL, (meter, a, b) => celEquals(meter, a, b))],
  '_!=_': [fn([A, A], BOOL, (meter, a, b) => !celEquals(meter, a, b))],
  '_<_': ordering((order) => order < 0),
  '_<=_': ordering((order) => order <= 0),
  '_>_': ordering((order) => order > 0),
  '_>=_': ordering((order) => order >= 0),
  '_+_': [
    ints((a, b) => a + b),
    uints((a, b) => a + b),
    doubles((a, b) => a + b),
    fn([STRING, STRING], STRING, (meter, a, b) => {
      meter.traverse(a.length + b.length);
      return a + b;
    }),
    fn([BYTES, BYTES], BYTES, (meter, a, b) => {
      meter.traverse(a.length + b.length);
      return concatBytes(a, b);
    }),
    fn([listOf(A), listOf(A)], listOf(A), concatLists),
    fn([DURATION, DURATION], DURATION, (_meter, a, b) => duration(a.nanos + b.nanos)),
    fn([TIMESTAMP, DURATION], TIMESTAMP, (_meter, a, b) => timestamp(a.nanos + b.nanos)),
    fn([DURATION, TIMESTAMP], TIMESTAMP, (_meter, a, b) => timestamp(a.nanos + b.nanos)),
  ],
  '_-_': [
    ints((a, b) => a - b),
    uints((a, b) => a - b),
    doubles((a, b) => a - b),
    fn([DURATION, DURATION], DURATION, (_meter, a, b) => duration(a.nanos - b.nanos)),
    fn([TIMESTAMP, DURATION], TIMESTAMP, (_meter, a, b) => timestamp(a.nanos - b.nanos)),
    fn([TIMESTAMP, TIMESTAMP], DURATION, (_meter, a, b) => duration(a.nanos - b.nanos)),
  ],
  '_*_': [ints((a, b) => a * b), uints((a, b) => a * b), doubles((a, b) => a * b)],
  '_/_': [ints(divide), uints(divide), doubles((a, b) => a / b)],
  '_%_': [ints(modulo), uints(modulo)],
  '!_': [fn([BOOL], BOOL, (_meter, a) => !a)],
  '-_': [
    fn([INT], INT, (_meter, a) => int(-a)),
    fn([DOUBLE], DOUBLE, (_meter, a) => -a),
    fn([DURATION], DURATION, (_meter, a) => duration(-a.nanos)),
  ],
  '@in': [
    fn([A, listOf(A)], BOOL, isAmong),
    fn([A, mapOf(A, B)], BOOL, (_meter, key, map) => map.get(key) !== undefined),
  ],
};
