import { randomBytes } from 'node:crypto';

/**
 * Parses JSON, keeping every integer digit for digit: those beyond 2^53 become `bigint`.
 * `stringifyJson` writes them back as numbers. Numbers of more than 20 characters fit no API
 * field and stay what `JSON.parse` makes of them. @throws SyntaxError
 */
export const parseJson = (source: string | Uint8Array): unknown => {
  const text = typeof source === 'string' ? source : decodeUtf8(source);
  return LONG_DIGITS.test(text) ? parseKeepingIntegers(text) : JSON.parse(text);
};

/** Like `JSON.stringify`, with `bigint` written as a number. `indent` is a count of spaces. */
export const stringifyJson = (value: unknown, indent = 0): string => {
  try {
    return JSON.stringify(value, undefined, indent);
  } catch (error) {
    // Only a bigint is worth the second, slower attempt; a cycle throws again.
    if (!(error instanceof TypeError)) throw error;
    return stringifyWithIntegers(value, indent);
  }
};

/**
 * One text for equal values: members in the order of their names, `undefined` ones left out. For
 * hashes and keys, and for people, who know it from kubectl; compare two values that are at hand with `jsonEqual`.
 */
export const canonicalJson = (value: unknown, indent = 0): string =>
  stringifyJson(inOrder(value), indent);

const inOrder = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  // fromEntries makes own properties, even of `__proto__`.
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, inOrder(member)]),
  );
};

// 2^53 has sixteen digits; a text without such a run needs no care.
const LONG_DIGITS = /\d{16}/;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d{16,20}$/;

// Marks an integer on its way through JSON.parse and JSON.stringify. It never leaves this file, so
// no input can contain it.
const MARK = `${randomBytes(16).toString('hex')}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

const decodeUtf8 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

const parseKeepingIntegers = (text: string): unknown => {
  const plain: unknown = JSON.parse(text);
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    return `"${MARK}${token}"`;
  });
  return marked === text ? plain : JSON.parse(marked, restoreInteger);
};

const restoreInteger = (_key: string, value: unknown): unknown =>
  typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;

const stringifyWithIntegers = (value: unknown, indent: number): string =>
  JSON.stringify(
    value,
    (_key, member: unknown) =>
      typeof member === 'bigint' ? `${MARK}${member.toString()}` : member,
    indent,
  ).replace(MARKED, '$1');

/** Is it an object of JSON: no list, and not null? */
export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
