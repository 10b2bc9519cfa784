import { getEventListeners } from 'node:events';
import { ManualClock } from '../clock';
import { Condition, DeadlineExceededError, withDeadline } from './deadline';

const forever = () => new Promise<never>(() => undefined);

describe('withDeadline', () => {
  it('gives the result, and leaves neither timer nor listener behind', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const deadline = { what: 'it', limitMs: 100, clock, signal };
    expect(await withDeadline(deadline, () => Promise.resolve(7))).toBe(7);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await clock.advance(200);
  });

  it('does not wait for what never ends, and tells it to let go', async () => {
    const clock = new ManualClock();
    let told: AbortSignal | undefined;
    const waiting = withDeadline({ what: 'the start', limitMs: 2000, clock }, (signal) => {
      told = signal;
      return forever();
    });
    const failure = waiting.catch((error: unknown) => error);
    await clock.advance(1999);
    expect(told?.aborted).toBe(false);
    await clock.advance(1);
    expect(await failure).toEqual(new DeadlineExceededError('the start', 2000));
    expect(String(await failure)).toContain('the start did not end within 2 s');
    expect(told?.aborted).toBe(true);
  });

  it('ends at once when its signal aborts, before or meanwhile', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const deadline = { what: 'it', limitMs: 100, clock, signal: stop.signal };
    const waiting = withDeadline(deadline, forever);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(withDeadline(deadline, () => Promise.resolve(1))).rejects.toThrow('enough');
  });
});

describe('Condition', () => {
  it('wakes all who wait for it, each for what it waits for', async () => {
    const clock = new ManualClock();
    const condition = new Condition();
    let count = 0;
    const seen: number[] = [];
    const waits = [1, 2].map(async (wanted) => {
      await condition.until(() => count >= wanted, { what: 'it', limitMs: 100, clock });
      seen.push(wanted);
    });
    count = 1;
    condition.notify();
    await clock.advance(1);
    expect(seen).toEqual([1]);
    count = 2;
    condition.notify();
    await Promise.all(waits);
    expect(seen).toEqual([1, 2]);
  });

  it('gives up at the deadline', async () => {
    const clock = new ManualClock();
    const never = new Condition().until(() => false, { what: 'the exit', limitMs: 50, clock });
    const failure = never.catch((error: unknown) => error);
    await clock.advance(50);
    expect(await failure).toBeInstanceOf(DeadlineExceededError);
  });
});
