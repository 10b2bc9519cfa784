import type { CronJob } from '../../../api/types';
import type { Timetable } from './next-time';

/** Times that have come and gone since a job was last started. */
export interface Due {
  /** The latest of them; undefined if there is none. */
  readonly latestMs: number | undefined;
  /** Beyond a hundred, as far as upstream's estimate goes. */
  readonly areTooMany: boolean;
}

/** When is the cron job due? As upstream's mostRecentScheduleTime (cronjob/utils.go). */
export const dueOf = (timetable: Timetable, earliestMs: number, nowMs: number): Due | undefined => {
  const firstMs = timetable.nextAfter(earliestMs);
  const secondMs = firstMs === undefined ? undefined : timetable.nextAfter(firstMs);
  if (firstMs === undefined || secondMs === undefined) return undefined;
  if (nowMs < firstMs) return { latestMs: undefined, areTooMany: false };
  if (nowMs < secondMs) return { latestMs: firstMs, areTooMany: false };
  const gapMs = secondMs - firstMs;
  const missedCount = Math.floor((nowMs - firstMs) / gapMs) + 1;
  // Where times come at uneven intervals, none may be as late as the first two let expect.
  const latestMs = timetable.lastUntil(firstMs, nowMs);
  const isRecent = latestMs > firstMs + (missedCount - 2) * gapMs;
  return { latestMs: isRecent ? latestMs : undefined, areTooMany: missedCount > MISSED_MAX };
};

/** Where missed times are counted from: a deadline for starting leaves out those that are too late. */
export const earliestOf = (
  { metadata, spec, status }: CronJob,
  nowMs: number,
  isDeadlineKept: boolean,
): number => {
  const createdMs = Date.parse(metadata.creationTimestamp ?? '') || 0;
  const lastMs = Date.parse(status?.lastScheduleTime ?? '');
  const sinceMs = Number.isNaN(lastMs) ? createdMs : lastMs;
  const deadlineSeconds = spec?.startingDeadlineSeconds;
  if (!isDeadlineKept || deadlineSeconds === undefined) return sinceMs;
  return Math.max(sinceMs, nowMs - deadlineSeconds * 1000);
};

/** When to look again: a moment after the next time. */
export const nextLookMs = (
  timetable: Timetable,
  cronJob: CronJob,
  nowMs: number,
): number | undefined => {
  const earliestMs = earliestOf(cronJob, nowMs, false);
  const due = dueOf(timetable, earliestMs, nowMs);
  const isAhead = due?.latestMs === undefined && due?.areTooMany === false;
  const nextMs = timetable.nextAfter(due?.latestMs ?? (isAhead ? earliestMs : nowMs));
  return nextMs === undefined ? undefined : nextMs + DELTA_MS;
};

const MISSED_MAX = 100;
const DELTA_MS = 100;
