import { ManualClock } from '../../lib/clock';
import type { Effect } from './changes';
import { podInfoOf } from './pod-info';
import type { WakeEvent } from './plugins/plugin';
import { backoffMsAfter, SchedulingQueue } from './queue';
import { testPod, type PodOptions } from './testing';

const info = (name: string, options: PodOptions = {}) => podInfoOf(testPod(name, options));

const WAKE_EVENTS: Readonly<Record<string, readonly WakeEvent[]>> = {
  NodeResourcesFit: ['PodRemoved'],
  TaintToleration: ['NodeTaintsChanged'],
};

const create = (effectOf: (node: string) => Effect = () => 'may-help') => {
  const clock = new ManualClock(0);
  const abort = new AbortController();
  const queue = new SchedulingQueue({
    clock,
    wakeEventsOf: (plugin) => WAKE_EVENTS[plugin] ?? [],
  });
  const wake = (event: WakeEvent, key: string) =>
    queue.wake({ event, key, effectOn: () => effectOf(key) });
  const popped: string[] = [];
  /** Everything that can be popped now. */
  const drain = async () => {
    popped.length = 0;
    const stop = new AbortController();
    const reading = (async () => {
      for (;;) {
        const attempt = await queue.pop(stop.signal);
        if (attempt === undefined) return;
        popped.push(attempt.info.pod.metadata.name);
        last.set(attempt.info.pod.metadata.name, attempt.trigger);
      }
    })();
    await clock.advance(0);
    stop.abort();
    await reading;
    return [...popped];
  };
  const last = new Map<string, string>();
  const refuse = (name: string, plugin = 'NodeResourcesFit') =>
    queue.refused(`uid-${name}`, new Set([plugin]));
  return { clock, abort, queue, wake, drain, refuse, last };
};

describe('SchedulingQueue', () => {
  it('hands out the highest priority first, then the earliest', async () => {
    const { queue, drain } = create();
    queue.offer(info('a'));
    queue.offer(info('b', { priority: 10 }));
    queue.offer(info('c'));
    queue.offer(info('d', { priority: 10 }));
    queue.offer(info('e', { priority: -1 }));
    expect(await drain()).toEqual(['b', 'd', 'a', 'c', 'e']);
  });

  it('waits for a pod to come', async () => {
    const { queue, clock } = create();
    const popping = queue.pop(new AbortController().signal);
    await clock.advance(5_000);
    queue.offer(info('late'));
    expect((await popping)?.info.key).toBe('default/late');
  });

  it('gives nothing once its signal aborts', async () => {
    const { queue, abort } = create();
    const popping = queue.pop(abort.signal);
    abort.abort();
    expect(await popping).toBeUndefined();
  });

  it('holds gated pods until the gates are lifted', async () => {
    const { queue, drain, last } = create();
    queue.offer(info('a', { schedulingGates: [{ name: 'quota' }] }));
    expect(await drain()).toEqual([]);
    expect(queue.inspect('uid-a')?.state).toBe('gated');
    queue.offer(info('a'));
    expect(await drain()).toEqual(['a']);
    expect(last.get('a')).toBe('GatesLifted');
  });

  it('wakes a refused pod by events that its refusing plugin names, and by no other', async () => {
    const { queue, wake, drain, refuse, clock, last } = create();
    queue.offer(info('a'));
    await drain();
    refuse('a', 'TaintToleration');
    await clock.advance(20_000);
    wake('PodRemoved', 'n1');
    wake('NodeLabelsChanged', 'n1');
    expect(await drain()).toEqual([]);
    wake('NodeTaintsChanged', 'n1');
    expect(await drain()).toEqual(['a']);
    expect(last.get('a')).toBe('NodeTaintsChanged');
  });

  it('does not wake a pod for a node that it would not fit', async () => {
    const { queue, wake, drain, refuse, clock } = create((node) =>
      node === 'good' ? 'may-help' : 'no-help',
    );
    queue.offer(info('a'));
    await drain();
    refuse('a');
    await clock.advance(20_000);
    wake('NodeAdded', 'bad');
    expect(await drain()).toEqual([]);
    wake('NodeAdded', 'good');
    expect(await drain()).toEqual(['a']);
  });

  it('waits also for what keeps it from a node that has come', async () => {
    let effect: Effect = { refusedBy: 'NodeResourcesFit' };
    const { queue, wake, drain, refuse, clock } = create(() => effect);
    queue.offer(info('a'));
    await drain();
    refuse('a', 'TaintToleration');
    await clock.advance(20_000);
    wake('NodeAdded', 'n1');
    expect(await drain()).toEqual([]);
    expect(queue.inspect('uid-a')?.wakeOn).toContain('PodRemoved');
    effect = 'may-help';
    wake('PodRemoved', 'n1');
    expect(await drain()).toEqual(['a']);
    // A later attempt begins anew.
    refuse('a', 'TaintToleration');
    expect(queue.inspect('uid-a')?.wakeOn).not.toContain('PodRemoved');
  });

  it('holds a change against a crowd a few at a time', async () => {
    let checks = 0;
    const { queue, wake, drain, refuse, clock } = create(() => {
      checks++;
      return 'no-help';
    });
    const crowd = Array.from({ length: 3_000 }, (_, i) => `p${i}`);
    for (const name of crowd) queue.offer(info(name));
    await drain();
    for (const name of crowd) refuse(name);
    await clock.advance(20_000);
    wake('PodRemoved', 'n1');
    const stop = new AbortController();
    const popping = queue.pop(stop.signal);
    let most = checks;
    for (let before = checks; checks < crowd.length; before = checks) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, checks - before);
    }
    stop.abort();
    await popping;
    expect(most).toBeLessThan(1_500);
  });

  it('tries all who wait once more changes than can be checked', async () => {
    let checks = 0;
    const { queue, wake, drain, refuse, clock } = create(() => {
      checks++;
      return 'no-help';
    });
    const crowd = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    for (const name of crowd) queue.offer(info(name));
    await drain();
    for (const name of crowd) refuse(name);
    await clock.advance(20_000);
    for (let i = 0; i < 2_000; i++) wake('PodRemoved', `n${i}`);
    expect((await drain()).toSorted()).toEqual(crowd.toSorted());
    expect(checks).toBeLessThan(500_001);
  });

  it('tries all who wait also when they have come after the changes', async () => {
    let checks = 0;
    const { queue, wake, drain, refuse, clock } = create(() => {
      checks++;
      return 'no-help';
    });
    const crowd = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    const waits = (name: string) => {
      queue.offer(info(name));
      queue.take(`uid-${name}`);
      refuse(name);
    };
    waits('p0');
    for (let i = 0; i < 2_000; i++) wake('PodRemoved', `n${i}`);
    for (const name of crowd.slice(1)) waits(name);
    await drain();
    await clock.advance(20_000);
    expect((await drain()).toSorted()).toEqual(crowd.toSorted());
    expect(checks).toBeLessThan(500_001);
  });

  it('wakes the others where one breaks what is asked about it', async () => {
    const { queue, wake, drain, refuse, clock } = create((node) => {
      if (node === 'bad') throw new Error('broken');
      return 'may-help';
    });
    queue.offer(info('a'));
    queue.offer(info('b'));
    await drain();
    refuse('a');
    refuse('b');
    await clock.advance(20_000);
    wake('PodRemoved', 'bad');
    // Whatever is wrong with it shows at its attempt.
    expect(await drain()).toEqual(['a', 'b']);
  });

  it('replays what happened during the attempt', async () => {
    const { queue, wake, drain, refuse } = create();
    queue.offer(info('a'));
    await drain();
    wake('PodRemoved', 'n1');
    refuse('a');
    expect(queue.inspect('uid-a')?.state).toBe('backoff');
  });

  it('replays every event of a node, not only its last', async () => {
    const { queue, wake, drain, refuse } = create();
    queue.offer(info('a'));
    await drain();
    for (const event of ['PodRemoved', 'NodeTaintsChanged'] as const) wake(event, 'n1');
    refuse('a');
    expect(queue.inspect('uid-a')?.state).toBe('backoff');
  });

  it('tries one for whom room is made as soon as it may be there', async () => {
    const { queue, wake, drain, clock } = create();
    for (const name of ['a', 'b']) queue.offer(info(name));
    await drain();
    queue.refused('uid-a', new Set(['NodeResourcesFit']), true);
    queue.refused('uid-b', new Set(['NodeResourcesFit']));
    wake('PodRemoved', 'n1');
    expect(await drain()).toEqual(['a']);
    // Without room it waits as others do.
    queue.refused('uid-a', new Set(['NodeResourcesFit']));
    wake('PodRemoved', 'n1');
    await clock.advance(1_000);
    expect(await drain()).toEqual(['b']);
    expect(queue.inspect('uid-a')?.state).toBe('backoff');
  });

  it('doubles the wait from one second to ten', async () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((count) => backoffMsAfter(count))).toEqual([
      1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000,
    ]);
    const { queue, wake, drain, refuse, clock } = create();
    queue.offer(info('a'));
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      expect(await drain()).toEqual(['a']);
      refuse('a');
      wake('PodRemoved', 'n1');
      await drain();
      await clock.advance(waitMs - 1);
      expect(await drain()).toEqual([]);
      await clock.advance(1);
    }
  });

  it('tries a refused pod again after five minutes without any event', async () => {
    const { queue, drain, refuse, clock, last } = create();
    queue.offer(info('a'));
    await drain();
    refuse('a');
    await clock.advance(299_999);
    expect(await drain()).toEqual([]);
    await clock.advance(1);
    expect(await drain()).toEqual(['a']);
    expect(last.get('a')).toBe('PeriodicRetry');
  });

  it('tries a refused pod again when it asks for something else, not when its status changes', async () => {
    const { queue, drain, refuse, clock } = create();
    queue.offer(info('a', { cpu: '4' }));
    await drain();
    refuse('a');
    await clock.advance(20_000);
    queue.offer(info('a', { cpu: '4', phase: 'Running' }));
    expect(await drain()).toEqual([]);
    queue.offer(info('a', { cpu: '1' }));
    expect(await drain()).toEqual(['a']);
  });

  it('forgets removed pods wherever they wait', async () => {
    const { queue, wake, drain, refuse } = create();
    queue.offer(info('active'));
    queue.remove('uid-active');
    queue.offer(info('parked'));
    await drain();
    refuse('parked');
    queue.remove('uid-parked');
    wake('NodeAdded', 'n1');
    expect(await drain()).toEqual([]);
    expect(queue.size).toBe(0);
  });

  it('takes a pod back after its binding failed, with its attempts', async () => {
    const { queue, drain, clock } = create();
    queue.offer(info('a'));
    const attempt = (await queue.pop(new AbortController().signal))!;
    queue.scheduled('uid-a');
    expect(queue.size).toBe(0);
    queue.retry(attempt, 'BindingFailed');
    expect(await drain()).toEqual([]);
    await clock.advance(1_000);
    expect(await drain()).toEqual(['a']);
    expect(queue.inspect('uid-a')?.attempts).toBe(2);
  });
});
