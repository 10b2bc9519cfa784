import { ApiError } from '../../api/errors';
import { effectiveRequests, isTerminal } from '../../api/pods';
import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom, type Random } from '../../lib/random';
import { createScheduler } from './scheduler';
import { FakeApi, FakeEvents, testNode, testPod } from './testing';

const NODE_COUNT = 5;
const NODE_CPU_MILLIS = 4_000;

const podsOf = async (api: FakeApi): Promise<readonly Pod[]> => (await api.list(PODS)).items;

const pick = <T>(random: Random, items: readonly T[]): T | undefined =>
  items[Math.floor(random.next() * items.length)];

const expectNoOvercommit = async (api: FakeApi) => {
  const used = new Map<string, number>();
  for (const pod of await podsOf(api)) {
    const { nodeName } = pod.spec;
    if (nodeName === undefined || isTerminal(pod)) continue;
    used.set(nodeName, (used.get(nodeName) ?? 0) + effectiveRequests(pod.spec).cpuMillis);
  }
  for (const [, millis] of used) expect(millis).toBeLessThanOrEqual(NODE_CPU_MILLIS);
};

/** One thing that happens to a cluster, or to a binding on its way. */
const disturb = async (api: FakeApi, random: Random, step: number) => {
  const pods = await podsOf(api);
  const pod = pick(random, pods);
  const dice = random.next();
  if (dice < 0.5 || pod === undefined) {
    const cpu = pick(random, ['300m', '1', '2500m', '9'])!;
    api.putPod(testPod(`p${step}`, { cpu, priority: Math.floor(random.next() * 3) }));
  } else if (dice < 0.65) api.take(PODS, pod);
  else if (dice < 0.75 && pod.spec.nodeName !== undefined) {
    api.putPod({ ...pod, status: { phase: 'Succeeded' } });
  } else if (dice < 0.8) {
    // Deleted and made again under the same name.
    api.take(PODS, pod);
    api.putPod(testPod(pod.metadata.name, { cpu: '1', uid: `again-${step}` }));
  } else {
    const reason = pick(random, ['Timeout', 'InternalError', 'Forbidden'] as const)!;
    const isApplied = reason !== 'Forbidden' && random.next() < 0.5;
    api.failNextBind = { error: new ApiError(reason, 'disturbed'), isApplied };
  }
};

describe('scheduler under disturbance', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'overcommits no node and leaks no room (seed %i)',
    async (seed) => {
      const api = new FakeApi();
      const clock = new ManualClock(0);
      const random = seededRandom(seed);
      for (let i = 0; i < NODE_COUNT; i++) api.putNode(testNode(`n${i}`, { cpu: '4' }));
      const events = new FakeEvents();
      const scheduler = createScheduler({ client: api, clock, random, log: silentLog, events });
      const abort = new AbortController();
      const running = scheduler.run(abort.signal);

      for (let step = 0; step < 250; step++) {
        await disturb(api, random, step);
        if (random.next() < 0.6) await clock.advance(random.next() * 1_500);
        await expectNoOvercommit(api);
      }

      // Whatever an assumption had left behind would now be missing.
      api.failNextBind = undefined;
      for (const pod of await podsOf(api)) api.take(PODS, pod);
      await clock.advance(30_000);
      const wanted = NODE_COUNT * (NODE_CPU_MILLIS / 1_000);
      for (let i = 0; i < wanted; i++) api.putPod(testPod(`last${i}`, { cpu: '1' }));
      const countBound = async () =>
        (await podsOf(api)).filter(({ spec }) => spec.nodeName !== undefined).length;
      for (let turn = 0; turn < 200 && (await countBound()) < wanted; turn++) {
        await clock.advance(1_000);
      }
      await expectNoOvercommit(api);
      expect(await countBound()).toBe(wanted);
      expect(scheduler.metrics.lines()).toContain('dhow_scheduler_overslept_pods_total 0');

      abort.abort();
      await running;
    },
  );
});
