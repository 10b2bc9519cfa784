import { CelRuntimeError, noSuchOverload } from './errors';
import type { Meter } from './meter';
import { CelDuration, CelTimestamp, CelUint, type CelValue } from './values';

/** Below zero, zero, or above; `NaN` is neither. @throws CelRuntimeError when there is no order */
export const compareValues = (meter: Meter, a: CelValue, b: CelValue): number => {
  if (typeof a === 'string' && typeof b === 'string') {
    meter.traverse(Math.min(a.length, b.length));
    return compareStrings(a, b);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    meter.traverse(Math.min(a.length, b.length));
    return Buffer.compare(a, b);
  }
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  return order(magnitude(a), magnitude(b));
};

/** By code points, as UTF-8 sorts; JavaScript compares halves of them. */
export const compareStrings = (a: string, b: string): number => {
  if (a === b) return 0;
  const isPlain = !SURROGATE.test(a) && !SURROGATE.test(b);
  if (isPlain) return a < b ? -1 : 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
};

/** An integer and a double are compared as doubles, as upstream does. */
export const order = (a: bigint | number, b: bigint | number): number => {
  if (typeof a !== typeof b) return order(Number(a), Number(b));
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : NaN;
};

const magnitude = (value: CelValue): bigint | number => {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  if (value instanceof CelUint) return value.value;
  if (value instanceof CelTimestamp || value instanceof CelDuration) return value.nanos;
  throw noSuchOverload();
};

const SURROGATE = /[\ud800-\udfff]/;

/** @throws CelRuntimeError beyond 64 bits */
export const int = (value: bigint): bigint => {
  if (value > INT_MAX || value < INT_MIN) throw new CelRuntimeError('integer overflow');
  return value;
};

/** @throws CelRuntimeError below zero or beyond 64 bits */
export const uint = (value: bigint): CelUint => {
  if (value < 0n || value > UINT_MAX) throw new CelRuntimeError('unsigned integer overflow');
  return new CelUint(value);
};

const INT_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;
