import { controllerOf } from '../../../api/owners';
import type { PlannedPlacement } from '../../../api/placement-plans';
import { keyOf, type Pod } from '../../../api/types';
import type { Decision } from '../decide';
import { isGated } from '../pod-info';
import { DEFAULT_SCHEDULER_NAME, type Profiles } from '../profile';

/** One pod that wants a node. What scheduling reads of it is worked out at its turn: many have none. */
export interface Wish {
  readonly pod: Pod;
  readonly owner?: string;
  readonly cause: PlannedPlacement['cause'];
  readonly from?: string;
}

export const wishOf = (pod: Pod, cause: Wish['cause']): Wish => ({ pod, ...ownerOf(pod), cause });

export const priorityOf = ({ pod }: Wish): number => pod.spec.priority ?? 0;

/** One that is made anew has no node yet; of the others a node that it names itself counts. */
export const unplaced = ({ pod, cause }: Wish): Pod => {
  if (cause === 'Planned') return pod;
  const { nodeName: _left, ...spec } = pod.spec;
  return { ...pod, spec };
};

/** Nobody makes the pod anew. */
export const isLost = ({ pod, cause }: Wish): boolean =>
  (cause === 'Moved' || cause === 'Evicted') && controllerOf(pod) === undefined;

/** Why it would not be tried at all. */
export const notTried = (wish: Wish, profiles: Profiles) => {
  const { pod } = wish;
  if (isLost(wish)) return { outcome: 'Lost', message: 'no controller makes it anew' } as const;
  const { schedulerName: named = DEFAULT_SCHEDULER_NAME, schedulingGates = [] } = pod.spec;
  if (profiles.find(pod) === undefined)
    return {
      outcome: 'Held',
      message: `only the scheduler ${named}, which it names, would place it`,
    } as const;
  if (!isGated({ pod })) return undefined;
  const gates = schedulingGates.map(({ name }) => name);
  return { outcome: 'Held', message: `held back by ${gates.join(' and ')}` } as const;
};

/** What is known of it before it is tried. */
export const knownOf = ({ pod, cause, owner, from }: Wish) => ({
  ...{ pod: keyOf(pod), cause },
  ...(owner === undefined ? {} : { owner }),
  ...(from === undefined ? {} : { from }),
});

export const countsOf = ({ nodesConsidered, nodesFeasible, refusals }: Decision) => ({
  nodesConsidered,
  nodesFeasible,
  refusals,
});

/** It has a place there, and why it is that one. */
export const scheduledAs = (decision: Decision, nodeName: string) => {
  const { top, margin, decidedBy, preemption } = decision;
  const runnerUp = top[1]?.node;
  return {
    outcome: 'Scheduled',
    nodeName,
    ...countsOf(decision),
    ...(runnerUp === undefined ? {} : { runnerUp }),
    ...(margin === undefined ? {} : { margin }),
    ...(decidedBy === undefined ? {} : { decidedBy }),
    ...(preemption === undefined
      ? {}
      : {
          evicts: preemption.victims.map(({ key }) => key),
          budgetViolations: preemption.violations,
        }),
  } as const;
};

const ownerOf = (pod: Pod) => {
  const owner = controllerOf(pod);
  return owner === undefined ? {} : { owner: `${owner.kind}/${owner.name}` };
};
