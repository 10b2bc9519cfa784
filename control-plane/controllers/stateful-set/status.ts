import { isTerminating } from '../../../api/pods';
import { uidOf, type Pod, type StatefulSet } from '../../../api/types';
import { revisionOf } from './identity';
import { isRunningAndReady, type RolloutRevisions } from './plan';

type Status = StatefulSet['status'];

/** Why the set is not getting on, in words that stay the same while the cause does. */
export interface SetTrouble {
  readonly reason: string;
  readonly message: string;
}

export interface ObservedSet {
  /** All there are of the set, those that are leaving too. */
  readonly pods: readonly Pod[];
  readonly revisions: RolloutRevisions;
  /** Uids of pods that have been ready for `minReadySeconds`. */
  readonly available: ReadonlySet<string>;
  readonly collisionCount: number;
  readonly trouble: SetTrouble | undefined;
  /** RFC 3339 */
  readonly now: string;
}

/** The status that these pods amount to. An update is over when every pod is of it, and ready. */
export const statefulSetStatus = (set: StatefulSet, seen: ObservedSet): Status => {
  const { pods, revisions, available, collisionCount } = seen;
  const ready = pods.filter(isRunningAndReady);
  const countOf = (revision: string) =>
    pods.filter((pod) => !isTerminating(pod) && revisionOf(pod) === revision).length;
  const updated = countOf(revisions.update);
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    [updated, ready.length, pods.length].every((count) => count === (set.spec.replicas ?? 1));
  const current = isComplete ? revisions.update : revisions.current;
  const conditions = conditionsOf(set, seen);
  return {
    availableReplicas: ready.filter((pod) => available.has(uidOf(pod))).length,
    collisionCount,
    ...positive('currentReplicas', countOf(current)),
    currentRevision: current,
    observedGeneration: set.metadata.generation ?? 0,
    ...positive('readyReplicas', ready.length),
    replicas: pods.length,
    updateRevision: revisions.update,
    ...positive('updatedReplicas', updated),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
};

const positive = (name: string, count: number): Readonly<Record<string, number>> =>
  count === 0 ? {} : { [name]: count };

const conditionsOf = (
  { status }: StatefulSet,
  { trouble, now }: ObservedSet,
): NonNullable<Status['conditions']> => {
  const known = status.conditions?.find(({ type }) => type === TROUBLE);
  const others = (status.conditions ?? []).filter(({ type }) => type !== TROUBLE);
  if (trouble === undefined) return others;
  const lastTransitionTime = known?.lastTransitionTime ?? now;
  return [...others, { type: TROUBLE, status: 'True', ...trouble, lastTransitionTime }];
};

/** As a ReplicaSet has it. */
const TROUBLE = 'ReplicaFailure';
