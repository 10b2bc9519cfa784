import { CelRuntimeError } from './errors';
import { CelDuration, CelTimestamp } from './values';

export const NANOS_PER_SECOND = 1_000_000_000n;

/** A moment of RFC 3339, or a date. @throws CelRuntimeError */
export const parseTimestamp = (text: string): CelTimestamp => {
  const match = text.length > TEXT_MAX ? null : RFC3339.exec(text);
  if (match === null) throw badTimestamp(text);
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  const [h, min, s] = [Number(hour), Number(minute), Number(second)];
  if (m < 1 || m > 12 || d < 1 || d > daysIn(y, m) || h > 23 || min > 59 || s > 59)
    throw badTimestamp(text);
  const seconds = daysFromCivil(y, m, d) * 86_400 + h * 3600 + min * 60 + s - offsetSeconds(zone);
  return timestamp(BigInt(seconds) * NANOS_PER_SECOND + BigInt(fraction.padEnd(9, '0')));
};

/** @throws CelRuntimeError outside the years that are known */
export const timestamp = (nanos: bigint): CelTimestamp => {
  if (nanos < TIME_MIN || nanos > TIME_MAX) throw new CelRuntimeError('timestamp overflow');
  return new CelTimestamp(nanos);
};

/** @throws CelRuntimeError beyond 64 bits of nanoseconds */
export const duration = (nanos: bigint): CelDuration => {
  if (nanos < -DURATION_MAX - 1n || nanos > DURATION_MAX)
    throw new CelRuntimeError('duration overflow');
  return new CelDuration(nanos);
};

/** `1h30m`, `-1.5s`, `3d`: Go's words, with days and weeks. @throws CelRuntimeError */
export const parseDuration = (text: string): CelDuration => {
  const match = text.length > TEXT_MAX ? null : DURATION_TEXT.exec(text);
  if (match === null) throw badDuration(text);
  const body = match[2] ?? '';
  if (body === '0') return new CelDuration(0n);
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(DURATION_PART)) {
    if (whole === '' && fraction === '') throw badDuration(text);
    const scale = UNITS[unit] ?? 0n;
    const digits = fraction.slice(0, 18);
    nanos += BigInt(whole || '0') * scale;
    nanos += (BigInt(digits || '0') * scale) / 10n ** BigInt(digits.length);
  }
  return duration(match[1] === '-' ? -nanos : nanos);
};

export const formatTimestamp = ({ nanos }: CelTimestamp): string => {
  const { year, month, day, hours, minutes, seconds } = civilOf(nanos);
  const fraction = mod(nanos, NANOS_PER_SECOND).toString().padStart(9, '0').replace(/0+$/, '');
  const two = (n: number) => String(n).padStart(2, '0');
  return (
    `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}` +
    `T${two(hours)}:${two(minutes)}:${two(seconds)}${fraction === '' ? '' : `.${fraction}`}Z`
  );
};

/** In seconds: `90s`, `0.5s`. */
export const formatDuration = ({ nanos }: CelDuration): string => {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = (size % NANOS_PER_SECOND).toString().padStart(9, '0').replace(/0+$/, '');
  const seconds = (size / NANOS_PER_SECOND).toString();
  return `${nanos < 0n ? '-' : ''}${seconds}${fraction === '' ? '' : `.${fraction}`}s`;
};

export interface CivilTime {
  readonly year: number;
  /** From 1, as the day. */
  readonly month: number;
  readonly day: number;
  /** From 0. */
  readonly dayOfYear: number;
  /** Sunday is 0. */
  readonly weekday: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly millis: number;
}

/** The calendar in a zone: UTC, an offset, or a name of the time zone database. @throws CelRuntimeError */
export const civilTime = ({ nanos }: CelTimestamp, zone?: string): CivilTime => {
  if (zone === undefined || zone === 'UTC' || zone === '') return civilOf(nanos);
  return civilOf(nanos + BigInt(zoneSeconds(nanos, zone)) * NANOS_PER_SECOND);
};

const civilOf = (nanos: bigint): CivilTime => {
  const total = Number(floorDiv(nanos, NANOS_PER_SECOND));
  const days = Math.floor(total / 86_400);
  const rest = total - days * 86_400;
  const { year, month, day } = civilFromDays(days);
  return {
    ...{ year, month, day },
    dayOfYear: days - daysFromCivil(year, 1, 1),
    weekday: (((days + 4) % 7) + 7) % 7,
    hours: Math.floor(rest / 3600),
    minutes: Math.floor(rest / 60) % 60,
    seconds: rest % 60,
    millis: Number(mod(nanos, NANOS_PER_SECOND) / 1_000_000n),
  };
};

const zoneSeconds = (nanos: bigint, zone: string): number => {
  const offset = OFFSET.exec(zone);
  if (offset !== null) {
    const [, sign, hours, minutes] = offset;
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60);
  }
  const moment = Number(floorDiv(nanos, NANOS_PER_SECOND)) * 1000;
  const parts = Object.fromEntries(
    zoneFormat(zone)
      .formatToParts(moment)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const local = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
  return local - moment / 1000;
};

const zoneFormat = (timeZone: string): Intl.DateTimeFormat => {
  const numeric = 'numeric';
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', calendar: 'gregory' },
      ...{ year: numeric, month: numeric, day: numeric },
      ...{ hour: numeric, minute: numeric, second: numeric },
    });
  } catch {
    throw new CelRuntimeError(`unknown time zone ${timeZone}`);
  }
};

const offsetSeconds = (zone = 'Z'): number => (zone === 'Z' ? 0 : zoneSeconds(0n, zone));

/** Days since 1970-01-01 of the Gregorian calendar. */
const daysFromCivil = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + dayOfEra + dayOfYear - 719_468;
};

const civilFromDays = (days: number): { year: number; month: number; day: number } => {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const month = mp + (mp < 10 ? 3 : -9);
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * mp + 2) / 5) + 1,
  };
};

const daysIn = (year: number, month: number): number =>
  month === 12 ? 31 : daysFromCivil(year, month + 1, 1) - daysFromCivil(year, month, 1);

const floorDiv = (a: bigint, b: bigint): bigint => (a - mod(a, b)) / b;
const mod = (a: bigint, b: bigint): bigint => ((a % b) + b) % b;

const badTimestamp = (text: string): CelRuntimeError =>
  new CelRuntimeError(`invalid timestamp "${text.slice(0, TEXT_MAX)}"`);
const badDuration = (text: string): CelRuntimeError =>
  new CelRuntimeError(`time: invalid duration "${text.slice(0, TEXT_MAX)}"`);

const TEXT_MAX = 64;
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d))?$/;
const OFFSET = /^([+-]?)(\d\d):(\d\d)$/;
const DURATION_TEXT = /^([+-]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+)$/;
const DURATION_PART = /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h|d|w)/g;
const UNITS: Readonly<Record<string, bigint>> = {
  ...{ ns: 1n, us: 1000n, µs: 1000n, μs: 1000n, ms: 1_000_000n, s: NANOS_PER_SECOND },
  ...{ m: 60n * NANOS_PER_SECOND, h: 3600n * NANOS_PER_SECOND },
  ...{ d: 86_400n * NANOS_PER_SECOND, w: 604_800n * NANOS_PER_SECOND },
};
const TIME_MIN = BigInt(daysFromCivil(1, 1, 1)) * 86_400n * NANOS_PER_SECOND;
const TIME_MAX = BigInt(daysFromCivil(10_000, 1, 1)) * 86_400n * NANOS_PER_SECOND - 1n;
const DURATION_MAX = 2n ** 63n - 1n;
