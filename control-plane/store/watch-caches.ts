import { TaskGroup } from '../../lib/async/task-group';
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
  const caches = new Map<string, ResourceCache>();
  const start = (resource: string): ResourceCache => {
    const cache = new ResourceCache(resource, { ...deps, limits });
    tasks.run((signal) => cache.run(signal));
    return cache;
  };
  return {
    of: (resource) => {
      const cache = caches.get(resource) ?? start(resource);
      caches.set(resource, cache);
      return cache;
    },
    [Symbol.asyncDispose]: () => tasks[Symbol.asyncDispose](),
  };
};

const HISTORY_BYTES_MAX = 40 * 1024 * 1024;
/** As long as upstream's etcd keeps history before it compacts it. */
const DEFAULT_LIMITS = { eventCountMax: 65_536, bytesMax: Infinity, ageMsMax: 5 * 60_000 };
