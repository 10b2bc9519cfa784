import { withCondition } from './pods';
import { matchesLabelSelector } from './selectors';
import type { Pod, PodDisruptionBudget } from './types';

export type BudgetStatus = NonNullable<PodDisruptionBudget['status']>;

/** Is the budget over the pod? One without a selector is over none, one with an empty selector over all. */
export const isBudgetOver = ({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean =>
  metadata.namespace === pod.metadata.namespace &&
  matchesLabelSelector(spec?.selector, pod.metadata.labels ?? {});

/** The condition that tells whether a pod may be evicted. Source: policy/v1, types.go. */
export const DISRUPTION_ALLOWED = 'DisruptionAllowed';
/** Its reason when nobody knows how many may be. */
export const SYNC_FAILED = 'SyncFailed';

/** With the condition that its number of allowed disruptions amounts to. */
export const withAllowedCondition = (status: BudgetStatus, now: string): BudgetStatus =>
  withBudgetCondition(
    status,
    status.disruptionsAllowed > 0
      ? { status: 'True', reason: 'SufficientPods' }
      : { status: 'False', reason: 'InsufficientPods' },
    now,
  );

/** With the condition that no pod may be evicted, because `why`. */
export const withSyncFailed = (status: BudgetStatus, why: string, now: string): BudgetStatus =>
  withBudgetCondition(
    { ...status, disruptionsAllowed: 0 },
    { status: 'False', reason: SYNC_FAILED, message: why },
    now,
  );

interface Said {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message?: string;
}

const withBudgetCondition = (
  status: BudgetStatus,
  { message = '', ...said }: Said,
  now: string,
): BudgetStatus => {
  const { observedGeneration } = status;
  const input = {
    type: DISRUPTION_ALLOWED,
    ...said,
    message,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
  };
  const conditions = withCondition(status.conditions, input, now);
  return { ...status, conditions } as BudgetStatus;
};
