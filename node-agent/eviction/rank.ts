import { effectiveRequests } from '../../api/pods';
import type { Pod } from '../../api/types';
import type { StarvedResource } from './thresholds';

/** What one container uses of a resource; absent where nobody can tell. */
export interface ContainerUse {
  readonly name: string;
  readonly used: number | undefined;
}

/** A pod with what it takes of the resource that is short; undefined when that could not be measured. */
export interface PodUse {
  readonly pod: Pod;
  readonly used: number | undefined;
  readonly containers: readonly ContainerUse[];
}

/**
 * Pure: who goes first. Those that take more than they asked for (and those that nobody could measure),
 * then the less important, then who is furthest over. For processes nothing can be asked for. Source:
 * upstream's rankMemoryPressure, rankDiskPressureFunc and rankPIDPressure.
 */
export const rankForEviction = <P extends PodUse>(
  pods: readonly P[],
  resource: StarvedResource,
): readonly P[] => {
  const over = (use: P): number => (use.used ?? Infinity) - requested(use.pod, resource);
  const exceeds = (use: P): number => (resource !== 'pids' && over(use) > 0 ? 1 : 0);
  const isUnknown = (use: P): number => (resource !== 'pids' && use.used === undefined ? 1 : 0);
  return [...pods].sort(
    (a, b) =>
      isUnknown(b) - isUnknown(a) ||
      exceeds(b) - exceeds(a) ||
      priorityOf(a.pod) - priorityOf(b.pod) ||
      descending(over(a), over(b)),
  );
};

/** Also of two that are infinite. */
const descending = (a: number, b: number): number => (a === b ? 0 : a > b ? -1 : 1);

const priorityOf = ({ spec }: Pod): number => spec.priority ?? 0;

const requested = ({ spec }: Pod, resource: StarvedResource): number => {
  const requests = effectiveRequests(spec);
  switch (resource) {
    case 'memory':
      return requests.memoryBytes;
    case 'ephemeral-storage':
      return requests.ephemeralStorageBytes;
    case 'inodes':
    case 'pids':
      return 0;
  }
};
