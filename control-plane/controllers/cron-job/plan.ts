import type { CronJob } from '../../../api/types';
import { parseSchedule, scheduleProblem } from '../../../api/validation/cron-schedule';
import { dueOf, earliestOf, nextLookMs } from './due';
import { timetableOf, type Timetable } from './next-time';

export type JobReference = NonNullable<NonNullable<CronJob['status']>['active']>[number];

/** What people are told. */
export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface StartPlan {
  /** A job is to be started for this time. */
  readonly startMs?: number;
  readonly told: readonly Told[];
  /** When the next time comes, on the wall clock; undefined if only a change can bring one. */
  readonly lookAtMs?: number;
}

/** What to start now, in upstream's order of reasons not to (syncCronJob in cronjob_controllerv2.go). */
export const planStart = (
  cronJob: CronJob,
  active: readonly JobReference[],
  nowMs: number,
): StartPlan => {
  const { spec, status, metadata } = cronJob;
  const { schedule: text = '', timeZone, concurrencyPolicy } = spec ?? {};
  if (metadata.deletionTimestamp !== undefined) return { told: [] };
  const schedule = parseSchedule(text);
  const timetable = schedule && timetableOf(schedule, timeZone);
  if (schedule !== undefined && timetable === undefined)
    return unknownZone(
      (schedule.kind === 'calendar' ? schedule.zone : undefined) ?? timeZone ?? '',
    );
  if (spec?.suspend === true) return { told: [] };
  if (timetable === undefined)
    return warn(
      'UnparseableSchedule',
      `unparseable schedule: "${text}" : ${scheduleProblem(text) ?? ''}`,
    );
  const due = dueOf(timetable, earliestOf(cronJob, nowMs, true), nowMs);
  if (due === undefined) return warn('InvalidSchedule', `invalid schedule: ${text} : ${NEVER_DUE}`);
  const lookAt = nextLookMs(timetable, cronJob, nowMs);
  const wait = (...told: readonly Told[]): StartPlan => ({
    told: [...(due.areTooMany ? [TOO_MANY] : []), ...told],
    ...(lookAt === undefined ? {} : { lookAtMs: lookAt }),
  });
  const { latestMs: startMs } = due;
  if (startMs === undefined) return wait(...tooLate(cronJob, timetable, nowMs));
  const isStarted =
    active.some(({ name }) => name === jobNameOf(cronJob, startMs)) ||
    Date.parse(status?.lastScheduleTime ?? '') === startMs;
  if (isStarted) return wait();
  if (concurrencyPolicy === 'Forbid' && active.length > 0) return wait(ALREADY_ACTIVE);
  return { ...wait(), startMs };
};

/** One for each time: whoever starts it twice finds it there. */
export const jobNameOf = ({ metadata }: CronJob, startMs: number): string =>
  `${metadata.name}-${Math.floor(startMs / 60_000)}`;

/** Of a time that passed more than the deadline ago, and that nothing was started for. */
const tooLate = (cronJob: CronJob, timetable: Timetable, nowMs: number): readonly Told[] => {
  if (cronJob.spec?.startingDeadlineSeconds === undefined) return [];
  const missedMs = dueOf(timetable, earliestOf(cronJob, nowMs, false), nowMs)?.latestMs;
  if (missedMs === undefined) return [];
  const when = new Date(missedMs).toUTCString().replace('GMT', '+0000');
  return [warning('MissSchedule', `Missed scheduled time to start a job: ${when}`)];
};

const warning = (reason: string, message: string): Told => ({ type: 'Warning', reason, message });

const warn = (reason: string, message: string): StartPlan => ({ told: [warning(reason, message)] });

const unknownZone = (zone: string): StartPlan =>
  warn('UnknownTimeZone', `invalid timeZone: "${zone}": unknown time zone ${zone}`);

const NEVER_DUE = 'time difference between two schedules is less than 1 second';
const TOO_MANY = warning(
  'TooManyMissedTimes',
  'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
);
const ALREADY_ACTIVE: Told = {
  type: 'Normal',
  reason: 'JobAlreadyActive',
  message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
};
