import { ManualClock } from '../../../lib/clock';
import { RetryTimes } from './retry-times';

const setUp = () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  return { clock, times: new RetryTimes(clock, { initialMs: 1000, maxMs: 5000 }) };
};

it('waits twice as long each time, up to a limit', async () => {
  const { clock, times } = setUp();
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    times.note('a');
    waits.push(times.restMs('a'));
    await clock.advance(waits[i]!);
    expect(times.restMs('a')).toBe(0);
  }
  expect(waits).toEqual([1000, 2000, 4000, 5000, 5000]);
  expect(times.restMs('b')).toBe(0);
});

it('begins anew after a long time without failure, and for what is forgotten', async () => {
  const { clock, times } = setUp();
  times.note('set/a');
  times.note('set/a');
  await clock.advance(10_001);
  times.note('set/a');
  expect(times.restMs('set/a')).toBe(1000);
  times.note('set/a');
  times.forget('set/');
  expect(times.restMs('set/a')).toBe(0);
});
