import { Activities } from './activities';
import { systemClock as clock } from './clock';
import { EventLoopMonitor } from './event-loop-monitor';
import { silentLog, type LogFields } from './log';

const until = async (isTrue: () => boolean) => {
  for (const endMs = Date.now() + 20_000; !isTrue();) {
    if (Date.now() > endMs) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const hold = (ms: number) => {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
};

it('counts how late the loop was, and names who was at work', async () => {
  const warnings: LogFields[] = [];
  const activities = new Activities();
  const log = { ...silentLog, warn: (fields: LogFields) => warnings.push(fields) };
  using monitor = new EventLoopMonitor({ clock, log, activities });
  await until(() => monitor.histogram.count > 1);
  const before = monitor.histogram;
  {
    using _done = activities.begin('PATCH /api/v1/pods/a');
    hold(400);
    await until(() => monitor.histogram.count > before.count);
  }
  const late = warnings.find(({ lagMs }) => Number(lagMs) >= 300);
  expect(late?.['during']).toEqual(['PATCH /api/v1/pods/a']);
  const { buckets, count, sumSeconds } = monitor.histogram;
  expect(sumSeconds).toBeGreaterThanOrEqual(0.3);
  const belowQuarter = buckets.find(([bound]) => bound === 0.25)?.[1] ?? 0;
  expect(count - belowQuarter).toBeGreaterThanOrEqual(1);
  expect(buckets.map(([, n]) => n)).toEqual(buckets.map(([, n]) => n).sort((a, b) => a - b));
});

it('names what ended while the loop was held', async () => {
  const warnings: LogFields[] = [];
  const activities = new Activities();
  const log = { ...silentLog, warn: (fields: LogFields) => warnings.push(fields) };
  using _monitor = new EventLoopMonitor({ clock, log, activities });
  {
    using _done = activities.begin('snapshot');
    hold(400);
  }
  await until(() => warnings.length > 0);
  expect(warnings[0]?.['during']).toEqual(['snapshot']);
});

it('looks seldom while nothing happens, and closely again when something begins', async () => {
  const activities = new Activities();
  const warnings: LogFields[] = [];
  const waitsMs: number[] = [];
  const after = (ms: number, call: () => void) => {
    waitsMs.push(ms);
    return clock.after(ms, call);
  };
  const log = { ...silentLog, warn: (fields: LogFields) => warnings.push(fields) };
  using _monitor = new EventLoopMonitor({ clock: { ...clock, after }, log, activities });
  await until(() => waitsMs.includes(5000));
  expect(new Set(waitsMs)).toEqual(new Set([50, 5000]));
  {
    using _done = activities.begin('snapshot');
    expect(waitsMs.at(-1)).toBe(50);
    hold(400);
  }
  await until(() => warnings.some(({ lagMs }) => Number(lagMs) >= 300));
  expect(warnings.at(-1)?.['during']).toEqual(['snapshot']);
});

it('forgets what has ended', () => {
  const activities = new Activities();
  const done = activities.begin('a');
  using _b = activities.begin('b');
  expect(activities.names(5)).toEqual(['b', 'a']);
  done[Symbol.dispose]();
  expect(activities.names(5)).toEqual(['a', 'b']);
  activities.forgetEnded();
  expect(activities.names(5)).toEqual(['b']);
  expect(activities.size).toBe(1);
});
