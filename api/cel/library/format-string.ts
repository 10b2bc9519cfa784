import { CelRuntimeError } from '../errors';
import { ITEM_COST, type Meter } from '../meter';
import { formatDouble, formatExponent } from '../numbers';
import { formatDuration, formatTimestamp } from '../time';
import {
  CelDuration,
  CelList,
  CelMap,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  kindOf,
  type CelValue,
} from '../values';

/** `"%s is %d".format([a, b])` @throws CelRuntimeError */
export const formatString = (meter: Meter, pattern: string, args: CelList): string => {
  meter.traverse(pattern.length);
  const out: string[] = [];
  let next = 0;
  let done = 0;
  for (const match of pattern.matchAll(CLAUSE)) {
    out.push(pattern.slice(done, match.index));
    done = match.index + match[0].length;
    const [, precision, verb = ''] = match;
    if (verb === '%' && precision === undefined) out.push('%');
    else {
      if (next >= args.size) throw new CelRuntimeError(`index ${next} out of range`);
      out.push(formatted(meter, args.at(next++), verb, precision));
    }
    meter.traverse(out.at(-1)?.length ?? 0);
  }
  return out.join('') + pattern.slice(done);
};

/** A text in quotes, with its special characters escaped. */
export const quote = (text: string): string =>
  `"${text.replace(QUOTED, (char) => QUOTES[char] ?? char)}"`;

const formatted = (
  meter: Meter,
  value: CelValue,
  verb: string,
  precision: string | undefined,
): string => {
  switch (verb) {
    case 's':
      return textOf(meter, value);
    case 'd':
      return decimal(value);
    case 'f':
      return special(numberOf(value, 'fixed-point')) ?? fixed(value, digitsOf(precision));
    case 'e':
      return special(numberOf(value, 'scientific')) ?? scientific(value, digitsOf(precision));
    case 'b':
      return typeof value === 'boolean' ? (value ? '1' : '0') : integer(value, 2, 'binary');
    case 'o':
      return integer(value, 8, 'octal');
    case 'x':
      return hex(value);
    case 'X':
      return hex(value).toUpperCase();
    default:
      throw new CelRuntimeError(
        `could not parse formatting clause: unrecognized formatting clause "${verb}"`,
      );
  }
};

const digitsOf = (precision: string | undefined): number => {
  const digits = precision === undefined || precision === '' ? 6 : Number(precision);
  if (digits > DIGITS_MAX) throw new CelRuntimeError(`precision ${digits} is too large`);
  return digits;
};

const fixed = (value: CelValue, digits: number): string =>
  roundedToEven(numberOf(value, 'fixed-point'), digits);

/** As Go does: what lies just between two goes to the even one; JavaScript takes the larger. */
const roundedToEven = (value: number, digits: number): string => {
  const rounded = value.toFixed(digits);
  if (Math.abs(value) >= EXACT_MAX) return rounded;
  const exact = value.toFixed(EXACT_DIGITS);
  const cut = exact.indexOf('.') + 1 + digits;
  if (!/^50*$/.test(exact.slice(cut))) return rounded;
  const below = exact.slice(0, digits === 0 ? cut - 1 : cut);
  return /[02468]$/.test(below) ? below : rounded;
};

const scientific = (value: CelValue, digits: number): string => {
  const [mantissa = '', exponent = '0'] = numberOf(value, 'scientific')
    .toExponential(digits)
    .split('e');
  return mantissa + formatExponent(Number(exponent));
};

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? undefined : value > 0 ? 'Infinity' : '-Infinity';
};

const numberOf = (value: CelValue, clause: string): number => {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof CelUint) return Number(value.value);
  throw badType(
    clause === 'fixed-point'
      ? 'fixed-point clause can only be used on doubles'
      : 'scientific clause can only be used on doubles',
    value,
  );
};

const decimal = (value: CelValue): string => {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof CelUint) return value.value.toString();
  if (typeof value === 'number') return special(value) ?? formatDouble(value);
  throw badType('decimal clause can only be used on integers', value);
};

const integer = (value: CelValue, radix: number, name: string): string => {
  if (typeof value === 'bigint') return value.toString(radix);
  if (value instanceof CelUint) return value.value.toString(radix);
  throw badType(`${name} clause can only be used on integers`, value);
};

const hex = (value: CelValue): string => {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return integer(value, 16, 'hex');
};

const badType = (words: string, value: CelValue): CelRuntimeError =>
  new CelRuntimeError(`error during formatting: ${words}, was given ${kindOf(value)}`);

const textOf = (meter: Meter, value: CelValue): string => {
  meter.charge(1);
  if (typeof value === 'string') return value;
  if (value instanceof CelList) meter.charge(value.size * ITEM_COST);
  if (value instanceof CelList)
    return `[${[...value].map((item) => textOf(meter, item)).join(', ')}]`;
  if (value instanceof CelMap) return mapText(meter, value);
  if (value instanceof CelUint) return value.value.toString();
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value);
  if (value instanceof CelTypeValue) return value.typeName;
  if (typeof value === 'number') return special(value) ?? formatDouble(value);
  if (typeof value !== 'object' || value === null) return String(value);
  throw badType(
    'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    value,
  );
};

const mapText = (meter: Meter, map: CelMap): string => {
  const entries = [...map.keys()].map(
    (key) => `${textOf(meter, key)}: ${textOf(meter, map.get(key) ?? null)}`,
  );
  return `{${entries.sort().join(', ')}}`;
};

const DIGITS_MAX = 100;
const EXACT_DIGITS = 100;
/** What toFixed writes digit for digit. */
const EXACT_MAX = 1e21;
const CLAUSE = /%(?:\.(\d{0,4}))?([\s\S]|$)/g;
const QUOTED = /[\x07\b\f\n\r\t\v\\"]/g;
const QUOTES: Readonly<Record<string, string>> = {
  ...{ '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t' },
  ...{ '\v': '\\v', '\\': '\\\\', '"': '\\"' },
};
