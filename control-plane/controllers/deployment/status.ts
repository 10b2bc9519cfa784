import type { Deployment, ReplicaSet } from '../../../api/types';
import { availableOf, rollingLimits, sizeOf } from './rolling';

type Status = Deployment['status'];
type Condition = NonNullable<Status['conditions']>[number];

export interface Observed {
  readonly newSet: ReplicaSet | undefined;
  readonly sets: readonly ReplicaSet[];
  /** RFC 3339 */
  readonly now: string;
  /** How long the rollout has made no progress, by the monotonic clock. */
  readonly stalledMs: number;
  /** What went wrong when the new set was to be made. */
  readonly createError?: string;
  readonly wasCreated?: boolean;
}

/** The deployment's status, conditions included, as these sets make it. */
export const deploymentStatus = (deployment: Deployment, observed: Observed): Status => {
  const { newSet, sets } = observed;
  const ready = sum(sets, ({ status }) => status.readyReplicas ?? 0);
  const total = sum(sets, ({ status }) => status.replicas);
  const updated = newSet?.status.replicas ?? 0;
  const available = availableOf(sets);
  const desired = deployment.spec.replicas ?? 1;
  const unavailable = Math.max(0, Math.max(total, sizeOf(sets)) - available);
  const next: Status = {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive('replicas', total),
    ...positive('updatedReplicas', updated),
    ...positive('readyReplicas', ready),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', unavailable),
    ...terminatingOf(sets),
    ...(deployment.status.collisionCount === undefined
      ? {}
      : { collisionCount: deployment.status.collisionCount }),
  };
  const minAvailable = desired - rollingLimits(deployment).maxUnavailable;
  const conditions = [
    availableCondition(available >= minAvailable),
    progressCondition(deployment, next, observed),
    replicaFailure(observed),
  ].filter((condition) => condition !== undefined);
  const merged = conditions.map((draft) => stamped(draft, deployment, observed.now));
  return { ...next, conditions: merged };
};

/** True once every pod is of the new template, available, and no old one is left. */
export const isComplete = (deployment: Deployment, status: Status): boolean => {
  const desired = deployment.spec.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired
  );
};

/** How long a rollout that is under way may make no progress; undefined where there is no limit. */
export const progressLimitMs = (deployment: Deployment): number | undefined => {
  const { progressDeadlineSeconds, paused } = deployment.spec;
  const progressing = conditionOf(deployment, 'Progressing');
  const isOver =
    progressing?.reason === 'NewReplicaSetAvailable' ||
    progressing?.reason === 'ProgressDeadlineExceeded';
  const isUnderWay = progressing !== undefined && !isOver && paused !== true;
  if (progressDeadlineSeconds === undefined || !isUnderWay) return undefined;
  // Upstream takes the largest int32 for "no deadline".
  return progressDeadlineSeconds >= 2 ** 31 - 1 ? undefined : progressDeadlineSeconds * 1000;
};

/** The stamp of the last progress: it moves when there is some. */
export const progressStamp = (deployment: Deployment): string =>
  conditionOf(deployment, 'Progressing')?.lastUpdateTime ?? '';

type Draft = Pick<Condition, 'type' | 'status' | 'reason' | 'message'> & {
  readonly isProgress?: boolean;
};

const availableCondition = (isAvailable: boolean): Draft =>
  isAvailable
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };

/** Of the new set's making, or what the set says of its pods. Source: upstream's syncRolloutStatus. */
const replicaFailure = ({ createError, newSet, sets }: Observed): Draft | undefined => {
  const type = 'ReplicaFailure';
  if (createError !== undefined)
    return { type, status: 'True', reason: 'FailedCreate', message: createError };
  const failing = (newSet === undefined ? sets : [newSet])
    .flatMap(({ status }) => status.conditions ?? [])
    .find((condition) => condition.type === type && condition.status === 'True');
  if (failing === undefined) return undefined;
  const { status, reason = '', message = '' } = failing;
  return { type, status, reason, message };
};

const progressCondition = (
  deployment: Deployment,
  next: Status,
  { newSet, stalledMs, createError, wasCreated }: Observed,
): Draft | undefined => {
  const known = conditionOf(deployment, 'Progressing');
  const draft = (status: string, reason: string, message: string, isProgress = false): Draft => ({
    type: 'Progressing',
    status,
    reason,
    message,
    isProgress,
  });
  if (deployment.spec.paused === true) {
    return known?.reason === 'NewReplicaSetAvailable'
      ? known
      : draft('Unknown', 'DeploymentPaused', 'Deployment is paused');
  }
  if (known?.reason === 'DeploymentPaused') {
    return draft('Unknown', 'DeploymentResumed', 'Deployment is resumed', true);
  }
  if (createError !== undefined) return draft('False', 'ReplicaSetCreateError', createError);
  if (newSet === undefined) return known;
  const name = newSet.metadata.name;
  if (wasCreated === true) {
    return draft('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`, true);
  }
  if (isComplete(deployment, next)) {
    const message = `ReplicaSet "${name}" has successfully progressed.`;
    return draft('True', 'NewReplicaSetAvailable', message);
  }
  if (hasProgressed(deployment.status, next)) {
    return draft('True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, true);
  }
  const limitMs = progressLimitMs(deployment);
  if (limitMs !== undefined && stalledMs > limitMs) {
    const message = `ReplicaSet "${name}" has timed out progressing.`;
    return draft('False', 'ProgressDeadlineExceeded', message);
  }
  return known ?? draft('True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, true);
};

const hasProgressed = (before: Status, after: Status): boolean =>
  (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
  (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
  (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0) ||
  oldReplicas(after) < oldReplicas(before);

const oldReplicas = (status: Status): number =>
  (status.replicas ?? 0) - (status.updatedReplicas ?? 0);

/** Keeps the times of a condition that did not change. */
const stamped = (
  { isProgress, ...draft }: Draft,
  deployment: Deployment,
  now: string,
): Condition => {
  const known = conditionOf(deployment, draft.type);
  const isSame =
    known?.status === draft.status &&
    known.reason === draft.reason &&
    known.message === draft.message &&
    isProgress !== true;
  return {
    ...draft,
    lastUpdateTime: isSame ? (known.lastUpdateTime ?? now) : now,
    lastTransitionTime: known?.status === draft.status ? (known.lastTransitionTime ?? now) : now,
  };
};

const conditionOf = ({ status }: Deployment, type: string): Condition | undefined =>
  status.conditions?.find((condition) => condition.type === type);

/** Nothing is said before all sets say theirs. Source: GetTerminatingReplicaCountForReplicaSets. */
const terminatingOf = (sets: readonly ReplicaSet[]): Pick<Status, 'terminatingReplicas'> =>
  sets.every(({ status }) => status.terminatingReplicas !== undefined)
    ? { terminatingReplicas: sum(sets, ({ status }) => status.terminatingReplicas ?? 0) }
    : {};

const sum = (sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + value(set), 0);

const positive = (name: string, value: number): Partial<Record<string, number>> =>
  value > 0 ? { [name]: value } : {};
