import type { ApiObject } from '../../api/types';

/** Names one stored object. */
export interface StoreKey {
  /** `pods`, `deployments.apps`: the plural with its group. */
  readonly resource: string;
  /** `''` for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** One stored version of one object. Immutable and shared. */
export interface StoredObject {
  readonly key: StoreKey;
  /** `revision * 128 + index within the batch`: unique per write, and below 2^53. */
  readonly resourceVersion: number;
  /** UTF-8 JSON with `metadata.resourceVersion` in place: ready for the wire. */
  readonly raw: Uint8Array;
  /** `raw` parsed on first use, then kept. */
  readonly object: ApiObject;
}

export type KnownStates = (namespace: string, name: string) => StoredObject | undefined;

export interface StoreList {
  readonly items: readonly StoredObject[];
  /** The version of the snapshot. `watch` from here misses and repeats nothing. */
  readonly resourceVersion: number;
}

export type StoreEvent =
  | {
      readonly type: 'put';
      readonly current: StoredObject;
      readonly previous: StoredObject | undefined;
    }
  /** `current` is the last state, at the version of its deletion. */
  | { readonly type: 'delete'; readonly current: StoredObject; readonly previous: StoredObject };

/** How far the history of one resource reaches: nothing of it changed after `changedVersion`. */
export interface StoreProgress {
  /** A reader of `watch` that has come this far knows every change up to `resourceVersion`. */
  readonly changedVersion: number;
  readonly resourceVersion: number;
}

/** What `watch` yields: a change, or how far the reader has come though nothing changed. */
export type StoreWatchEvent =
  StoreEvent | { readonly type: 'progress'; readonly resourceVersion: number };

/** Another object that must still be at a version for a write to happen. */
export interface WriteGuard {
  readonly key: StoreKey;
  readonly version: number;
}

/**
 * A spell in which one server leads. What is written within it happens only while it lasts, whatever
 * that server knows or believes.
 */
export interface Term {
  /** That of a later leader is higher. */
  readonly number: number;
  /** Aborts when it is known to be over. */
  readonly signal: AbortSignal;
}

/** The order of lists: by namespace, then name. */
export const compareKeys = (a: StoreKey, b: StoreKey): number =>
  compareText(a.namespace, b.namespace) || compareText(a.name, b.name);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The truth. Objects are kept as JSON; a write is compare-and-swap on `resourceVersion`. Writes
 * issued at the same time share one round trip. Two implementations (etcd, memory) pass
 * `store-suite.ts`. Every method takes a signal and throws `ApiError('ServiceUnavailable')` when
 * the store cannot be reached in time. A write whose answer was lost is looked up in the store's
 * history: it succeeds if it happened, however much was written since. If that cannot be told
 * either it throws `ApiError('Timeout')`: try again only from a fresh read.
 */
export interface Store {
  /** Linearizable. Undefined when absent. */
  get(key: StoreKey, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /** One consistent snapshot of a resource, ordered by namespace then name. */
  list(resource: string, signal?: AbortSignal): Promise<StoreList>;

  /**
   * `object.metadata.resourceVersion` is ignored. @throws AlreadyExists, or Conflict, which names one of
   * the guards' objects, when any of them has changed: all are compared and written in one.
   */
  create(
    key: StoreKey,
    object: ApiObject,
    signal?: AbortSignal,
    guards?: readonly WriteGuard[],
  ): Promise<StoredObject>;

  /** @throws NotFound, or Conflict unless the stored object is at `expectedVersion` and the guards as in `create`. */
  update(
    key: StoreKey,
    object: ApiObject,
    expectedVersion: number,
    signal?: AbortSignal,
    guards?: readonly WriteGuard[],
  ): Promise<StoredObject>;

  /** Returns the last state at the version of the deletion. @throws NotFound, Conflict as `update`. */
  delete(key: StoreKey, expectedVersion: number, signal?: AbortSignal): Promise<StoredObject>;

  /**
   * Later changes of one resource in order, until `signal` aborts. It survives lost connections;
   * @throws ApiError('Expired') once that history is compacted: the caller lists again.
   * @param known What the caller has of a name. Where that is the state before a change, it is given
   * as such, and need neither be decoded again nor kept twice.
   */
  watch(
    resource: string,
    fromVersion: number,
    signal: AbortSignal,
    known?: KnownStates,
  ): AsyncIterable<StoreWatchEvent>;

  /** The version of the store now; a cache at or past it is as fresh as a linearizable read. */
  currentVersion(signal?: AbortSignal): Promise<number>;

  /** Linearizable, and cheap: what a cache needs to know that it is fresh though nothing happens. */
  progress(resource: string, signal?: AbortSignal): Promise<StoreProgress>;

  /** The same store, where every write throws `ServiceUnavailable`, and does not happen, after the term. */
  within(term: Term): Store;
}
