/** How large JSON text may be, whatever its bytes. */
export interface JsonLimits {
  /** Objects and arrays inside one another. */
  readonly depthMax: number;
  /** Objects, arrays, texts, numbers, truth values and nulls together. */
  readonly valueCountMax: number;
  readonly keyBytesMax: number;
}

/**
 * Which limit JSON text breaks, if any. One pass over the bytes, before anything is built from them:
 * a million small values cost a parser and all that comes behind it seconds, and a body of brackets
 * alone their stack. The text need not be valid.
 */
export const brokenLimitOf = (
  text: Uint8Array,
  { depthMax, valueCountMax, keyBytesMax }: JsonLimits,
): keyof JsonLimits | undefined => {
  let depth = 0;
  let valueCount = 1;
  // Just opened: the next byte is its end, or its first member.
  let isFresh = false;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte <= SPACE) continue;
    const isClosing = byte === CLOSE_OBJECT || byte === CLOSE_ARRAY;
    if (byte === COMMA || (isFresh && !isClosing)) valueCount++;
    if (valueCount > valueCountMax) return 'valueCountMax';
    isFresh = byte === OPEN_OBJECT || byte === OPEN_ARRAY;
    if (isFresh) {
      if (++depth > depthMax) return 'depthMax';
    } else if (isClosing) depth--;
    else if (byte === QUOTE) {
      const end = endOfString(text, at);
      if (end - at - 1 > keyBytesMax && isKey(text, end)) return 'keyBytesMax';
      at = end;
    }
  }
  return undefined;
};

/** Where the string that opens at `at` ends. */
const endOfString = (text: Uint8Array, at: number): number => {
  let end = at + 1;
  while (end < text.length && text[end] !== QUOTE) end += text[end] === BACKSLASH ? 2 : 1;
  return end;
};

/** Does the string that ends at `end` name a member? */
const isKey = (text: Uint8Array, end: number): boolean => {
  let next = end + 1;
  while (next < text.length && (text[next] as number) <= SPACE) next++;
  return text[next] === COLON;
};

const code = (character: string): number => character.charCodeAt(0);
const [QUOTE, BACKSLASH, COMMA, COLON, SPACE] = ['"', '\\', ',', ':', ' '].map(code) as [
  number,
  number,
  number,
  number,
  number,
];
const [OPEN_OBJECT, OPEN_ARRAY, CLOSE_OBJECT, CLOSE_ARRAY] = ['{', '[', '}', ']'].map(code) as [
  number,
  number,
  number,
  number,
];
