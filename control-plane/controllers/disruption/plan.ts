import { withAllowedCondition, type BudgetStatus } from '../../../api/disruption-budgets';
import { jsonEqual } from '../../../api/json-value';
import { isPodReady, isTerminating } from '../../../api/pods';
import { uidOf, type Pod, type PodDisruptionBudget } from '../../../api/types';

/** What a budget asks for. */
export interface Demand {
  /** How many pods there should be in all. */
  readonly expectedPods: number;
  /** How many of them must stay healthy. */
  readonly desiredHealthy: number;
}

/** Does the budget ask for a share of what should be there, and not of what is? */
export const isOfScale = ({ spec }: PodDisruptionBudget): boolean =>
  spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string';

/** `scale` is what the owners of the pods want in all; it counts where `isOfScale`. Percents round up. */
export const demandOf = (budget: PodDisruptionBudget, podCount: number, scale: number): Demand => {
  const { maxUnavailable, minAvailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const desiredHealthy = Math.max(0, scale - share(maxUnavailable, scale));
    return { expectedPods: scale, desiredHealthy };
  }
  if (minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  return {
    expectedPods: isOfScale(budget) ? scale : podCount,
    desiredHealthy: share(minAvailable, scale),
  };
};

/** Source: intstr.go, GetScaledValueFromIntOrPercent with roundUp. */
const share = (value: number | string, whole: number): number =>
  typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * whole) / 100);

/** A pod whose eviction was allowed, and which is there and not going yet. */
export interface Awaited {
  readonly pod: Pod;
  /** When it was allowed, as the server that allowed it stamped it: a name for it, never a time. */
  readonly stamp: string;
}

export const awaitedIn = (budget: PodDisruptionBudget, pods: readonly Pod[]): readonly Awaited[] =>
  pods
    .filter((pod) => !isTerminating(pod))
    .flatMap((pod) => {
      const stamp = budget.status?.disruptedPods?.[pod.metadata.name];
      return stamp === undefined ? [] : [{ pod, stamp }];
    });

/**
 * The status that these pods amount to. `awaited` are those whose deletion is still to come: they count
 * as gone already. A budget that expects no pod allows nothing, so that its first pods are safe before
 * anybody has counted them.
 */
export const budgetStatus = (
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  awaited: readonly Awaited[],
  { expectedPods, desiredHealthy }: Demand,
  now: string,
): BudgetStatus => {
  const going = new Set(awaited.map(({ pod }) => uidOf(pod)));
  const healthy = pods.filter(
    (pod) => !isTerminating(pod) && !going.has(uidOf(pod)) && isPodReady(pod),
  );
  const currentHealthy = healthy.length;
  const spare = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const disruptedPods = Object.fromEntries(
    awaited.map(({ pod, stamp }) => [pod.metadata.name, stamp]),
  );
  const { conditions } = budget.status ?? {};
  const status = {
    observedGeneration: budget.metadata.generation ?? 0,
    ...(awaited.length === 0 ? {} : { disruptedPods }),
    disruptionsAllowed: spare,
    ...{ currentHealthy, desiredHealthy, expectedPods },
    ...(conditions === undefined ? {} : { conditions }),
  };
  const told = withAllowedCondition(status, now);
  return isSame(told, budget.status) && budget.status !== undefined ? budget.status : told;
};

/** The generation that a condition speaks of is no news by itself. Source: ConditionsAreUpToDate. */
const isSame = (a: BudgetStatus, b: BudgetStatus | undefined): boolean =>
  jsonEqual(bare(a), b && bare(b));

const bare = ({ conditions, ...counts }: BudgetStatus) => ({
  ...counts,
  conditions: (conditions ?? []).map(({ type, status, reason }) => ({ type, status, reason })),
});
