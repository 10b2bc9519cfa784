import type { ApiObject, ObjectName } from '../api/types';
import type { Resource } from '../api/resources';
import type { Scale } from '../api/scale';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface ListOptions {
  /** `''` or absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Page size; absent: the client pages by itself and returns everything. */
  readonly limit?: number;
  readonly continue?: string;
}

export interface ListResult<T> {
  readonly items: readonly T[];
  /** `watch` from here misses and repeats nothing. */
  readonly resourceVersion: string;
  readonly continue?: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version. */
  readonly resourceVersion: string;
  readonly allowBookmarks?: boolean;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** No change: says how far the stream has come. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WriteOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly subresource?: 'status' | 'scale' | 'finalize' | 'approval';
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** The delete fails with Conflict unless the object still has this uid / version. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/**
 * How every component but the api-server reads and writes objects. Two implementations, one over
 * HTTPS and one in process, pass the same suite. Every method throws `ApiError`; objects returned
 * are shared and must not be changed.
 */
export interface ApiClient {
  /** @throws NotFound */
  get<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    signal?: AbortSignal,
  ): Promise<T>;

  /** What the scale of an object tells. @throws NotFound, also for a kind without scales */
  getScale(resource: Resource, name: ObjectName, signal?: AbortSignal): Promise<Scale>;

  /** One consistent snapshot. */
  list<T extends ApiObject>(
    resource: Resource<T>,
    options?: ListOptions,
    signal?: AbortSignal,
  ): Promise<ListResult<T>>;

  /**
   * Later changes in order until `signal` aborts or the server ends the stream (then it returns:
   * the caller watches again from the last resourceVersion it saw).
   * @throws Expired once that history is gone: list again.
   */
  watch<T extends ApiObject>(
    resource: Resource<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;

  /** @throws AlreadyExists, Invalid */
  create<T extends ApiObject>(
    resource: Resource<T>,
    object: DraftOf<T>,
    options?: WriteOptions,
    signal?: AbortSignal,
  ): Promise<T>;

  /** Replaces the object; with `metadata.resourceVersion` set, only if unchanged (@throws Conflict). */
  update<T extends ApiObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
    signal?: AbortSignal,
  ): Promise<T>;

  patch<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    type: PatchType,
    body: unknown,
    options?: WriteOptions,
    signal?: AbortSignal,
  ): Promise<T>;

  /** Asks for deletion; pods end gracefully, finalizers hold. @throws NotFound, Conflict */
  delete<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    options?: DeleteOptions,
    signal?: AbortSignal,
  ): Promise<void>;

  /** POST pods/NAME/binding. @throws Conflict when the pod is bound already or being deleted. */
  bind(
    pod: ObjectName & { readonly uid: string },
    nodeName: string,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** What `create` takes: the server fills in the rest. `generateName` may stand in for the name. */
export type DraftOf<T extends ApiObject> = Omit<T, 'metadata' | 'status'> & {
  readonly metadata: Partial<T['metadata']>;
  readonly status?: unknown;
};
