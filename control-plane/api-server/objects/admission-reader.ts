import type { ApiObject } from '../../../api/types';

/** Reads other objects that admission must look at. */
export interface AdmissionReader {
  /** Cached, or the newest state when the cache has none. */
  readonly find: Find;
  /** Straight from the store. */
  readonly findNewest: Find;
  /** As the cache has them. */
  list(plural: string): readonly ApiObject[];
}

type Find = (
  plural: string,
  namespace: string,
  name: string,
  signal: AbortSignal,
) => Promise<ApiObject | undefined>;
