import { PODS } from '../../api/resources';
import { createScheduler } from '../../control-plane/scheduler';
import { FakeApi, FakeEvents, testNode, testPod } from '../../control-plane/scheduler/testing';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { seedsOf } from './seeds';

jest.setTimeout(300_000);

const CROWD = 10_000;

/** What lets one of them in: all others are kept out by the same. */
const CHANGES = [
  { what: 'a new node', wants: { nodeSelector: { team: 'new' } } },
  { what: 'another label', wants: { nodeSelector: { team: 'labelled' } } },
  { what: 'another pod that ends', wants: { nodeSelector: { team: 'full' }, cpu: '1' } },
] as const;

it.each(seedsOf(3))(
  'seed %i: of ten thousand pods that fit nowhere the one that becomes schedulable is bound at once',
  async (seed) => {
    const random = seededRandom(seed);
    const api = new FakeApi();
    const clock = new ManualClock(0);
    api.putNode(testNode('plain', { labels: { team: 'nobody' } }));
    api.putNode(testNode('full', { cpu: '1', labels: { team: 'full' } }));
    api.putPod(testPod('holder', { cpu: '1', nodeName: 'full', phase: 'Running' }));
    const { what, wants } = CHANGES[seed % CHANGES.length]!;
    const chosen = Math.floor(random.next() * CROWD);
    for (let i = 0; i < CROWD; i++)
      api.putPod(
        // Each of a team of its own, so that nobody stands for others.
        testPod(`p${i}`, i === chosen ? wants : { nodeSelector: { team: `t${i}` }, cpu: '1m' }),
      );
    const scheduler = createScheduler({
      ...{ client: api, clock, random, log: silentLog, events: new FakeEvents(), seed },
    });
    const abort = new AbortController();
    const running = scheduler.run(abort.signal);
    const attempts = () => attemptCount(scheduler.metrics.lines());
    /** Turns of the event loop alone: the clock stands, so that nothing is due by itself. */
    const until = async (condition: () => boolean) => {
      for (let turn = 0; turn < 200_000 && !condition(); turn++) {
        await clock.advance(0);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect({ what, isSo: condition() }).toEqual({ what, isSo: true });
    };
    const nodeOf = (): string | undefined => api.pod(`p${chosen}`).spec.nodeName;
    try {
      await until(() => attempts() >= CROWD);
      expect(nodeOf()).toBeUndefined();
      // Those that were refused wait; whoever had to back off has done so.
      await clock.advance(15_000);
      const before = attempts();
      if (what === 'a new node') api.putNode(testNode('new', { labels: { team: 'new' } }));
      else if (what === 'another label')
        api.putNode(testNode('plain', { labels: { team: 'labelled' } }));
      else api.take(PODS, api.pod('holder'));
      await until(() => nodeOf() !== undefined);
      // Few others were tried before it: they do not fit, and it did not wait for them.
      expect({ what, isFew: attempts() - before < 100 }).toEqual({ what, isFew: true });
    } finally {
      abort.abort();
      await running;
    }
  },
);

/** All that have come to an end, whatever came of them. */
const attemptCount = (lines: readonly string[] | string): number =>
  [
    ...[lines]
      .flat()
      .join('\n')
      .matchAll(/^scheduler_schedule_attempts_total\{[^}]*\} (\d+)/gm),
  ]
    .map(([, count]) => Number(count))
    .reduce((sum, count) => sum + count, 0);
