import { Cron } from 'croner';

import type { Schedule } from '../../../api/validation/cron-schedule';
import { UTC, timeZoneOf, type TimeZone } from './time-zone';

/** When something is due, again and again. */
export interface Timetable {
  /** The first time after `ms`; undefined where there is none within five years. */
  nextAfter(ms: number): number | undefined;
  /** The last of those that follow `firstMs`, itself one of them, up to `untilMs`. */
  lastUntil(firstMs: number, untilMs: number): number;
}

/**
 * Times at which the zone's clock shows what the schedule says, as upstream reckons them: one that
 * clocks skip when they go forward is skipped, and one that they show twice when they go back comes
 * twice. A zone that the schedule names itself is the one that counts. Undefined for an unknown zone.
 */
export const timetableOf = (
  schedule: Schedule,
  zone: string | undefined,
): Timetable | undefined => {
  if (schedule.kind === 'every') return new Interval(schedule.everyMs);
  const name = schedule.zone ?? zone;
  const timeZone = name === undefined ? UTC : timeZoneOf(name);
  return timeZone === undefined ? undefined : new Calendar(patternOf(schedule), timeZone);
};

class Interval implements Timetable {
  constructor(private readonly everyMs: number) {}

  nextAfter(ms: number): number {
    return Math.floor(ms / 1000) * 1000 + this.everyMs;
  }

  lastUntil(firstMs: number, untilMs: number): number {
    return firstMs + Math.floor((untilMs - firstMs) / this.everyMs) * this.everyMs;
  }
}

class Calendar implements Timetable {
  /** Of a clock that never changes; undefined for what is never due. */
  private readonly pattern: Cron | undefined;

  constructor(
    pattern: string | undefined,
    private readonly zone: TimeZone,
  ) {
    this.pattern = pattern === undefined ? undefined : new Cron(pattern, CRON_OPTIONS);
  }

  nextAfter(ms: number): number | undefined {
    const limitMs = ms + HORIZON_MS;
    let fromMs = Math.floor(ms / 1000) * 1000 + 1000;
    for (;;) {
      const offsetMs = this.zone.offsetMsAt(fromMs);
      // The pattern's own answer is later than what it is asked for.
      const shown = this.pattern?.nextRun(new Date(fromMs + offsetMs - 1000));
      if (shown === null || shown === undefined) return undefined;
      const atMs = shown.getTime() - offsetMs;
      const changeMs = this.zone.nextChangeMs(fromMs, Math.min(atMs, limitMs));
      if (changeMs === undefined) return atMs <= limitMs ? atMs : undefined;
      fromMs = changeMs;
    }
  }

  lastUntil(firstMs: number, untilMs: number): number {
    // What comes after `before` is due by `untilMs`, and what comes after `beyond` is not.
    let before = Math.floor(firstMs / 1000) - 1;
    let beyond = Math.floor(untilMs / 1000);
    while (beyond - before > 1) {
      const middle = Math.floor((before + beyond) / 2);
      if ((this.nextAfter(middle * 1000) ?? Infinity) <= untilMs) before = middle;
      else beyond = middle;
    }
    return beyond * 1000;
  }
}

/** As the library reads it: numbers alone, and a star for a day of which nothing is said. */
const patternOf = (schedule: Extract<Schedule, { kind: 'calendar' }>): string | undefined => {
  const { minutes, hours, days, months, weekdays } = schedule;
  const fields = [minutes, hours, days, months, weekdays];
  if (fields.some((values) => values?.length === 0)) return undefined;
  return fields.map((values) => values?.join(',') ?? '*').join(' ');
};

/** Where both a day of the month and one of the week are said, either is enough. */
const CRON_OPTIONS = { mode: '5-part', domAndDow: false, timezone: 'UTC' } as const;

const HORIZON_MS = 5 * 366 * 24 * 60 * 60 * 1000;
