import { ApiError } from '../../../api/errors';
import { isFields } from '../kinds/mutable';

/**
 * How many values an object may hold: objects, lists, texts, numbers and truth values together. The
 * time of decoding, validating, merging and comparing grows with them, not with bytes. A pod of fifty
 * containers with fifty variables each stays below.
 */
const VALUE_COUNT_MAX = 10_000;
/** The same with `managedFields`, which hold one more for each field and each of its owners. */
export const VALUE_COUNT_WITH_OWNERS_MAX = 3 * VALUE_COUNT_MAX;

/** @throws RequestEntityTooLarge for an object of more values than the server works on */
export const checkValueCount = (object: unknown): void => {
  if (countOf(withoutOwners(object), VALUE_COUNT_MAX) > VALUE_COUNT_MAX)
    throw tooManyValues(VALUE_COUNT_MAX, 'managedFields not counted');
};

/** The same for what is to be stored. @throws RequestEntityTooLarge */
export const checkStoredValueCount = (object: unknown): void => {
  if (countOf(object, VALUE_COUNT_WITH_OWNERS_MAX) > VALUE_COUNT_WITH_OWNERS_MAX)
    throw tooManyValues(VALUE_COUNT_WITH_OWNERS_MAX, 'managedFields counted');
};

export const tooManyValues = (limit: number, what: string): ApiError =>
  new ApiError(
    'RequestEntityTooLarge',
    `Request entity too large: limit is ${limit} values in an object, ${what}`,
  );

const withoutOwners = (object: unknown): unknown => {
  if (!isFields(object) || !isFields(object['metadata'])) return object;
  const { managedFields, ...metadata } = object['metadata'];
  return managedFields === undefined ? object : { ...object, metadata };
};

/** Stops counting beyond `max`. */
const countOf = (value: unknown, max: number): number => {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  const members: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const member of members) {
    count += countOf(member, max - count);
    if (count > max) break;
  }
  return count;
};
