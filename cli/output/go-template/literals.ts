/** What a string or raw string in Go's syntax stands for; undefined for none. */
export const unquote = (text: string): string | undefined => {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('\r', '');
  return unescaped(text.slice(1, -1));
};

/** The constant that a number or a character is. */
export const numberOf = (
  text: string,
):
  | { readonly kind: 'number'; readonly value: number | bigint }
  | { readonly kind: 'float'; readonly value: number }
  | undefined => {
  if (text.startsWith("'")) {
    const [character, ...others] = unescaped(text.slice(1, -1)) ?? '';
    const value = character?.codePointAt(0);
    return value === undefined || others.length > 0 ? undefined : { kind: 'number', value };
  }
  const digits = text.replaceAll('_', '');
  if (/^[+-]?(?:0[xX]|0[bB]|0[oO]|0[0-7]+$)/.test(digits)) return integer(digits);
  if (/[.eE]/.test(digits)) return { kind: 'float', value: Number(digits) };
  return integer(digits);
};

const integer = (
  text: string,
): { readonly kind: 'number'; readonly value: number | bigint } | undefined => {
  const [, sign = '', zero, digits = ''] = /^([+-]?)(0(?=[0-7]+$))?(.+)$/.exec(text) ?? [];
  try {
    const size = BigInt(zero === undefined ? digits : `0o${digits}`);
    const value = sign === '-' ? -size : size;
    return BigInt.asIntN(64, value) === value
      ? { kind: 'number', value: narrow(value) }
      : undefined;
  } catch {
    return undefined;
  }
};

/** As JSON that was read has its integers: those of 2^53 and more are `bigint`. */
export const narrow = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** The text with its escapes carried out; undefined when one makes no sense. */
const unescaped = (text: string): string | undefined => {
  let isGood = true;
  const bytes: Buffer[] = [];
  let last = 0;
  const add = (value: string) => bytes.push(Buffer.from(value));
  for (const match of text.matchAll(ESCAPE)) {
    add(text.slice(last, match.index));
    last = match.index + match[0].length;
    const [, hex, octal, short, long, single = ''] = match;
    const byte = hex === undefined ? undefined : parseInt(hex, 16);
    const code = octal === undefined ? byte : parseInt(octal, 8);
    const point = short ?? long;
    if (code !== undefined) bytes.push(Buffer.from([code]));
    else if (point !== undefined && parseInt(point, 16) <= 0x10ffff)
      add(String.fromCodePoint(parseInt(point, 16)));
    else if (Object.hasOwn(SINGLE, single)) add(SINGLE[single] ?? '');
    else isGood = false;
  }
  add(text.slice(last));
  return isGood ? Buffer.concat(bytes).toString() : undefined;
};

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))/gs;
const SINGLE: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"' },
};
