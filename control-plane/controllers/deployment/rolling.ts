import type { Deployment, ReplicaSet } from '../../../api/types';

/** A set and the size it should have next. */
export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly replicas: number;
}

export interface RollingLimits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** `maxSurge` rounds up, `maxUnavailable` down; both zero would stop all progress. Source: upstream ResolveFenceposts. */
export const rollingLimits = ({ spec }: Deployment): RollingLimits => {
  if (spec.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const desired = spec.replicas ?? 1;
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, desired, Math.ceil);
  const unavailable = share(maxUnavailable, desired, Math.floor);
  return {
    maxSurge: surge,
    maxUnavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, desired),
  };
};

const share = (value: string | number, whole: number, round: (n: number) => number): number =>
  typeof value === 'number' ? value : round((Number.parseInt(value, 10) * whole) / 100);

/**
 * How large the new set may be now: no more than desired, no more in all than the surge allows. What
 * other sets have been told to give up and have not yet counts too, which upstream leaves out.
 */
export const newSetSize = (
  deployment: Deployment,
  current: number,
  others: readonly ReplicaSet[],
): number => {
  const desired = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === 'Recreate') return desired;
  const roomLeft = desired + rollingLimits(deployment).maxSurge - (current + podsOf(others));
  return roomLeft <= 0 ? current : Math.min(current + roomLeft, desired);
};

/**
 * How to shrink the old sets without going below the pods that must stay available: first pods
 * that are not healthy anyway, then healthy ones, oldest set first.
 */
export const shrinkOldSets = (
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): readonly Resize[] => {
  const desired = deployment.spec.replicas ?? 1;
  const minAvailable = desired - rollingLimits(deployment).maxUnavailable;
  const newUnavailable = sizeOf([newSet]) - availableOf([newSet]);
  let removable = sizeOf(oldSets) + sizeOf([newSet]) - minAvailable - newUnavailable;
  if (removable <= 0) return [];
  const sizes = new Map(byAge(oldSets).map((replicaSet) => [replicaSet, sizeOf([replicaSet])]));
  for (const [replicaSet, size] of sizes) {
    const drop = Math.min(removable, size - Math.min(size, availableOf([replicaSet])));
    sizes.set(replicaSet, size - drop);
    removable -= drop;
  }
  const newAvailable = availableOf([newSet]);
  const availableOld = [...sizes].map(([set, size]) => Math.min(size, availableOf([set])));
  let spare = newAvailable + availableOld.reduce((sum, n) => sum + n, 0) - minAvailable;
  for (const [replicaSet, size] of sizes) {
    const drop = Math.max(0, Math.min(spare, size));
    sizes.set(replicaSet, size - drop);
    spare -= drop;
  }
  return changed(sizes);
};

/** Spreads a changed total over several live sets in proportion to their sizes. Source: KEP-less upstream `scale`. */
export const scaleProportionally = (
  deployment: Deployment,
  live: readonly ReplicaSet[],
  previousTotalOf: (replicaSet: ReplicaSet) => number,
): readonly Resize[] => {
  const desired = deployment.spec.replicas ?? 1;
  const total = sizeOf(live);
  const allowed = desired > 0 ? desired + rollingLimits(deployment).maxSurge : 0;
  let left = allowed - total;
  const ordered = [...live].sort(
    (a, b) =>
      sizeOf([b]) - sizeOf([a]) ||
      (left > 0 ? createdAt(b) - createdAt(a) : createdAt(a) - createdAt(b)),
  );
  const sizes = new Map<ReplicaSet, number>();
  for (const replicaSet of ordered) {
    const size = sizeOf([replicaSet]);
    const previousTotal = previousTotalOf(replicaSet) || total;
    const ideal = Math.round((size * allowed) / previousTotal) - size;
    const step = left > 0 ? Math.min(Math.max(ideal, 0), left) : Math.max(Math.min(ideal, 0), left);
    sizes.set(replicaSet, Math.max(0, size + step));
    left -= step;
  }
  const [largest] = ordered;
  if (largest !== undefined && left !== 0) {
    sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + left));
  }
  return changed(sizes);
};

export const sizeOf = (sets: readonly ReplicaSet[]): number =>
  sets.reduce((sum, { spec }) => sum + (spec.replicas ?? 1), 0);

/** Those that are there or will be. */
const podsOf = (sets: readonly ReplicaSet[]): number =>
  sets.reduce(
    (sum, { spec, status }) => sum + Math.max(spec.replicas ?? 1, status.replicas || 0),
    0,
  );

export const availableOf = (sets: readonly ReplicaSet[]): number =>
  sets.reduce((sum, { status }) => sum + (status.availableReplicas ?? 0), 0);

export const byAge = (sets: readonly ReplicaSet[]): ReplicaSet[] =>
  [...sets].sort(
    (a, b) => createdAt(a) - createdAt(b) || (a.metadata.name < b.metadata.name ? -1 : 1),
  );

const createdAt = ({ metadata }: ReplicaSet): number =>
  Date.parse(metadata.creationTimestamp ?? '') || 0;

const changed = (sizes: ReadonlyMap<ReplicaSet, number>): readonly Resize[] =>
  [...sizes]
    .filter(([replicaSet, size]) => size !== sizeOf([replicaSet]))
    .map(([replicaSet, replicas]) => ({ replicaSet, replicas }));
