import { CelRuntimeError } from '../errors';
import { formatDouble } from '../numbers';
import { int, uint } from '../ordering';
import {
  duration,
  formatDuration,
  formatTimestamp,
  NANOS_PER_SECOND,
  parseDuration,
  parseTimestamp,
  timestamp,
} from '../time';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  param,
  STRING,
  TIMESTAMP,
  typeName,
  typeOf,
  UINT,
} from '../types';
import {
  CelObject,
  CelOpaque,
  CelTypeValue,
  kindOf,
  type CelDuration,
  type CelTimestamp,
  type CelValue,
} from '../values';
import { fn, member, type Library } from './function';

const A = param('A');
const B = param('B');

/** @throws CelRuntimeError unless it is a whole moment of RFC 3339 */
export const readTimestamp = (text: string): CelTimestamp => {
  if (!/[Tt]/.test(text)) throw new CelRuntimeError(`invalid timestamp "${text.slice(0, 64)}"`);
  return parseTimestamp(text);
};

/** @throws CelRuntimeError unless Go would read it */
export const readDuration = (text: string): CelDuration => {
  if (/[dw]/.test(text)) throw new CelRuntimeError(`time: invalid duration "${text.slice(0, 64)}"`);
  return parseDuration(text);
};

const fromText = (text: string, type: string, pattern: RegExp): string => {
  if (text.length <= NUMBER_TEXT_MAX && pattern.test(text)) return text;
  throw new CelRuntimeError(`type conversion error from 'string' to '${type}'`);
};

const wholeOf = (value: number): bigint => {
  if (!Number.isFinite(value)) throw new CelRuntimeError('integer overflow');
  return BigInt(Math.trunc(value));
};

/** The bounds themselves are out: as doubles they stand for more than one integer. */
const intOf = (value: number): bigint => {
  if (Math.abs(value) >= 2 ** 63) throw new CelRuntimeError('integer overflow');
  return int(wholeOf(value));
};

const decodeUtf8 = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CelRuntimeError('invalid UTF-8 in bytes, cannot convert to string');
  }
};

const boolOf = (text: string): boolean => {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new CelRuntimeError(`type conversion error from 'string' to 'bool'`);
};

const typeNameOf = (value: CelValue): string => {
  if (value instanceof CelObject || value instanceof CelOpaque) return typeName(value.type);
  const kind = kindOf(value);
  return kind === 'dyn' ? kind : (NAMES[kind] ?? kind);
};

const codePoints = (text: string): bigint => {
  let count = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--;
  return BigInt(count);
};

export const CONVERSIONS: Library = {
  size: [fn, member].flatMap((make) => [
    make([STRING], INT, (meter, text) => {
      meter.charge(text.length / SIZE_CHARS);
      return codePoints(text);
    }),
    make([BYTES], INT, (_meter, bytes) => BigInt(bytes.length)),
    make([listOf(A)], INT, (_meter, list) => BigInt(list.size)),
    make([mapOf(A, B)], INT, (_meter, map) => BigInt(map.size)),
  ]),
  dyn: [fn([A], DYN, (_meter, value) => value)],
  type: [fn([A], typeOf(A), (_meter, value) => new CelTypeValue(typeNameOf(value)))],
  int: [
    fn([INT], INT, (_meter, value) => value),
    fn([UINT], INT, (_meter, { value }) => int(value)),
    fn([DOUBLE], INT, (_meter, value) => intOf(value)),
    fn([STRING], INT, (_meter, text) => int(BigInt(fromText(text, 'int', /^[+-]?\d+$/)))),
    fn([TIMESTAMP], INT, (_meter, { nanos }) => secondsOf(nanos)),
    fn([DURATION], INT, (_meter, { nanos }) => nanos),
  ],
  uint: [
    fn([UINT], UINT, (_meter, value) => value),
    fn([INT], UINT, (_meter, value) => uint(value)),
    fn([DOUBLE], UINT, (_meter, value) => uint(wholeOf(value))),
    fn([STRING], UINT, (_meter, text) => uint(BigInt(fromText(text, 'uint', /^\d+$/)))),
  ],
  double: [
    fn([DOUBLE], DOUBLE, (_meter, value) => value),
    fn([INT], DOUBLE, (_meter, value) => Number(value)),
    fn([UINT], DOUBLE, (_meter, { value }) => Number(value)),
    fn([STRING], DOUBLE, (_meter, text) => doubleOf(text)),
  ],
  bool: [
    fn([BOOL], BOOL, (_meter, value) => value),
    fn([STRING], BOOL, (_m, text) => boolOf(text)),
  ],
  string: [
    fn([STRING], STRING, (_meter, value) => value),
    fn([BOOL], STRING, (_meter, value) => String(value)),
    fn([INT], STRING, (_meter, value) => value.toString()),
    fn([UINT], STRING, (_meter, { value }) => value.toString()),
    fn([DOUBLE], STRING, (_meter, value) => formatDouble(value)),
    fn([BYTES], STRING, (meter, value) => {
      meter.traverse(value.length);
      return decodeUtf8(value);
    }),
    fn([TIMESTAMP], STRING, (meter, value) => {
      meter.charge(PARSE_COST);
      return formatTimestamp(value);
    }),
    fn([DURATION], STRING, (_meter, value) => formatDuration(value)),
  ],
  bytes: [
    fn([BYTES], BYTES, (_meter, value) => value),
    fn([STRING], BYTES, (meter, text) => {
      meter.charge(5);
      meter.traverse(text.length);
      return new Uint8Array(Buffer.from(text));
    }),
  ],
  timestamp: [
    fn([TIMESTAMP], TIMESTAMP, (_meter, value) => value),
    fn([INT], TIMESTAMP, (_meter, seconds) => timestamp(seconds * NANOS_PER_SECOND)),
    fn([STRING], TIMESTAMP, (meter, text) => {
      meter.charge(PARSE_COST);
      return readTimestamp(text);
    }),
  ],
  duration: [
    fn([DURATION], DURATION, (_meter, value) => value),
    fn([INT], DURATION, (_meter, nanos) => duration(nanos)),
    fn([STRING], DURATION, (meter, text) => {
      meter.charge(PARSE_COST);
      return readDuration(text);
    }),
  ],
};

const doubleOf = (text: string): number => {
  const special = SPECIAL_DOUBLES[text.toLowerCase()];
  return special ?? Number(fromText(text, 'double', DOUBLE_TEXT));
};

const secondsOf = (nanos: bigint): bigint => {
  const seconds = nanos / NANOS_PER_SECOND;
  return nanos % NANOS_PER_SECOND < 0n ? seconds - 1n : seconds;
};

const NAMES: Readonly<Record<string, string>> = {
  ...{ null: 'null_type', optional: 'optional_type' },
  ...{ timestamp: 'google.protobuf.Timestamp', duration: 'google.protobuf.Duration' },
};
const SPECIAL_DOUBLES: Readonly<Record<string, number | undefined>> = {
  ...{ nan: NaN, inf: Infinity, '+inf': Infinity, '-inf': -Infinity },
  ...{ infinity: Infinity, '+infinity': Infinity, '-infinity': -Infinity },
};
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);
const DOUBLE_TEXT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const NUMBER_TEXT_MAX = 400;
const SIZE_CHARS = 5;
/** What is read with a pattern takes the time of so many steps. */
export const PARSE_COST = 40;
