import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { Availability } from './availability';

const HOUR_MS = 3_600_000;

/** A pod whose node's clock is `skewMs` off. */
const readyPod = (name: string, clock: ManualClock, skewMs = 0, status = 'True'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: name },
  spec: { containers: [] },
  status: {
    conditions: [
      {
        type: 'Ready',
        status,
        lastTransitionTime: new Date(clock.now() + skewMs).toISOString(),
      },
    ],
  },
});

const setUp = () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  return { clock, availability: new Availability(clock) };
};

it.each([
  ['right', 0],
  ['five minutes ahead', 300_000],
  ['five minutes behind', -300_000],
  ['a day ahead', 24 * HOUR_MS],
])('counts ten seconds from when it saw the pod ready: its node is %s', async (_title, skewMs) => {
  const { clock, availability } = setUp();
  availability.count('set', [], 10, 0);
  const pods = [readyPod('a', clock, skewMs)];
  expect(availability.count('set', pods, 10, 0)).toMatchObject({ available: 0, nextInMs: 10_000 });
  await clock.advance(9_999);
  expect(availability.count('set', pods, 10, 0)).toMatchObject({ available: 0, nextInMs: 1 });
  await clock.advance(1);
  expect(availability.count('set', pods, 10, 0)).toMatchObject({
    available: 1,
    nextInMs: undefined,
  });
});

it('begins anew when the pod was not ready in between, seen or not', async () => {
  const { clock, availability } = setUp();
  availability.count('set', [], 10, 0);
  availability.count('set', [readyPod('a', clock)], 10, 0);
  await clock.advance(60_000);
  expect(availability.count('set', [readyPod('a', clock)], 10, 0).available).toBe(0);
  await clock.advance(10_000);
  availability.count('set', [readyPod('a', clock, 0, 'False')], 10, 0);
  expect(availability.count('set', [readyPod('a', clock)], 10, 0).available).toBe(0);
});

it('believes after a restart what the status says, of the pods that are ready longest', async () => {
  const { clock, availability } = setUp();
  const old = readyPod('old', clock);
  await clock.advance(60_000);
  const pods = [readyPod('young', clock), old];
  const { uids, ...counted } = availability.count('set', pods, 10, 1);
  expect(counted).toEqual({ available: 1, nextInMs: 10_000 });
  expect([...uids]).toEqual(['old']);
  await clock.advance(10_000);
  expect(availability.count('set', pods, 10, 1).available).toBe(2);
});

it('counts every ready pod at once without minReadySeconds', () => {
  const { clock, availability } = setUp();
  const pods = [readyPod('a', clock, HOUR_MS), readyPod('b', clock, 0, 'False')];
  expect(availability.count('set', pods, 0, 0)).toMatchObject({
    available: 1,
    nextInMs: undefined,
  });
});
