import { ManualClock } from '../lib/clock';
import { SpamFilter } from './spam-filter';

const admitted = (filter: SpamFilter, subject: string, count: number): number =>
  Array.from({ length: count }, () => filter.admits(subject)).filter(Boolean).length;

it('lets a burst through, then one every five minutes, for each subject on its own', async () => {
  const clock = new ManualClock();
  const filter = new SpamFilter(clock);
  expect(admitted(filter, 'a', 1000)).toBe(25);
  expect(admitted(filter, 'b', 3)).toBe(3);
  await clock.advance(299_000);
  expect(admitted(filter, 'a', 10)).toBe(0);
  await clock.advance(1_000);
  expect(admitted(filter, 'a', 10)).toBe(1);
  await clock.advance(24 * 3_600_000);
  expect(admitted(filter, 'a', 1000)).toBe(25);
});

it('remembers a bounded number of subjects, those spoken of last', () => {
  const filter = new SpamFilter(new ManualClock());
  expect(admitted(filter, 'old', 100)).toBe(25);
  for (let i = 0; i < 5000; i++) filter.admits(`subject ${i}`);
  expect(admitted(filter, 'old', 100)).toBe(25);
  expect(admitted(filter, 'subject 4999', 100)).toBe(24);
});
