import { stringifyJson } from '../../../lib/json';

/**
 * A value as templates see it: that of JSON, or one that a template makes. `undefined` is Go's invalid
 * value, of a key that is not there; `null` is a nil that is there.
 */
export type Value = unknown;

/** A number that is a float although it may be whole: `1.0`. */
export class Float {
  constructor(readonly value: number) {}
}

export type ValueKind = 'nil' | 'bool' | 'int' | 'float' | 'string' | 'slice' | 'map';

export const kindOf = (value: Value): ValueKind => {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'float';
    case 'string':
      return 'string';
    case 'object':
      if (value === null) return 'nil';
      if (value instanceof Float) return 'float';
      return Array.isArray(value) ? 'slice' : 'map';
    default:
      return 'nil';
  }
};

export const floatOf = (value: Value): number =>
  value instanceof Float ? value.value : (value as number);

export const sliceOf = (value: Value): readonly Value[] => value as readonly Value[];

/** The entries of a map in the order of Go: by the bytes of their keys. */
export const entriesOf = (map: Value): readonly (readonly [string, Value])[] =>
  Object.entries(map as Readonly<Record<string, Value>>).sort(([a], [b]) => compareText(a, b));

/** How many keys a map has. */
export const sizeOf = (map: Value): number => Object.keys(map as object).length;

export const compareText = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What a map has under a key of its own; undefined when there is none. */
export const memberOf = (map: Value, key: string): Value =>
  Object.hasOwn(map as object, key) ? (map as Readonly<Record<string, Value>>)[key] : undefined;

/** Go's name of the type. */
export const typeName = (value: Value): string => TYPES[kindOf(value)];

const TYPES: Readonly<Record<ValueKind, string>> = {
  ...{ nil: '<nil>', bool: 'bool', int: 'int64', float: 'float64', string: 'string' },
  ...{ slice: '[]interface {}', map: 'map[string]interface {}' },
};

/** Not the zero of its type. */
export const isTrue = (value: Value): boolean => {
  switch (kindOf(value)) {
    case 'nil':
      return false;
    case 'bool':
      return value as boolean;
    case 'int':
      return value !== 0 && value !== 0n;
    case 'float':
      return floatOf(value) !== 0;
    case 'string':
      return value !== '';
    case 'slice':
      return sliceOf(value).length > 0;
    case 'map':
      return sizeOf(value) > 0;
  }
};

/** As `%v` writes it; what a template prints of itself is the same but for `<no value>`. */
export const plainText = (value: Value): string => {
  switch (kindOf(value)) {
    case 'nil':
      return '<nil>';
    case 'float':
      return floatText(floatOf(value));
    case 'slice':
      return `[${sliceOf(value).map(plainText).join(' ')}]`;
    case 'map': {
      const entries = entriesOf(value).map(([key, member]) => `${key}:${plainText(member)}`);
      return `map[${entries.join(' ')}]`;
    }
    default:
      return String(value);
  }
};

/** The shortest digits, with an exponent below 1e-4 and from 1e+6 on. Source: Go's strconv. */
const floatText = (value: number): string => {
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN';
  if (Object.is(value, -0)) return '-0';
  const exponent = Number(/e(.*)$/.exec(value.toExponential())?.[1]);
  return exponent < -4 || exponent >= 6 ? goExponent(value.toExponential()) : String(value);
};

/** Go writes at least two digits of an exponent. */
export const goExponent = (text: string): string =>
  text.replace(/e([+-])(\d)$/, (_, sign: string, digit: string) => `e${sign}0${digit}`);

/** A text in quotes, as Go's `%q`. */
export const quoted = (text: string): string =>
  stringifyJson(text).replace(
    /\\u00([0-9a-f]{2})/g,
    (_, hex: string) => SHORT_ESCAPES[hex] ?? `\\x${hex}`,
  );

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '07': '\\a', '0b': '\\v' };
