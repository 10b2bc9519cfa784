import type { Trouble } from './creation-limiter';
import { isPodReady } from '../../api/pods';
import type { Pod, ReplicaSet, ReplicationController } from '../../api/types';

/** What wants a number of pods, and no more than that. */
export type Replicas = ReplicaSet | ReplicationController;

export interface ReplicaPlan {
  readonly createCount: number;
  readonly remove: readonly Pod[];
}

/**
 * How to get from the active pods that exist to `replicas` of them. `pods` are those owned and active.
 * No more than `UNASSIGNED_MAX` wait for a node: two thousand million replicas are a valid wish, and
 * would fill the store long before the first of the last thousand could run.
 */
export const planReplicas = (replicas: number, pods: readonly Pod[]): ReplicaPlan => {
  const missing = Math.max(0, replicas - pods.length);
  return {
    createCount: missing === 0 ? 0 : Math.min(missing, roomToWait(pods)),
    remove: pods.length <= replicas ? [] : leastWanted(pods).slice(0, pods.length - replicas),
  };
};

/** How many more pods may be without a node. */
export const roomToWait = (pods: readonly Pod[]): number =>
  Math.max(0, UNASSIGNED_MAX - pods.filter((pod) => !isAssigned(pod)).length);

/** Why no more pods are made for now although `replicas` are not there. */
export const waitOf = (replicas: number, pods: readonly Pod[]): Trouble | undefined =>
  pods.length >= replicas || roomToWait(pods) > 0
    ? undefined
    : {
        reason: 'PodsUnassigned',
        message: `${UNASSIGNED_MAX} pods wait for a node; more are created as these get one`,
      };

export const UNASSIGNED_MAX = 1000;

/** The order in which upstream gives pods up (controller_utils.go, ActivePodsWithRanks): first to go first. */
export const leastWanted = (pods: readonly Pod[]): Pod[] => {
  const perNode = new Map<string, number>();
  for (const { spec } of pods) {
    const node = spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const crowd = ({ spec }: Pod) => perNode.get(spec.nodeName ?? '') ?? 0;
  return [...pods].sort(
    (a, b) =>
      Number(isAssigned(a)) - Number(isAssigned(b)) ||
      phaseRank(a) - phaseRank(b) ||
      Number(isPodReady(a)) - Number(isPodReady(b)) ||
      deletionCost(a) - deletionCost(b) ||
      crowd(b) - crowd(a) ||
      readySince(b) - readySince(a) ||
      restarts(b) - restarts(a) ||
      created(b) - created(a) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );
};

const isAssigned = ({ spec }: Pod): boolean => spec.nodeName !== undefined && spec.nodeName !== '';

const phaseRank = ({ status }: Pod): number =>
  status.phase === 'Running' ? 2 : status.phase === 'Unknown' ? 1 : 0;

const deletionCost = ({ metadata }: Pod): number =>
  Number(metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0;

const readySince = ({ status }: Pod): number =>
  Date.parse(status.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '') ||
  0;

const restarts = ({ status }: Pod): number =>
  Math.max(0, ...(status.containerStatuses ?? []).map(({ restartCount }) => restartCount));

const created = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0;

/** The status that these pods amount to. `trouble` is why pods are not created at full speed. */
export const replicaStatus = (
  owner: Replicas,
  pods: readonly Pod[],
  available: number,
  trouble: Trouble | undefined,
  nowText: string,
): ReplicaSet['status'] => {
  const { spec, metadata, status } = owner;
  const templateLabels = Object.entries(spec.template?.metadata?.labels ?? {});
  const isLabelled = (pod: Pod) =>
    templateLabels.every(([name, value]) => pod.metadata.labels?.[name] === value);
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');
  const known = status.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const conditions =
    trouble === undefined
      ? others
      : [
          ...others,
          {
            type: 'ReplicaFailure',
            status: 'True',
            ...trouble,
            lastTransitionTime: known?.lastTransitionTime ?? nowText,
          },
        ];
  const ready = pods.filter(isPodReady).length;
  const labelled = pods.filter(isLabelled).length;
  return {
    replicas: pods.length,
    ...(labelled === 0 ? {} : { fullyLabeledReplicas: labelled }),
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(available === 0 ? {} : { availableReplicas: available }),
    observedGeneration: metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
};
