import { getEventListeners } from 'node:events';

import { systemClock } from '../clock';
import { Condition, withDeadline } from './deadline';
import { linkedController } from './linked-controller';
import { onAbort } from './on-abort';
import { Semaphore } from './semaphore';
import { TaskGroup } from './task-group';

/** Warnings that Node gives while `work` runs. */
const warningsOf = async (work: () => Promise<void>): Promise<string[]> => {
  const seen: string[] = [];
  const note = (warning: Error) => seen.push(`${warning.name}: ${warning.message}`);
  process.on('warning', note);
  try {
    await work();
    // Warnings come on the next tick.
    await new Promise(setImmediate);
  } finally {
    process.off('warning', note);
  }
  return seen;
};

it('calls back once, and not at all after its undo', () => {
  const controller = new AbortController();
  const calls: string[] = [];
  onAbort(controller.signal, () => calls.push('first'));
  const undo = onAbort(controller.signal, () => calls.push('second'));
  undo();
  controller.abort();
  expect(calls).toEqual(['first']);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  onAbort(undefined, () => undefined)();
});

const waits: readonly (readonly [string, (signal: AbortSignal) => unknown])[] = [
  ['onAbort', (signal) => onAbort(signal, () => undefined)],
  ['linkedController', (signal) => linkedController(signal)],
  ['a sleep', (signal) => systemClock.sleep(60_000, signal)],
  ['a deadline', (signal) => withDeadline(deadline(signal), forever).catch(() => undefined)],
  ['a condition', (signal) => never.until(() => false, deadline(signal)).catch(() => undefined)],
  ['a semaphore', (signal) => full.use(forever, signal).catch(() => undefined)],
  ['a task group', (signal) => new TaskGroup(signal)],
];

const forever = () => new Promise<never>(() => undefined);
const never = new Condition();
const full = new Semaphore(0);
const deadline = (signal: AbortSignal) => ({
  what: 'it',
  limitMs: 60_000,
  clock: systemClock,
  signal,
});

it.each(waits)(
  'lets a hundred share a signal through %s without a warning',
  async (_name, wait) => {
    const controller = new AbortController();
    const warnings = await warningsOf(async () => {
      for (let i = 0; i < 100; i++) wait(controller.signal);
    });
    expect(warnings).toEqual([]);
    controller.abort(new Error('enough'));
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  },
);
