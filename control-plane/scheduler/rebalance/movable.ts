import { isBudgetOver } from '../../../api/disruption-budgets';
import { controllerOf, isOfKind } from '../../../api/owners';
import { groupKeyOf } from '../../../api/pod-groups';
import type { NotMovedReason } from '../../../api/rebalance-plans';
import { isStaticPod } from '../../../api/static-pods';
import { keyOf, type PodDisruptionBudget } from '../../../api/types';
import type { PodInfo } from '../pod-info';
import type { Profiles } from '../profile';
import type { BudgetsIn } from '../snapshot';

export interface MovableRules {
  readonly profiles: Profiles;
  readonly budgetsIn: BudgetsIn;
  readonly movesLocalData: boolean;
}

/** Pure: why the pod is not to be evicted for the sake of balance, wherever it might go. */
export const keptBecause = (info: PodInfo, rules: MovableRules): NotMovedReason | undefined => {
  const { pod } = info;
  const owner = controllerOf(pod);
  if (isStaticPod(pod) || owner?.kind === 'Node') return 'StaticPod';
  if (owner?.kind === 'DaemonSet') return 'DaemonSet';
  if (info.isTerminating) return 'Ending';
  if (owner?.kind === 'Job') return 'JobWouldBeLost';
  if (owner === undefined || !MAKERS.some((maker) => isOfKind(owner, maker)))
    return 'NobodyMakesItAnew';
  if (rules.profiles.find(pod) === undefined) return 'OtherScheduler';
  if (groupKeyOf(pod) !== undefined) return 'MemberOfPodGroup';
  const volumes = pod.spec.volumes ?? [];
  if (volumes.some(({ hostPath }) => hostPath !== undefined)) return 'HasLocalData';
  if (!rules.movesLocalData && volumes.some(({ emptyDir }) => emptyDir !== undefined))
    return 'HasLocalData';
  const budgets = budgetsOver(info, rules.budgetsIn);
  if (budgets.length > 1) return 'SeveralBudgets';
  return budgets.some((budget) => allowedBy(budget) < 1) ? 'BudgetAllowsNone' : undefined;
};

/** It belongs to its node: one is not in use for its sake. */
export const isOfNode = ({ pod }: PodInfo): boolean => {
  const kind = controllerOf(pod)?.kind;
  return isStaticPod(pod) || kind === 'DaemonSet' || kind === 'Node';
};

/** A volume that is behind its claims is on one node. */
export const hasLocalVolume = ({ volumes }: PodInfo): boolean =>
  (volumes?.bound ?? []).some(
    ({ volume }) => volume?.spec?.local !== undefined || volume?.spec?.hostPath !== undefined,
  );

/** An eviction is refused where there are several. */
export const budgetsOver = (
  { namespace, pod }: PodInfo,
  budgetsIn: BudgetsIn,
): readonly PodDisruptionBudget[] =>
  budgetsIn(namespace).filter((budget) => isBudgetOver(budget, pod));

export const allowedBy = ({ status }: PodDisruptionBudget): number =>
  status?.disruptionsAllowed ?? 0;

/** The budget by which the moves of a pod are bounded. */
export const limitOf = (info: PodInfo, budgetsIn: BudgetsIn) => {
  const [budget] = budgetsOver(info, budgetsIn);
  return budget === undefined ? undefined : { key: keyOf(budget), allowed: allowedBy(budget) };
};

/** What makes another pod when one is evicted, and counts no failure. */
const MAKERS = [
  { group: 'apps', kind: 'ReplicaSet' },
  { group: 'apps', kind: 'StatefulSet' },
  { group: '', kind: 'ReplicationController' },
];
