import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { IndexedEngine } from './engine/indexed-engine';
import { podInfoOf } from './pod-info';
import { DEFAULT_PROFILES } from './profile';
import { SchedulingQueue } from './queue';
import { SelfCheck } from './self-check';
import { Snapshot } from './snapshot';
import { testNode, testPod, type PodOptions } from './testing';

const start = () => {
  const clock = new ManualClock(0);
  const snapshot = new Snapshot();
  const queue = new SchedulingQueue({ clock, wakeEventsOf: () => [] });
  let overslept = 0;
  const check = new SelfCheck({
    ...{ clock, queue, seed: 1, log: silentLog, profiles: DEFAULT_PROFILES },
    engine: new IndexedEngine({ cluster: snapshot }),
    volumes: { resolve: (info) => info },
    metrics: {
      overslept: () => {
        overslept++;
      },
    },
  });
  const stop = new AbortController();
  const running = check.run(stop.signal);
  /** Waits for a change that lifts a refusal which nothing lifts here. */
  const park = (name: string, options: PodOptions = {}) => {
    const info = podInfoOf(testPod(name, options));
    queue.offer(info);
    queue.take(info.uid);
    queue.refused(info.uid, new Set(['NodeResourcesFit']));
  };
  const stateOf = (name: string) => queue.inspect(`uid-${name}`)?.state;
  const pass = async (ms: number) => {
    await clock.advance(ms);
    // It gives way after each pod.
    for (let turn = 0; turn < 1_500; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    ...{ queue, snapshot, park, stateOf, pass },
    count: () => overslept,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
};

describe('SelfCheck', () => {
  it('has those tried that fit and sleep, and no others', async () => {
    await using bench = start();
    bench.snapshot.setNode(testNode('n1', { cpu: '2' }));
    bench.park('fits', { cpu: '1' });
    bench.park('large', { cpu: '4' });
    await bench.pass(70_000);
    expect([bench.stateOf('fits'), bench.stateOf('large')]).toEqual(['active', 'unschedulable']);
    expect(bench.count()).toBe(1);
  });

  it('leaves alone whom a change that is on its way may wake', async () => {
    await using bench = start();
    bench.snapshot.setNode(testNode('n1', { cpu: '2' }));
    bench.park('fits', { cpu: '1' });
    // Told when the loop asks for the next pod, which it does not here.
    bench.queue.wake({ event: 'NodeAdded', key: 'n1', effectOn: () => 'may-help' });
    await bench.pass(70_000);
    expect(bench.count()).toBe(0);
  });

  it('comes round to each of many', async () => {
    await using bench = start();
    for (let i = 0; i < 1_000; i++) bench.park(`p${i}`, { cpu: '4' });
    bench.park('last', { cpu: '1' });
    bench.snapshot.setNode(testNode('n1', { cpu: '2' }));
    for (let round = 0; round < 6; round++) await bench.pass(30_000);
    expect([bench.stateOf('last'), bench.stateOf('p0')]).toEqual(['active', 'unschedulable']);
    expect(bench.count()).toBe(1);
  });
});
