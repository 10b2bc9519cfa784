import { ApiError } from '../api/errors';
import { CONFIG_MAPS } from '../api/resources';
import { ManualClock } from '../lib/clock';
import { silentLog } from '../lib/log';
import { seededRandom } from '../lib/random';
import { ToldError, type ObjectFault } from './object-faults';
import { WorkQueue } from './work-queue';

const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
});

const setUp = () => {
  const clock = new ManualClock();
  const faults: ObjectFault[] = [];
  const queue = new WorkQueue(
    'test',
    {
      clock,
      random: seededRandom(1),
      log: silentLog,
      faults: { report: (fault) => void faults.push(fault) },
    },
    { subjectOf: (name) => ({ resource: CONFIG_MAPS, object: configMap(name) }) },
  );
  const stop = new AbortController();
  return { clock, queue, stop, faults };
};

it('works on a key once however often it is added before', async () => {
  const { clock, queue, stop } = setUp();
  const done: string[] = [];
  queue.add('a');
  queue.add('a');
  queue.add('b');
  const running = queue.run((key) => Promise.resolve(void done.push(key)), 1, stop.signal);
  await clock.advance(0);
  expect(done).toEqual(['a', 'b']);
  stop.abort();
  await running;
});

it('runs a key again, and never twice at a time, when it is added while being worked on', async () => {
  const { clock, queue, stop } = setUp();
  let active = 0;
  let runs = 0;
  const work = async () => {
    active++;
    expect(active).toBe(1);
    runs++;
    if (runs === 1) queue.add('a');
    await clock.sleep(10);
    active--;
  };
  queue.add('a');
  const running = queue.run(work, 4, stop.signal);
  await clock.advance(100);
  expect(runs).toBe(2);
  stop.abort();
  await running;
});

it('puts a failed key back with growing delay', async () => {
  const { clock, queue, stop } = setUp();
  const times: number[] = [];
  queue.add('a');
  const running = queue.run(
    () => {
      times.push(clock.now());
      return times.length < 4 ? Promise.reject(new Error('no')) : Promise.resolve();
    },
    1,
    stop.signal,
  );
  await clock.advance(10_000);
  expect(times).toHaveLength(4);
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(gaps[2]).toBeGreaterThan(gaps[0] ?? 0);
  stop.abort();
  await running;
});

/** The times at which a key that fails `failures` times is worked on. */
const attemptsOf = (clock: ManualClock, failures: number) => {
  const times: number[] = [];
  const reconcile = () => {
    times.push(clock.now());
    return times.length <= failures ? Promise.reject(new Error('no')) : Promise.resolve();
  };
  return { times, reconcile };
};

it.each([
  ['add', (queue: WorkQueue) => queue.add('a')],
  ['addAfter', (queue: WorkQueue) => queue.addAfter('a', 0)],
])('keeps the backoff of a failing key, whoever uses %s meanwhile', async (_name, disturb) => {
  const { clock, queue, stop } = setUp();
  const { times, reconcile } = attemptsOf(clock, 100);
  queue.add('a');
  const running = queue.run(reconcile, 2, stop.signal);
  for (let ms = 0; ms < 10_000; ms += 10) {
    disturb(queue);
    await clock.advance(10);
  }
  // 20 ms doubling from half of it up: ten attempts take at least five seconds.
  expect(times.length).toBeGreaterThan(5);
  expect(times.length).toBeLessThan(12);
  stop.abort();
  await running;
});

it('keeps the backoff of a key that its own failing attempt adds', async () => {
  const { clock, queue, stop } = setUp();
  let attempts = 0;
  queue.add('a');
  const running = queue.run(
    () => {
      attempts++;
      queue.add('a');
      return Promise.reject(new Error('no'));
    },
    1,
    stop.signal,
  );
  await clock.advance(10_000);
  expect(attempts).toBeLessThan(12);
  stop.abort();
  await running;
});

it('begins with a short backoff again after a success', async () => {
  const { clock, queue, stop } = setUp();
  const { times, reconcile } = attemptsOf(clock, 8);
  queue.add('a');
  const running = queue.run(reconcile, 1, stop.signal);
  await clock.advance(60_000);
  expect(times).toHaveLength(9);
  let isFailing = true;
  times.length = 0;
  stop.abort();
  await running;
  const second = new AbortController();
  queue.add('a');
  const again = queue.run(
    () => {
      times.push(clock.now());
      const fails = isFailing;
      isFailing = false;
      return fails ? Promise.reject(new Error('no')) : Promise.resolve();
    },
    1,
    second.signal,
  );
  await clock.advance(1000);
  expect(times).toHaveLength(2);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeLessThanOrEqual(20);
  second.abort();
  await again;
});

it.each([
  ['the later first', [5000, 100]],
  ['the earlier first', [100, 5000]],
])('wakes a key at the earliest of its due times, %s', async (_title, delays) => {
  const { clock, queue, stop } = setUp();
  const times: number[] = [];
  const running = queue.run(() => Promise.resolve(void times.push(clock.now())), 1, stop.signal);
  for (const ms of delays) queue.addAfter('a', ms);
  await clock.advance(10_000);
  expect(times).toEqual([100]);
  stop.abort();
  await running;
});

it.each([[Number.NaN], [Infinity], [2 ** 53], [2 ** 31]])(
  'does not spin on a delay of %d ms',
  async (ms) => {
    const { clock, queue, stop } = setUp();
    let runs = 0;
    const running = queue.run(
      (key) => {
        runs++;
        queue.addAfter(key, ms);
        return Promise.resolve();
      },
      1,
      stop.signal,
    );
    queue.add('a');
    await clock.advance(3_600_000);
    expect(runs).toBe(1);
    stop.abort();
    await running;
  },
);

it('names the object whose key keeps failing by a defect, not by an answer that may change', async () => {
  const { clock, queue, stop, faults } = setUp();
  const done: string[] = [];
  const errors: Readonly<Record<string, Error>> = {
    broken: new TypeError('Cannot mix BigInt and other types'),
    raced: new ApiError('Conflict', 'modified'),
    refused: new ApiError('Invalid', 'status is invalid'),
    told: new ToldError('its events say why'),
  };
  for (const key of ['broken', 'raced', 'refused', 'told', 'fine']) queue.add(key);
  const running = queue.run(
    (key) => {
      const error = errors[key];
      if (error !== undefined) return Promise.reject(error);
      done.push(key);
      return Promise.resolve();
    },
    1,
    stop.signal,
  );
  await clock.advance(2000);
  expect(done).toEqual(['fine']);
  const told = new Set(faults.map(({ object }) => object.metadata.name));
  expect([...told].sort()).toEqual(['broken', 'refused']);
  expect(faults.length).toBeLessThan(20);
  stop.abort();
  await running;
});
