import { NAMESPACES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { AdmissionAttributes } from './attributes';

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

/** The namespace that something is asked in. */
export const namespaceOf = (
  reader: AdmissionReader,
  { namespace, isAgain }: AdmissionAttributes,
  signal: AbortSignal,
): Promise<ApiObject | undefined> => {
  const find = isAgain ? reader.findNewest : reader.find;
  return find(NAMESPACES.plural, '', namespace, signal);
};
