/**
 * Is JSON text nested more than `depthMax` deep? Everything behind the parser walks values by
 * recursion, so a body of brackets alone would use up its stack. The text need not be valid.
 */
export const isNestedDeeper = (text: Uint8Array, depthMax: number): boolean => {
  if (text.length <= depthMax) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > depthMax) return true;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
  }
  return false;
};

/** Where the string that opens at `at` ends. */
const endOfString = (text: Uint8Array, at: number): number => {
  let end = at + 1;
  while (end < text.length && text[end] !== QUOTE) end += text[end] === BACKSLASH ? 2 : 1;
  return end;
};

const code = (character: string): number => character.charCodeAt(0);
const [QUOTE, BACKSLASH] = [code('"'), code('\\')];
const [OPEN_OBJECT, OPEN_ARRAY, CLOSE_OBJECT, CLOSE_ARRAY] = [
  code('{'),
  code('['),
  code('}'),
  code(']'),
];
