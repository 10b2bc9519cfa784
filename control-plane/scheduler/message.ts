import type { PreemptionOutcome } from './preemption';

/** How the nodes refused, for upstream's one-line message. */
export interface RefusalCounts {
  /** Every reason of each node's first refusing plugin: these may add up to more than the nodes. */
  readonly reasons: ReadonlyMap<string, number>;
  /** What speaks against the pod wherever it would go: then nodes are not counted. */
  readonly rejection?: string;
}

export const noNodesMessage = 'no nodes available to schedule pods';

/**
 * Upstream's wording, since people and tools match it. Its tail speaks of resource claims, which Dhow does
 * not have, and of preemption where that does not help.
 */
export const unschedulableMessage = (
  nodeCount: number,
  { reasons, rejection }: RefusalCounts,
  preemption: PreemptionOutcome,
): string => {
  const available = `0/${nodeCount} nodes are available`;
  const head = `${available}: ${rejection ?? histogram(reasons)}.`;
  const tail = `${head} no new claims to deallocate`;
  switch (preemption.kind) {
    case 'found':
      return head;
    case 'off':
      return tail;
    default:
      return `${tail}, preemption: ${preemptionWords(available, preemption)}`;
  }
};

const preemptionWords = (
  available: string,
  outcome: Exclude<PreemptionOutcome, { readonly kind: 'found' | 'off' }>,
): string => {
  switch (outcome.kind) {
    case 'none':
      return `${available}: ${histogram(outcome.counts)}.`;
    case 'never':
      return 'not eligible due to preemptionPolicy=Never.';
    case 'waiting':
      return 'not eligible due to a terminating pod on the nominated node.';
  }
};

/** Of a pod that had to make room, in upstream's words. */
export const preemptedMessage = (preemptorUid: string, nodeName: string): string =>
  `Preempted by pod ${preemptorUid} on node ${nodeName}`;

export const disruptedMessage = (schedulerName: string): string =>
  `${schedulerName}: preempting to accommodate a higher priority pod`;

export const assignedMessage = (podKey: string, nodeName: string): string =>
  `Successfully assigned ${podKey} to ${nodeName}`;

export const gatedMessage = 'Scheduling is blocked due to non-empty scheduling gates';

const histogram = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
