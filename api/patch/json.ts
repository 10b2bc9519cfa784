import type { Json } from '../json-value';

export type { Json } from '../json-value';

/** `fromEntries` makes own properties of every name, `__proto__` too. */
export const objectFrom = (entries: Iterable<readonly [string, unknown]>): Json =>
  Object.fromEntries(entries);

export const without = (object: Json, ...keys: readonly string[]): Json =>
  objectFrom(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** The member of this name, own ones only. */
export const member = (object: Json, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;
