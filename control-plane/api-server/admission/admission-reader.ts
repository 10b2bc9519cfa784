import { NAMESPACES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { AdmissionAttributes } from './attributes';

/** Reads other objects that admission must look at. */
export interface AdmissionReader {
  /** Cached, or the newest state when the cache has none. */
  readonly find: Find;
  /** Straight from the store. */
  readonly findNewest: Find;
  /** Resolves once the cache has been filled for the first time. */
  ready(plural: string, signal: AbortSignal): Promise<void>;
  /** As the cache has them; without a namespace, all. */
  list(plural: string, namespace?: string): readonly ApiObject[];
  /** All that a namespace has of them, none older than the call. */
  listFresh(plural: string, namespace: string, signal: AbortSignal): Promise<readonly ApiObject[]>;
}

type Find = (
  plural: string,
  namespace: string,
  name: string,
  signal: AbortSignal,
) => Promise<ApiObject | undefined>;

/** The namespace that something is asked in. */
export const namespaceOf = (
  reader: AdmissionReader,
  { namespace, isAgain }: AdmissionAttributes,
  signal: AbortSignal,
): Promise<ApiObject | undefined> => {
  const find = isAgain ? reader.findNewest : reader.find;
  return find(NAMESPACES.plural, '', namespace, signal);
};
