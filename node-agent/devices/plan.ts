import { amountsOf, isRestartableInit } from '../../api/pods';
import type { Pod } from '../../api/types';

/** Which devices a container is to be given. */
export interface ContainerNeed {
  readonly container: string;
  readonly count: number;
  /** Those of init containers that have ended by then: they are given again. */
  readonly mustInclude: readonly string[];
  /** In use beside it: not to be given. */
  readonly inUse: readonly string[];
}

/**
 * Pure: what the next container of a pod that has none of a resource yet needs, or undefined when all have.
 * `givenTo` says which devices each has. Source: devicesToAllocate of devicemanager/manager.go
 */
export const nextNeed = (
  pod: Pod,
  resource: string,
  givenTo: (container: string) => readonly string[] | undefined,
): ContainerNeed | undefined => {
  const { initContainers = [], containers } = pod.spec;
  let again: readonly string[] = [];
  let inUse: readonly string[] = [];
  for (const container of [...initContainers, ...containers]) {
    const count = amountsOf(container.resources?.requests).others[resource] ?? 0;
    if (count === 0) continue;
    const given = givenTo(container.name);
    if (given === undefined)
      return { container: container.name, count, mustInclude: again.slice(0, count), inUse };
    const endsFirst = initContainers.includes(container) && !isRestartableInit(container);
    if (endsFirst) again = [...new Set([...again, ...given])];
    else {
      inUse = [...inUse, ...given];
      again = again.filter((id) => !given.includes(id));
    }
  }
  return undefined;
};

/** Pure: those that a plugin prefers, if it answered sensibly; else the first. */
export const chooseDevices = (
  { count, mustInclude }: ContainerNeed,
  available: readonly string[],
  preferred: readonly string[],
): readonly string[] => {
  const chosen = new Set(preferred);
  const isSensible =
    chosen.size === count &&
    preferred.length === count &&
    mustInclude.every((id) => chosen.has(id)) &&
    preferred.every((id) => available.includes(id));
  if (isSensible) return preferred;
  return [...new Set([...mustInclude, ...available])].slice(0, count);
};

/** Pure: what stays kept for a pod once `chosen` are given, no fewer than before. */
export const stillReserved = (
  before: readonly string[],
  given: readonly string[],
  chosen: readonly string[],
): readonly string[] => {
  const needed = new Set([...given, ...chosen]);
  const spare = before.filter((id) => !needed.has(id));
  const size = Math.max(before.length, needed.size);
  return [...needed, ...spare].slice(0, size);
};
