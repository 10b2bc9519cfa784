import type { Meter } from '../meter';
import { civilTime, NANOS_PER_SECOND, type CivilTime } from '../time';
import { DURATION, INT, STRING, TIMESTAMP } from '../types';
import type { CelTimestamp } from '../values';
import { member, type Library, type Overload } from './function';

const part = (read: (time: CivilTime) => number): readonly Overload[] => {
  const get = (meter: Meter, time: CelTimestamp, zone?: string): bigint => {
    // The calendars of named zones are made anew each time.
    if (zone !== undefined) meter.charge(ZONE_COST);
    return BigInt(read(civilTime(time, zone)));
  };
  return [member([TIMESTAMP], INT, get), member([TIMESTAMP, STRING], INT, get)];
};

const whole = (nanos: bigint): Overload =>
  member([DURATION], INT, (_meter, duration) => duration.nanos / nanos);

export const TIME_LIBRARY: Library = {
  getFullYear: part(({ year }) => year),
  getMonth: part(({ month }) => month - 1),
  getDate: part(({ day }) => day),
  getDayOfMonth: part(({ day }) => day - 1),
  getDayOfWeek: part(({ weekday }) => weekday),
  getDayOfYear: part(({ dayOfYear }) => dayOfYear),
  getHours: [...part(({ hours }) => hours), whole(3600n * NANOS_PER_SECOND)],
  getMinutes: [...part(({ minutes }) => minutes), whole(60n * NANOS_PER_SECOND)],
  getSeconds: [...part(({ seconds }) => seconds), whole(NANOS_PER_SECOND)],
  getMilliseconds: [
    ...part(({ millis }) => millis),
    member([DURATION], INT, (_meter, { nanos }) => (nanos % NANOS_PER_SECOND) / 1_000_000n),
  ],
};

const ZONE_COST = 2000;
