import { getEventListeners } from 'node:events';
import { ManualClock } from '../clock';
import { Alarm } from './alarm';

const clock = new ManualClock();
const alarm = new Alarm(clock);

/** When the sleep ends, by the clock. */
const sleepOf = async (ms: number, signal?: AbortSignal): Promise<number> => {
  await alarm.sleep(ms, signal);
  return clock.monotonicMs();
};

it('sleeps until its time', async () => {
  const startMs = clock.monotonicMs();
  const ended = sleepOf(100);
  await clock.advance(1_000);
  expect((await ended) - startMs).toBe(100);
});

it('ends all sleeps under way when woken, and none that begins later', async () => {
  const startMs = clock.monotonicMs();
  const both = [sleepOf(1_000), sleepOf(2_000)];
  await clock.advance(10);
  alarm.wake();
  expect(await Promise.all(both)).toEqual([startMs + 10, startMs + 10]);
  const later = sleepOf(100);
  await clock.advance(1_000);
  expect(await later).toBe(startMs + 110);
});

it('begins no sleep when woken since the wakes were counted', async () => {
  const { wakes } = alarm;
  const startMs = clock.monotonicMs();
  alarm.wake();
  await alarm.sleep(1_000, undefined, wakes);
  expect(clock.monotonicMs()).toBe(startMs);
  const ended = alarm.sleep(100, undefined, alarm.wakes);
  await clock.advance(1_000);
  await ended;
  expect(clock.monotonicMs()).toBe(startMs + 1_000);
});

it('ends when its signal aborts, and lets go of it', async () => {
  const stop = new AbortController();
  const startMs = clock.monotonicMs();
  const woken = sleepOf(1_000, stop.signal);
  alarm.wake();
  await woken;
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  const ended = sleepOf(1_000, stop.signal);
  stop.abort();
  expect(await ended).toBe(startMs);
  expect(await sleepOf(1_000, stop.signal)).toBe(startMs);
});
