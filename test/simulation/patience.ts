import type { ApiClient } from '../../client/api-client';
import { systemClock } from '../../lib/clock';

/**
 * Lets what was begun go on, at one instant. Files are real: however long a disk takes for them, no time
 * passes meanwhile, or a busy machine would be a fault that no seed has asked for.
 */
export const turns = async (count: number): Promise<void> => {
  const endMs = systemClock.monotonicMs() + DISK_LIMIT_MS;
  do {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  } while (usesFiles() && systemClock.monotonicMs() < endMs);
};

const usesFiles = (): boolean =>
  process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'));

/** Has it settled, given all turns that it may need without the clock? */
export const hasSettled = async (work: Promise<unknown>): Promise<boolean> => {
  const state = { isSettled: false };
  const settle = () => {
    state.isSettled = true;
  };
  work.then(settle, settle);
  for (let turn = 0; turn < TURNS_MAX && !state.isSettled; turn++) await turns(1);
  return state.isSettled;
};

/** Lets time pass, for all that live in it. */
export type Advance = (ms: number) => Promise<void>;

/** Awaits what may itself wait for the clock, which nobody else moves meanwhile. */
export const patiently = async <T>(work: Promise<T>, advance: Advance): Promise<T> => {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS && !(await hasSettled(work)); waitedMs += STEP_MS)
    await advance(STEP_MS);
  return work;
};

/** A client whose calls are awaited patiently. */
export const patient = (client: ApiClient, advance: Advance): ApiClient =>
  new Proxy(client, {
    get: (target, key: keyof ApiClient) => {
      const call = Reflect.get(target, key) as (...args: unknown[]) => unknown;
      if (key === 'watch') return call;
      return (...args: unknown[]) => patiently(call(...args) as Promise<unknown>, advance);
    },
  });

/** A disk that takes longer has broken. */
const DISK_LIMIT_MS = 60_000;
const TURNS_MAX = 2_000;
const STEP_MS = 250;
/** Longer than any call of ours may take. */
const PATIENCE_MS = 300_000;
