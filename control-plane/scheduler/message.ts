/** How the nodes refused, for upstream's one-line message. */
export interface RefusalCounts {
  /** Every reason of each node's first refusing plugin: these may add up to more than the nodes. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Nodes where removing pods could help. */
  readonly podBoundCount: number;
  /** What speaks against the pod wherever it would go: then nodes are not counted. */
  readonly rejection?: string;
}

export const noNodesMessage = 'no nodes available to schedule pods';

/**
 * Upstream's wording, since people and tools match it. Its tail speaks of resource claims and
 * preemption, and Dhow has neither yet. Where preemption might help, upstream's words would say that
 * victims were looked for: it says that nobody looks.
 */
export const unschedulableMessage = (
  nodeCount: number,
  { reasons, podBoundCount, rejection }: RefusalCounts,
  neverPreempts: boolean,
): string => {
  const head = `0/${nodeCount} nodes are available`;
  const preemption = neverPreempts
    ? 'not eligible due to preemptionPolicy=Never.'
    : `${head}: ${histogram(preemptionCounts(nodeCount, podBoundCount))}.`;
  return (
    `${head}: ${rejection ?? histogram(reasons)}. ` +
    `no new claims to deallocate, preemption: ${preemption}`
  );
};

export const assignedMessage = (podKey: string, nodeName: string): string =>
  `Successfully assigned ${podKey} to ${nodeName}`;

export const gatedMessage = 'Scheduling is blocked due to non-empty scheduling gates';

const preemptionCounts = (nodeCount: number, podBoundCount: number): ReadonlyMap<string, number> =>
  new Map(
    (
      [
        ['Preemption is not supported', podBoundCount],
        ['Preemption is not helpful for scheduling', nodeCount - podBoundCount],
      ] as const
    ).filter(([, count]) => count > 0),
  );

const histogram = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
