import { TaskGroup } from '../../lib/async/task-group';
import { ResourceCache, type ResourceCacheDeps } from './resource-cache';
import type { WatchCaches } from './watch-cache';

/** Caches over any store. The caller asks only for resources it serves, and disposes them. */
export const createWatchCaches = (deps: ResourceCacheDeps): WatchCaches => {
  const tasks = new TaskGroup();
  const caches = new Map<string, ResourceCache>();
  const start = (resource: string): ResourceCache => {
    const cache = new ResourceCache(resource, deps);
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
