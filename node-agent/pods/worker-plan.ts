import { isStaticPod } from '../../api/static-pods';
import { type Pod, uidOf } from '../../api/types';
import type { ObservedContainer } from '../inventory/observe';
import type { Refusal } from '../plan/admission';
import { graceMsOf } from '../pod-spec/pod-times';

/** A pod that nobody can ask for its grace any more (it was deleted by force) gets this long. */
const FORCED_GRACE_MS = 2_000;

/** Pure: how long a pod's containers have to end. */
export const graceOf = ({
  pod,
  isRemoved,
  graceMaxMs,
}: {
  readonly pod: Pod;
  readonly isRemoved: boolean;
  readonly graceMaxMs: number;
}): number =>
  isRemoved && !isStaticPod(pod) ? FORCED_GRACE_MS : Math.min(graceMaxMs, graceMsOf(pod));

/** Pure: which of those that are alive end next: main containers first, then sidecars, last one first. */
export const nextToEnd = (
  { spec }: Pod,
  runs: readonly ObservedContainer[],
): readonly ObservedContainer[] => {
  const alive = runs.filter(({ state }) => state.status !== 'exited');
  const main = new Set(spec.containers.map(({ name }) => name));
  const first = alive.filter(({ name }) => main.has(name));
  return first.length > 0 ? first : alive.reverse();
};

/**
 * Pure: does the refusal end the pod? What placed it here may have seen newer labels, which are about to
 * come. Times are monotonic.
 */
export const isFinalRefusal = (
  { mayBeStale }: Refusal,
  times: { readonly refusedSinceMs: number; readonly nowMs: number; readonly retryMs: number },
): boolean => mayBeStale !== true || times.nowMs >= times.refusedSinceMs + times.retryMs;

/** Pure: how long until the first of the times that have not come yet. */
export const untilNext = (timesMs: readonly (number | undefined)[], nowMs: number): number =>
  Math.min(...timesMs.flatMap((atMs) => (atMs !== undefined && atMs > nowMs ? [atMs] : []))) -
  nowMs;

/** Pure: as the kubelet says it. */
export const backoffMessage = (pod: Pod, container: string): string =>
  `Back-off restarting failed container ${container} in pod ` +
  `${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${uidOf(pod)})`;
