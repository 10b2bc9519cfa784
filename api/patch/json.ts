/** A JSON object as patches see it. */
export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `fromEntries` makes own properties of every name, `__proto__` too. */
export const objectFrom = (entries: Iterable<readonly [string, unknown]>): Json =>
  Object.fromEntries(entries);

export const without = (object: Json, ...keys: readonly string[]): Json =>
  objectFrom(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** The member of this name, own ones only. */
export const member = (object: Json, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;
