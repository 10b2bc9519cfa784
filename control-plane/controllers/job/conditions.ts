import type { Job } from '../../../api/types';

export type JobCondition = NonNullable<NonNullable<Job['status']>['conditions']>[number];

export const conditionOf = (job: Job, type: string): JobCondition | undefined =>
  job.status?.conditions?.find((condition) => condition.type === type);

export const isTrue = (job: Job, type: string): boolean =>
  conditionOf(job, type)?.status === 'True';

/** The condition by which the job has ended for good. */
export const endOf = (job: Job): JobCondition | undefined =>
  job.status?.conditions?.find(
    ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
  );

/** A condition with its reason, before it is known when. */
export interface Claim {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions with this one set. The same list when it is so already, or when what was never true
 * is claimed to be false.
 */
export const withClaim = (
  conditions: readonly JobCondition[],
  claim: Claim,
  nowText: string,
): readonly JobCondition[] => {
  const known = conditions.find(({ type }) => type === claim.type);
  const next = { ...claim, lastProbeTime: nowText, lastTransitionTime: nowText };
  if (known === undefined) return claim.status === 'False' ? conditions : [...conditions, next];
  const { status, reason, message } = known;
  return status === claim.status && reason === claim.reason && message === claim.message
    ? conditions
    : conditions.map((condition) => (condition === known ? next : condition));
};
