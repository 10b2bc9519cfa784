import type { ApiObject } from '../../../api/types';

/** The order in which defaults are chosen: of those made in one second the first by name. */
export const newestFirst = (a: ApiObject, b: ApiObject): number => {
  const [aTime, bTime] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? '');
  if (aTime !== bTime) return (aTime ?? '') > (bTime ?? '') ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
};
