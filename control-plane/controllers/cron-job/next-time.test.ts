import fc from 'fast-check';

import { parseSchedule } from '../../../api/validation/cron-schedule';
import { timetableOf, type Timetable } from './next-time';
import { timeZoneOf } from './time-zone';

const MINUTE_MS = 60_000;

const timetable = (text: string, zone?: string): Timetable => {
  const schedule = parseSchedule(text);
  const made = schedule && timetableOf(schedule, zone);
  if (made === undefined) throw new Error(`${text} in ${zone ?? 'UTC'} is no timetable`);
  return made;
};

const next = (text: string, after: string, zone?: string): string | undefined => {
  const ms = timetable(text, zone).nextAfter(Date.parse(after));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

it.each([
  ['*/15 * * * *', '2026-03-01T10:07:31Z', '2026-03-01T10:15:00.000Z'],
  ['*/15 * * * *', '2026-03-01T10:15:00Z', '2026-03-01T10:30:00.000Z'],
  ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ['0 0 31 2 *', '2026-03-01T00:00:00Z', undefined],
  [', 0 * * *', '2026-03-01T00:00:00Z', undefined],
  ['@weekly', '2026-03-03T00:00:00Z', '2026-03-08T00:00:00.000Z'],
  ['@monthly', '2026-03-03T00:00:00Z', '2026-04-01T00:00:00.000Z'],
  ['@yearly', '2026-03-03T00:00:00Z', '2027-01-01T00:00:00.000Z'],
  ['@hourly', '2026-03-03T00:00:00Z', '2026-03-03T01:00:00.000Z'],
  ['@every 90s', '2026-03-03T00:00:10.5Z', '2026-03-03T00:01:40.000Z'],
  ['@every 1h30m', '2026-03-03T00:00:00Z', '2026-03-03T01:30:00.000Z'],
  ['@every 5ms', '2026-03-03T00:00:00Z', '2026-03-03T00:00:01.000Z'],
  ['0 9 ? jan-dec MON-fri', '2026-03-06T12:00:00Z', '2026-03-09T09:00:00.000Z'],
  // Either day is enough, unless one is a star; a star in steps is none.
  ['0 0 13 * 5', '2026-03-01T00:00:00Z', '2026-03-06T00:00:00.000Z'],
  ['0 0 */10 * 2', '2026-03-01T00:00:00Z', '2026-03-03T00:00:00.000Z'],
  ['0 0 */1 * 2', '2026-03-01T00:00:00Z', '2026-03-03T00:00:00.000Z'],
])('%s after %s is %s', (text, after, expected) => {
  expect(next(text, after)).toBe(expected);
});

// As robfig/cron's own tests have it.
it.each([
  ['30 2 11 3 *', '2012-03-11T00:00:00-05:00', '2013-03-11T06:30:00.000Z'],
  ['0 * * * *', '2012-03-11T01:00:00-05:00', '2012-03-11T07:00:00.000Z'],
  ['0 1 * * *', '2012-11-04T00:00:00-04:00', '2012-11-04T05:00:00.000Z'],
  ['0 1 * * *', '2012-11-04T01:00:00-04:00', '2012-11-04T06:00:00.000Z'],
  ['0 2 * * *', '2012-11-04T00:00:00-04:00', '2012-11-04T07:00:00.000Z'],
  ['30 1 4 11 *', '2012-11-04T01:45:00-04:00', '2012-11-04T06:30:00.000Z'],
  ['30 2 4 11 *', '2012-11-04T00:00:00-04:00', '2012-11-04T07:30:00.000Z'],
])('in New York %s after %s is %s', (text, after, expected) => {
  expect(next(text, after, 'America/New_York')).toBe(expected);
});

it('counts in the zone that the schedule names itself, and knows no zones that are none', () => {
  expect(next('TZ=Asia/Tokyo 0 0 * * *', '2026-03-01T00:00:00Z')).toBe('2026-03-01T15:00:00.000Z');
  expect(timetableOf(parseSchedule('0 0 * * *')!, 'Nowhere/Town')).toBeUndefined();
});

const minutes = fc.constantFrom('*', '0', '30', '*/20', '5-10', '59,1');
const hours = fc.constantFrom('*', '0', '1', '2', '3', '*/3', '22-23');
const days = fc.constantFrom('*', '?', '1', '29', '*/7', '8,30');
const months = fc.constantFrom('*', '3', 'mar-apr', '10,11');
const weekdays = fc.constantFrom('*', '0', 'mon', '*/2', '5-6');
const texts = fc.tuple(minutes, hours, days, months, weekdays).map((fields) => fields.join(' '));
const zones = fc.constantFrom(
  ...[
    'America/New_York',
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'Africa/Casablanca',
  ],
  ...['America/St_Johns', 'UTC', 'Pacific/Apia'],
);
/** Around changes of clocks, mostly. */
const starts = fc.oneof(
  fc.integer({ min: Date.UTC(2026, 2, 6) / 1000, max: Date.UTC(2026, 3, 7) / 1000 }),
  fc.integer({ min: Date.UTC(2026, 9, 23) / 1000, max: Date.UTC(2026, 10, 3) / 1000 }),
  fc.integer({ min: Date.UTC(2011, 11, 28) / 1000, max: Date.UTC(2011, 11, 31) / 1000 }),
);

it('finds each minute at which the clock shows what is said, and no other', () => {
  fc.assert(
    fc.property(texts, zones, starts, (text, zone, startSeconds) => {
      const table = timetable(text, zone);
      const untilMs = startSeconds * 1000 + 3 * 24 * 60 * MINUTE_MS;
      const found: number[] = [];
      for (let at = table.nextAfter(startSeconds * 1000); at !== undefined && at <= untilMs;) {
        found.push(at);
        at = table.nextAfter(at);
      }
      const expected = shownMinutes(text, zone, startSeconds * 1000, untilMs);
      expect(found).toEqual(expected);
      const [first] = found;
      if (first !== undefined) expect(table.lastUntil(first, untilMs)).toBe(found.at(-1));
    }),
    { numRuns: 60 },
  );
});

/** By looking at the clock each minute. */
const shownMinutes = (text: string, zone: string, afterMs: number, untilMs: number): number[] => {
  const schedule = parseSchedule(text);
  if (schedule?.kind !== 'calendar') return [];
  const clock = timeZoneOf(zone);
  const has = (values: readonly number[] | undefined, value: number): boolean =>
    values === undefined || values.includes(value);
  const shown: number[] = [];
  for (let ms = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS; ms <= untilMs; ms += MINUTE_MS) {
    const face = new Date(ms + (clock?.offsetMsAt(ms) ?? 0));
    const day = has(schedule.days, face.getUTCDate());
    const weekday = has(schedule.weekdays, face.getUTCDay());
    const isEither = schedule.days !== undefined && schedule.weekdays !== undefined;
    if (
      schedule.minutes.includes(face.getUTCMinutes()) &&
      schedule.hours.includes(face.getUTCHours()) &&
      schedule.months.includes(face.getUTCMonth() + 1) &&
      (isEither ? day || weekday : day && weekday)
    )
      shown.push(ms);
  }
  return shown;
};
