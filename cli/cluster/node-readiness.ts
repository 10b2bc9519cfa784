import { isNodeReady } from '../../api/nodes';
import type { Lease, Node } from '../../api/types';

/** The sign of life that each node has left, by name: the time of its lease, in its own words. */
export type LifeSigns = ReadonlyMap<string, string>;

export const lifeSignsOf = (leases: readonly Lease[]): LifeSigns =>
  new Map(leases.map(({ metadata, spec }) => [metadata.name, spec?.renewTime ?? '']));

/**
 * How many nodes are ready. What a cluster's store says of its nodes outlives the cluster: those in
 * `awaited` count only once their sign of life is another than it was `before`. No clock is asked.
 */
export const countReady = (
  nodes: readonly Node[],
  now: LifeSigns,
  before: LifeSigns,
  awaited: ReadonlySet<string>,
): number =>
  nodes.filter((node) => {
    const { name } = node.metadata;
    const isNews = now.has(name) && now.get(name) !== before.get(name);
    return isNodeReady(node) && (isNews || !awaited.has(name));
  }).length;
