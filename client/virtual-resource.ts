import type { Resource } from '../api/resources';
import type { ApiObject, ObjectName } from '../api/types';
import type { ListResult, WatchEvent } from './api-client';

/**
 * A read-only kind that is not kept in the store: its owner answers from its own state. The
 * api-server serves it like any other (discovery, tables, selectors, watch).
 */
export interface VirtualResource<T extends ApiObject = ApiObject> {
  readonly resource: Resource<T>;
  /** `query` holds the request's own parameters (`node=...`). @throws NotFound */
  get(name: ObjectName, query: URLSearchParams, signal: AbortSignal): Promise<T>;
  /** Absent where listing makes no sense. */
  list?(namespace: string | undefined, signal: AbortSignal): Promise<ListResult<T>>;
  /** Present if `list` is. */
  watch?(
    namespace: string | undefined,
    fromVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
}
