import { ManualClock } from '../clock';
import { silentLog } from '../log';
import { seededRandom } from '../random';
import { keepRunning } from './keep-running';

const setUp = () => {
  const clock = new ManualClock();
  return { clock, deps: { clock, random: seededRandom(1), log: silentLog } };
};

it.each([
  ['fails', () => Promise.reject(new Error('defect'))],
  [
    'throws before it waits',
    () => {
      throw new Error('defect');
    },
  ],
  ['ends early', () => Promise.resolve()],
])('begins a task again that %s, without spinning', async (_title, task) => {
  const { clock, deps } = setUp();
  const stop = new AbortController();
  let runs = 0;
  const running = keepRunning('test', () => (runs++, task()), deps, stop.signal);
  await clock.advance(600_000);
  expect(runs).toBeGreaterThan(5);
  expect(runs).toBeLessThan(25);
  stop.abort();
  await running;
});

it('ends with its signal', async () => {
  const { deps } = setUp();
  const stop = new AbortController();
  const running = keepRunning(
    'test',
    (signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('stopped'))),
      ),
    deps,
    stop.signal,
  );
  stop.abort();
  await expect(running).resolves.toBeUndefined();
});
