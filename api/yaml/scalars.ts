/**
 * What a plain YAML word means. Kubernetes' tools read YAML 1.1 in the way of their parser: `yes`
 * and `on` are booleans, `0640` and `0o640` are octal, `12:30` is text. Everything else is text.
 */
export const resolveScalar = (text: string): unknown => {
  if (NULLS.has(text)) return null;
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  return SIGN_OR_DIGIT.test(text) ? resolveNumber(text) : text;
};

/** True when the word would not be read back as the text it is. */
export const needsQuotes = (text: string): boolean =>
  text === '<<' ||
  SPECIAL_FLOAT.test(text) ||
  TIMESTAMP.test(text) ||
  BASE_60.test(text) ||
  typeof resolveScalar(text) !== 'string';

const words = (...list: readonly string[]): ReadonlySet<string> =>
  new Set(
    list.flatMap((word) => [
      word,
      word.toUpperCase(),
      word.slice(0, 1).toUpperCase() + word.slice(1),
    ]),
  );

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUE = words('y', 'yes', 'true', 'on');
const FALSE = words('n', 'no', 'false', 'off');

const SIGN_OR_DIGIT = /^[-+.0-9]/;
const DECIMAL = /^[-+]?(?:0|[1-9][0-9]*)$/;
const OCTAL = /^([-+]?)0o?([0-7]+)$/;
const HEX = /^[-+]?0x[0-9a-fA-F]+$/;
const BINARY = /^[-+]?0b[01]+$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const SPECIAL_FLOAT = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const TIMESTAMP =
  /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|\s+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?\s*(?:Z|[-+]\d{2}:\d{2})?)?$/;
const NUMBER_LENGTH_MAX = 400;

const resolveNumber = (text: string): unknown => {
  const plain = text.replaceAll('_', '');
  if (plain.length > NUMBER_LENGTH_MAX) return text;
  if (DECIMAL.test(plain)) return integer(plain.replace('+', ''));
  const octal = OCTAL.exec(plain);
  if (octal !== null) return signed(octal[1] ?? '', `0o${octal[2] ?? ''}`);
  if (HEX.test(plain) || BINARY.test(plain)) {
    return signed(/^[-+]/.exec(plain)?.[0] ?? '', plain.replace(/^[-+]/, ''));
  }
  if (!FLOAT.test(plain)) return text;
  const value = Number(plain);
  return Number.isFinite(value) ? value : text;
};

const INTEGER_MAX = 2n ** 64n;

/** Beyond 2^53 a number keeps its digits; beyond 64 bits nothing holds it. */
const integer = (text: string): number | bigint => {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(text);
  return exact < INTEGER_MAX && exact >= -INTEGER_MAX ? exact : value;
};

const signed = (sign: string, literal: string): number | bigint => {
  const value = BigInt(literal);
  return integer(String(sign === '-' ? -value : value));
};
