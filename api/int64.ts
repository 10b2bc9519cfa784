/** A 64-bit integer: a `number` while that is exact, a `bigint` beyond 2^53. */
export type Int64 = number | bigint;

/**
 * Fields of 64 bits that hold any value, wherever they stand. Those that validation or the server
 * itself keeps small, such as user ids and generations, are plain numbers:
 * test/unit/int64-fields.test.ts knows of each which it is.
 */
export const INT64_FIELDS = [
  'deletionGracePeriodSeconds',
  'gracePeriodSeconds',
  'remainingItemCount',
  'seconds',
  'sizeBytes',
  'terminationGracePeriodSeconds',
  'tolerationSeconds',
] as const;

/** The form that equal values share. */
export const int64 = (value: bigint): Int64 => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** False for a `number` that stands for several integers, or for none. */
export const isInt64 = (value: unknown): value is Int64 =>
  typeof value === 'bigint'
    ? value >= INT64_MIN && value <= INT64_MAX
    : Number.isSafeInteger(value);

export const minInt64 = (a: Int64, b: Int64): Int64 => (a < b ? a : b);

/** For clocks, which need no more than a double's precision. */
export const secondsToMs = (seconds: Int64): number => Number(seconds) * 1000;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
