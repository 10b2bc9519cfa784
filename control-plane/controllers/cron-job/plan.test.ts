import fc from 'fast-check';

import type { CronJob } from '../../../api/types';
import { jobDraft } from './job-draft';
import { planStart, type StartPlan } from './plan';

const MINUTE_MS = 60_000;
const NOON = Date.parse('2026-03-02T12:00:00Z');

const cron = (spec: object, status: object = {}, createdMs = NOON): CronJob => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: {
    name: 'c',
    namespace: 'default',
    creationTimestamp: new Date(createdMs).toISOString(),
  },
  spec: {
    ...{ schedule: '*/5 * * * *', jobTemplate: { spec: { template: {} } } },
    ...spec,
  },
  status,
});

const at = (minutes: number): number => NOON + minutes * MINUTE_MS;
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();
const reasons = ({ told }: StartPlan): readonly string[] => told.map(({ reason }) => reason);
const running = { name: 'c-1', uid: 'u' };

it('starts at each time, and looks again at the next', () => {
  const waiting = planStart(cron({}), [], at(3));
  expect(waiting).toEqual({ told: [], lookAtMs: at(5) + 100 });
  const due = planStart(cron({}), [], at(5) + 100);
  expect(due).toEqual({ told: [], startMs: at(5), lookAtMs: at(10) + 100 });
  const done = { lastScheduleTime: iso(at(5)) };
  expect(planStart(cron({}, done), [], at(6))).toEqual({ told: [], lookAtMs: at(10) + 100 });
});

it('starts the latest of several missed times, alone', () => {
  expect(iso(planStart(cron({}), [], at(33)).startMs)).toBe(iso(at(30)));
});

it('says when it is too late, and when too many times were missed', () => {
  const late = planStart(cron({ startingDeadlineSeconds: 60 }), [], at(7));
  const message = 'Missed scheduled time to start a job: Mon, 02 Mar 2026 12:05:00 +0000';
  expect(late.startMs).toBeUndefined();
  expect(late.told).toEqual([{ type: 'Warning', reason: 'MissSchedule', message }]);
  const missed = planStart(cron({ startingDeadlineSeconds: 200 }, {}, at(-60)), [], at(8));
  expect(iso(missed.startMs)).toBe(iso(at(5)));
  const many = planStart(cron({ schedule: '* * * * *' }), [], at(150));
  expect({ start: iso(many.startMs), told: reasons(many) }).toEqual({
    ...{ start: iso(at(150)), told: ['TooManyMissedTimes'] },
  });
});

it('starts nothing beside a job that runs, where that is forbidden', () => {
  const forbid = (active: readonly object[]) =>
    planStart(cron({ concurrencyPolicy: 'Forbid' }), active, at(5));
  expect(forbid([running]).startMs).toBeUndefined();
  expect(reasons(forbid([running]))).toEqual(['JobAlreadyActive']);
  expect(forbid([]).startMs).toBe(at(5));
  expect(planStart(cron({ concurrencyPolicy: 'Allow' }), [running], at(5)).startMs).toBe(at(5));
});

it.each([
  [{ suspend: true }, []],
  [{ schedule: '61 * * * *' }, ['UnparseableSchedule']],
  [{ schedule: '0 0 31 2 *' }, ['InvalidSchedule']],
  [{ timeZone: 'Nowhere/Town' }, ['UnknownTimeZone']],
])('starts nothing when it says %j', (spec, expected) => {
  const plan = planStart(cron(spec), [], at(5));
  expect({ start: plan.startMs, look: plan.lookAtMs, told: reasons(plan) }).toEqual({
    ...{ start: undefined, look: undefined, told: expected },
  });
});

it('never starts twice for one time, nor before it, however the clock is set', () => {
  const jumps = fc.array(fc.integer({ min: -90, max: 90 }), { maxLength: 30 });
  const schedules = fc.constantFrom('*/5 * * * *', '0 * * * *', '17 */2 * * *', '@every 10m');
  fc.assert(
    fc.property(schedules, jumps, (schedule, all) => {
      let cronJob = cron({ schedule });
      let nowMs = NOON;
      const starts: number[] = [];
      for (const jump of all) {
        nowMs += jump * MINUTE_MS;
        const { startMs } = planStart(cronJob, [], nowMs);
        if (startMs === undefined) continue;
        expect(startMs).toBeLessThanOrEqual(nowMs);
        starts.push(startMs);
        cronJob = cron({ schedule }, { lastScheduleTime: iso(startMs) });
      }
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    }),
  );
});

it('names a job by its minute, and tells it its time by the clock of the zone', () => {
  const draft = (timeZone?: string) =>
    jobDraft(cron(timeZone === undefined ? {} : { timeZone }), NOON).metadata;
  const STAMP = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
  expect(draft().name).toBe(`c-${NOON / MINUTE_MS}`);
  expect(draft().annotations?.[STAMP]).toBe('2026-03-02T12:00:00Z');
  expect(draft('Asia/Kolkata').annotations?.[STAMP]).toBe('2026-03-02T17:30:00+05:30');
  expect(draft('America/New_York').annotations?.[STAMP]).toBe('2026-03-02T07:00:00-05:00');
});
