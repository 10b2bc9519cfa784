import type { PodStatus } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { StatusOutbox } from './status-outbox';

const LONG_ENOUGH_MS = 1000;

const container = { name: 'main', image: 'web:1', imageID: '', ready: false, restartCount: 0 };

const waiting = (reason: string, podIP?: string): PodStatus => ({
  phase: 'Pending',
  ...(podIP === undefined ? {} : { podIP }),
  containerStatuses: [{ ...container, state: { waiting: { reason } } }],
});

const running: PodStatus = {
  phase: 'Running',
  containerStatuses: [{ ...container, ready: true, state: { running: {} } }],
};

const setUp = () => {
  const clock = new ManualClock();
  const outbox = new StatusOutbox(clock);
  const put = (status: PodStatus, terminated = false) => {
    outbox.put({ namespace: 'shop', name: 'web', uid: 'u1', status, terminated });
  };
  const take = () =>
    outbox.take(100).map(({ status }) => JSON.parse(Buffer.from(status).toString()) as PodStatus);
  return { clock, outbox, put, take };
};

describe('StatusOutbox', () => {
  it('says again what nobody has acknowledged for a minute', async () => {
    const { clock, outbox, put, take } = setUp();
    put(running);
    expect(take()).toEqual([running]);
    expect(take()).toEqual([]);
    expect(outbox.idleMs()).toBe(60_000);
    await clock.advance(outbox.idleMs());
    expect(take()).toEqual([running]);
    outbox.acknowledge('u1');
    expect(outbox.idleMs()).toBe(Infinity);
  });

  it('sends a newer status when the older finds no answer', async () => {
    const { clock, outbox, put, take } = setUp();
    put(running);
    expect(take()).toEqual([running]);
    const later = { ...running, podIP: '10.42.0.2' };
    put(later);
    expect(take()).toEqual([]);
    await clock.advance(outbox.idleMs());
    expect(take()).toEqual([later]);
    // This may be a late answer to the older one.
    outbox.acknowledge('u1');
    expect(outbox.isStored('u1')).toBe(false);
    expect(take()).toEqual([later]);
    outbox.acknowledge('u1');
    expect(outbox.isStored('u1')).toBe(true);
    expect(outbox.idleMs()).toBe(Infinity);
  });

  it('tells at once that a pod runs, and nothing of its steps until then', () => {
    const { put, take } = setUp();
    put(waiting('ContainerCreating'));
    put(waiting('ContainerCreating', '10.42.0.2'));
    expect(take()).toEqual([]);
    put(running);
    expect(take()).toEqual([running]);
  });

  it('tells the latest step when it takes long, however many follow', async () => {
    const { clock, outbox, put, take } = setUp();
    put(waiting('ContainerCreating'));
    const firstDueMs = outbox.idleMs();
    await clock.advance(firstDueMs - 1);
    put(waiting('ContainerCreating', '10.42.0.2'));
    expect(outbox.idleMs()).toBe(1);
    await clock.advance(1);
    expect(take()).toEqual([waiting('ContainerCreating', '10.42.0.2')]);
  });

  it.each(['ImagePullBackOff', 'CreateContainerConfigError'])('tells %s at once', (reason) => {
    const { put, take } = setUp();
    put(waiting(reason));
    expect(take()).toEqual([waiting(reason)]);
  });

  it('sends a newer status only after the older one is stored', () => {
    const { outbox, put, take } = setUp();
    put(running);
    expect(take()).toHaveLength(1);
    const ended: PodStatus = { phase: 'Succeeded' };
    put(ended, true);
    expect(take()).toEqual([]);
    expect(outbox.isStored('u1')).toBe(false);
    outbox.acknowledge('u1');
    expect(take()).toEqual([ended]);
    outbox.acknowledge('u1');
    expect(outbox.isStored('u1')).toBe(true);
  });

  it('has nothing more to say when the status returns to what is on its way', () => {
    const { outbox, put, take } = setUp();
    put(running);
    take();
    put({ phase: 'Unknown' });
    put(running);
    outbox.acknowledge('u1');
    expect(take()).toEqual([]);
    expect(outbox.isStored('u1')).toBe(true);
  });

  it('says everything again in a new session', async () => {
    const { clock, outbox, put, take } = setUp();
    put(running);
    take();
    outbox.acknowledge('u1');
    outbox.restart();
    await clock.advance(LONG_ENOUGH_MS);
    expect(take()).toEqual([running]);
  });

  it('is idle without an end while nothing waits', () => {
    expect(setUp().outbox.idleMs()).toBe(Infinity);
  });
});
