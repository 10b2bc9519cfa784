import { getEventListeners } from 'node:events';
import { ManualClock } from '../clock';
import { timedController } from './timed-controller';

it('aborts when its time is up', async () => {
  const clock = new ManualClock();
  using limit = timedController(clock, 100);
  await clock.advance(99);
  expect(limit.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(limit.signal.reason).toMatchObject({ name: 'TimeoutError' });
});

it('aborts when a parent does, for the same reason', () => {
  const parent = new AbortController();
  using limit = timedController(new ManualClock(), 100, parent.signal);
  parent.abort('enough');
  expect(limit.signal.reason).toBe('enough');
  using late = timedController(new ManualClock(), 100, parent.signal);
  expect(late.signal.aborted).toBe(true);
});

it('lets go of its parents, and of the clock, when it is disposed of, once or twice', async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  const limit = timedController(clock, 100, parent.signal);
  limit[Symbol.dispose]();
  limit[Symbol.dispose]();
  expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
  await clock.advance(1000);
  expect(limit.signal.aborted).toBe(false);
});
