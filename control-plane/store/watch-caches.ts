import { TaskGroup } from '../../lib/async/task-group';
import { linkedController } from '../../lib/async/linked-controller';
import { HistoryBudget } from './history-budget';
import { ResourceCache, type ResourceCacheDeps } from './resource-cache';
import type { WatchCaches } from './watch-cache';

export interface WatchCachesDeps extends ResourceCacheDeps {
  /** What the histories of all resources may take up together. Default 40 MiB. */
  readonly historyBytesMax?: number;
}

/** Caches over any store. The caller asks only for resources it serves, and disposes them. */
export const createWatchCaches = (deps: WatchCachesDeps): WatchCaches => {
  const budget = new HistoryBudget(deps.historyBytesMax ?? HISTORY_BYTES_MAX);
  const limits = { ...DEFAULT_LIMITS, ...deps.limits, budget };
  const tasks = new TaskGroup();
  const caches = new Map<string, Running>();
  // Together, so that one read of the store may answer for all.
  const freshenAll = (): void => {
    for (const running of caches.values()) {
      if (deps.clock.monotonicMs() < running.freshFromMs) continue;
      running.freshFromMs = Infinity;
      const rest = () => (running.freshFromMs = deps.clock.monotonicMs() + REST_MS);
      tasks.run(() => running.cache.freshen().finally(rest));
    }
  };
  tasks.run(async (signal) => {
    for (;;) {
      await deps.clock.sleep(FRESHEN_MS, signal);
      if (signal.aborted) return;
      freshenAll();
    }
  });
  const start = (resource: string): Running => {
    const cache = new ResourceCache(resource, { ...deps, limits });
    const stop = new AbortController();
    const ended = runUntil(stop.signal, tasks, (signal) => cache.run(signal));
    return { cache, stop, ended, freshFromMs: 0 };
  };
  return {
    of: (resource) => {
      const running = caches.get(resource) ?? start(resource);
      caches.set(resource, running);
      return running.cache;
    },
    drop: async (resource) => {
      const running = caches.get(resource);
      caches.delete(resource);
      running?.stop.abort();
      await running?.ended;
    },
    [Symbol.asyncDispose]: () => tasks[Symbol.asyncDispose](),
  };
};

interface Running {
  readonly cache: ResourceCache;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  /** Before that it is let alone: a watch that was begun anew gets time to bring something. */
  freshFromMs: number;
}

/** Runs until the group ends, or `stopped` aborts. Resolves then. */
const runUntil = (
  stopped: AbortSignal,
  tasks: TaskGroup,
  task: (signal: AbortSignal) => Promise<void>,
): Promise<void> =>
  new Promise((resolve) => {
    tasks.run(async (signal) => {
      using either = linkedController(signal, stopped);
      await task(either.signal).finally(resolve);
    });
  });

const FRESHEN_MS = 5_000;
const REST_MS = 4_000;
const HISTORY_BYTES_MAX = 40 * 1024 * 1024;
/** As long as upstream's etcd keeps history before it compacts it. */
const DEFAULT_LIMITS = { eventCountMax: 65_536, bytesMax: Infinity, ageMsMax: 5 * 60_000 };
