import type { StoredObject, StoreEvent } from './store';

export interface CacheList {
  readonly items: readonly StoredObject[];
  readonly resourceVersion: number;
}

/** What a reader of a cache's watch gets: events in order, or how far the cache has come. */
export type CacheEvent =
  StoreEvent | { readonly type: 'progress'; readonly resourceVersion: number };

/**
 * One resource in memory, fed by one watch on the store: the source of reads and of every client's
 * watch. It relists by itself after compaction.
 */
export interface WatchCache {
  /** Resolves when the first list has arrived. */
  ready(signal?: AbortSignal): Promise<void>;
  /** Resolves when the cache is at or past `version`. @throws Timeout "Too large resource version" after 3 s. */
  waitFor(version: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when the cache is as fresh as a linearizable read begun now. */
  waitFresh(signal?: AbortSignal): Promise<void>;
  get(namespace: string, name: string): StoredObject | undefined;
  /** Ordered by namespace then name; `namespace` undefined for all. A snapshot: stays as it is. */
  list(namespace?: string): CacheList;
  /** The same as it was at a version; undefined when the cache is not there yet, or remembers it no more. */
  listAt(version: number, namespace?: string): CacheList | undefined;
  /**
   * Events after `fromVersion`. A reader that falls behind the bounded buffer is ended with
   * `ApiError('Expired')`, as is one that asks for a version older than the cache remembers. Events
   * come in batches, which readers at the same place share; `turn` is awaited before each is taken.
   */
  watch(
    fromVersion: number,
    signal: AbortSignal,
    turn?: () => Promise<void>,
  ): AsyncIterable<readonly CacheEvent[]>;
  readonly resourceVersion: number;
}

/** Caches by resource, started on first use and kept until they are dropped. */
export interface WatchCaches extends AsyncDisposable {
  of(resource: string): WatchCache;
  /**
   * Forgets a resource that is served no more: its watches end, and whoever waits for it is refused.
   * Resolves when nothing follows it any more. Its next use starts anew.
   */
  drop(resource: string): Promise<void>;
}
