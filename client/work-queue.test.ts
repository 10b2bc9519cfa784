import { ManualClock } from '../lib/clock';
import { silentLog } from '../lib/log';
import { seededRandom } from '../lib/random';
import { WorkQueue } from './work-queue';

const setUp = () => {
  const clock = new ManualClock();
  const queue = new WorkQueue('test', { clock, random: seededRandom(1), log: silentLog });
  const stop = new AbortController();
  return { clock, queue, stop };
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
