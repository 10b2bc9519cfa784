import { ApiError } from '../../../api/errors';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../../api/resources';
import { isFields } from '../kinds/mutable';
import type { KindName } from '../../../api/schema/definitions';

/**
 * How many values an object may hold: objects, lists, texts, numbers and truth values together. The
 * time of decoding, validating, merging and comparing grows with them, not with bytes. A pod of fifty
 * containers with fifty variables each stays below.
 */
const VALUE_COUNT_MAX = 10_000;
/** The same with `managedFields`, which hold one more for each field and each of its owners. */
export const VALUE_COUNT_WITH_OWNERS_MAX = 3 * VALUE_COUNT_MAX;

/** Returns the count. @throws RequestEntityTooLarge for an object of more values than the server works on */
export const checkValueCount = (kind: Sized, object: unknown): number => {
  const max = VALUE_COUNT_MAX * scaleOf(kind);
  const count = countOf(withoutOwners(object), max);
  if (count > max) throw tooManyValues(max, 'managedFields not counted');
  return count;
};

/** The same for what is to be stored. @throws RequestEntityTooLarge */
export const checkStoredValueCount = (kind: Sized, object: unknown): void => {
  const max = VALUE_COUNT_WITH_OWNERS_MAX * scaleOf(kind);
  if (countOf(object, max) > max) throw tooManyValues(max, 'managedFields counted');
};

/** Schemas of kinds that hold whole pods have tens of thousands of values, and few may write them. */
export const scaleOf = ({ resource: { group, kind } }: Sized): number =>
  group === CUSTOM_RESOURCE_DEFINITIONS.group && kind === CUSTOM_RESOURCE_DEFINITIONS.kind ? 10 : 1;

interface Sized {
  readonly resource: KindName;
}

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

/** How many values there are, itself counted. Stops counting beyond `max`. */
export const countOf = (value: unknown, max = Infinity): number => {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  if (Array.isArray(value))
    for (const item of value as readonly unknown[]) {
      count += countOf(item, max - count);
      if (count > max) break;
    }
  else
    // Without a list of them: nothing of JSON has members that are not its own.
    for (const name in value) {
      count += countOf((value as Readonly<Record<string, unknown>>)[name], max - count);
      if (count > max) break;
    }
  return count;
};
