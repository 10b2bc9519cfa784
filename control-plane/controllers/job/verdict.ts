import type { Job, Pod } from '../../../api/types';
import { conditionOf, isTrue, type Claim } from './conditions';
import { failureVerdictOf } from './failure-policy';
import { hasFailed } from './job-pod';
import type { Observed } from './observe';
import { successOf } from './success-policy';
import type { Wanted } from './wanted';

/**
 * Why a job is to end though pods of it may still run; undefined while it goes on. What was once said
 * in its status stands. The order is upstream's (syncJob in job_controller.go).
 */
export const verdictOf = (
  job: Job,
  wanted: Wanted,
  observed: Observed,
  isPastDeadline: boolean,
): Claim | undefined => {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget']) {
    const { reason = '', message = '' } = conditionOf(job, type) ?? {};
    if (isTrue(job, type)) return { type, status: 'True', reason, message };
  }
  const failure = failureOf(wanted, observed, isPastDeadline);
  if (failure !== undefined) return { type: 'FailureTarget', status: 'True', ...failure };
  const message = observed.indexes && successOf(wanted, observed.indexes.succeeded);
  return message === undefined
    ? undefined
    : { type: 'SuccessCriteriaMet', status: 'True', reason: 'SuccessPolicy', message };
};

interface Failure {
  readonly reason: string;
  readonly message: string;
}

const failureOf = (
  wanted: Wanted,
  observed: Observed,
  isPastDeadline: boolean,
): Failure | undefined => {
  const byPolicy = policyFailureOf(wanted, observed.pods);
  if (byPolicy !== undefined) return { reason: 'PodFailurePolicy', message: byPolicy };
  if (observed.failed > wanted.backoffLimit || restartsTooOften(wanted, observed.active)) {
    const message = 'Job has reached the specified backoff limit';
    return { reason: 'BackoffLimitExceeded', message };
  }
  if (isPastDeadline) {
    const message = 'Job was active longer than specified deadline';
    return { reason: 'DeadlineExceeded', message };
  }
  return indexFailureOf(wanted, observed);
};

const policyFailureOf = (wanted: Wanted, pods: readonly Pod[]): string | undefined => {
  if (wanted.failurePolicy === undefined) return undefined;
  for (const pod of pods) {
    const { jobFailure } = hasFailed(pod, wanted)
      ? failureVerdictOf(wanted.failurePolicy, pod)
      : {};
    if (jobFailure !== undefined) return jobFailure;
  }
  return undefined;
};

/** The restarts of all its running pods count together. */
const restartsTooOften = (wanted: Wanted, active: readonly Pod[]): boolean => {
  if (!wanted.restartsInPlace) return false;
  const restarts = active
    .flatMap(({ status }) => [
      ...(status.initContainerStatuses ?? []),
      ...(status.containerStatuses ?? []),
    ])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return restarts > 0 && restarts >= wanted.backoffLimit;
};

const indexFailureOf = (
  { completions = 0, maxFailedIndexes }: Wanted,
  { indexes }: Observed,
): Failure | undefined => {
  const failedCount = indexes?.failed?.size ?? 0;
  if (indexes === undefined || failedCount === 0) return undefined;
  if (failedCount > (maxFailedIndexes ?? Infinity)) {
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    return { reason: 'MaxFailedIndexesExceeded', message };
  }
  return failedCount + indexes.succeeded.size >= completions
    ? { reason: 'FailedIndexes', message: 'Job has failed indexes' }
    : undefined;
};
