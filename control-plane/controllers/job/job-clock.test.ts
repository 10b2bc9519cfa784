import type { Pod } from '../../../api/types';
import { ManualClock, rfc3339 } from '../../../lib/clock';
import { JobClock } from './job-clock';
import { jobWith, podWith } from './testing';
import { wantedOf } from './wanted';

const START_MS = Date.parse('2030-01-01T00:00:00Z');
const job = jobWith({});
const wanted = wantedOf(job);

let wall: ManualClock;
let clock: JobClock;

beforeEach(() => {
  wall = new ManualClock(START_MS);
  clock = new JobClock(wall);
});

const ended = (uid: string, phase: string, atSeconds: number, more: object = {}): Pod =>
  podWith(uid, {
    ...{ phase, isTracked: false, ...more },
    status: {
      containerStatuses: [
        {
          name: 'main',
          state: { terminated: { finishedAt: rfc3339(START_MS + atSeconds * 1000) } },
        },
      ],
    },
  });

const waitAfter = (...pods: readonly Pod[]): number => {
  clock.observe(job, wanted, pods);
  return clock.waitMs(job);
};

it('waits twice as long after each failure in a row, ten minutes at most', () => {
  const failures = Array.from({ length: 12 }, (_, i) => ended(`p${i}`, 'Failed', -i / 1000));
  const waits = failures.map((_, i) => waitAfter(...failures.slice(0, i + 1)) / 1000);
  expect(waits.map(Math.round)).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600, 600]);
});

it('counts from the last failure, and only those after the last success', () => {
  expect(waitAfter(ended('a', 'Failed', -30), ended('b', 'Failed', -4))).toBe(16_000);
  expect(
    waitAfter(ended('a', 'Failed', -30), ended('b', 'Failed', -4), ended('c', 'Succeeded', -6)),
  ).toBe(6000);
  expect(waitAfter(ended('a', 'Failed', -30), ended('d', 'Succeeded', -1))).toBe(0);
});

it('remembers failures whose pods are gone, and is not misled by who sets the clock', () => {
  expect(waitAfter(ended('a', 'Failed', 0), ended('b', 'Failed', 0))).toBe(20_000);
  wall.setBy(3_600_000);
  expect(waitAfter()).toBe(20_000);
  clock.forget(job);
  expect(clock.waitMs(job)).toBe(0);
});

it('takes a pod on its way out for a failure, unless the job gave it up', () => {
  const deleted = podWith('a', { isDeleted: true });
  expect(waitAfter(deleted)).toBe(10_000);
  clock.forget(job);
  expect(waitAfter(podWith('b', { isDeleted: true, isTracked: false }))).toBe(0);
});
