import { ManualClock } from './clock';
import { Stopwatches } from './stopwatches';

const START_MS = Date.UTC(2026, 0, 1);

it('brings a stamp over once, whatever the wall clock does afterwards', async () => {
  const clock = new ManualClock(START_MS);
  await clock.advance(60_000);
  const watches = new Stopwatches(clock);
  expect(watches.startOf('run', START_MS + 50_000)).toBe(50_000);
  clock.setBy(-3_600_000);
  await clock.advance(5_000);
  clock.setBy(7_200_000);
  expect(watches.startOf('run', START_MS + 50_000)).toBe(50_000);
});

it.each([
  ['from the future', START_MS + 3_600_000],
  ['that is no time', Number.NaN],
])('takes a stamp %s for now', async (_title, stampMs) => {
  const clock = new ManualClock(START_MS);
  await clock.advance(1_000);
  expect(new Stopwatches(clock).startOf('run', stampMs)).toBe(1_000);
});

it('forgets what is not asked to be kept', () => {
  const clock = new ManualClock(START_MS);
  const watches = new Stopwatches(clock);
  watches.startOf('old', START_MS);
  watches.startOf('kept', START_MS);
  watches.keepOnly(new Set(['kept']));
  expect(watches.startOf('kept', START_MS - 1_000)).toBe(0);
  expect(watches.startOf('old', START_MS - 1_000)).toBe(-1_000);
});
