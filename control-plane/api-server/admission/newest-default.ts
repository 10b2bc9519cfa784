import type { ApiObject } from '../../../api/types';
import type { AdmissionReader } from './admission-reader';

/** The newest of those stored that are a default; undefined when there is none. */
export const newestDefault = async (
  reader: AdmissionReader,
  stored: string,
  isDefault: (object: ApiObject) => boolean,
  signal: AbortSignal,
): Promise<ApiObject | undefined> => {
  await reader.ready(stored, signal);
  return reader.list(stored).filter(isDefault).sort(newestFirst)[0];
};

/** The order in which defaults are chosen: of those made in one second the first by name. */
const newestFirst = (a: ApiObject, b: ApiObject): number => {
  const [aTime, bTime] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? '');
  if (aTime !== bTime) return (aTime ?? '') > (bTime ?? '') ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
};
