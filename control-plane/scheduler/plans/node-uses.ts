import type { PlannedNodeUse } from '../../../api/placement-plans';
import type { PlacementQuestion } from '../../../client/placements';
import type { NodeInfo } from '../node-info';
import { allocatableOf, takenOf, useOf, type NodeAmounts } from '../node-use';
import type { ClusterView } from '../snapshot';

interface Known {
  readonly used: NodeAmounts;
  readonly allocatable: NodeAmounts;
  readonly uids: ReadonlySet<string>;
}

/** What is taken of each node, by its name. */
export const usesOf = ({ nodes }: ClusterView): ReadonlyMap<string, Known> =>
  new Map(nodes.map((node) => [node.name, knownOf(node)]));

/** The nodes that are others, or have other pods, than before. */
export const changedUses = (
  before: ReadonlyMap<string, Known>,
  cluster: ClusterView,
  changes: Required<Pick<PlacementQuestion, 'addNodes' | 'drain' | 'without'>>,
): readonly PlannedNodeUse[] => {
  const after = new Map(cluster.nodes.map((node) => [node.name, node]));
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    const change = changeOf(name, changes);
    if (change === undefined && hasSamePods(was, is)) return [];
    // Most nodes are as they were: only of the others is there anything to write.
    const now = is === undefined ? undefined : knownOf(is);
    return {
      node: name,
      ...(change === undefined ? {} : { change }),
      before: useOf(was?.used),
      after: useOf(now?.used),
      allocatable: useOf((now ?? was)?.allocatable),
    };
  });
};

const knownOf = (node: NodeInfo): Known => ({
  used: takenOf(node),
  allocatable: allocatableOf(node),
  uids: new Set(node.pods.keys()),
});

const hasSamePods = (was: Known | undefined, is: NodeInfo | undefined): boolean =>
  was?.uids.size === is?.pods.size &&
  [...(is?.pods.keys() ?? [])].every((uid) => was?.uids.has(uid));

const changeOf = (
  name: string,
  { addNodes, drain, without }: Parameters<typeof changedUses>[2],
): PlannedNodeUse['change'] => {
  if (without.includes(name)) return 'Removed';
  if (drain.includes(name)) return 'Drained';
  return addNodes.some(({ metadata }) => metadata.name === name) ? 'Added' : undefined;
};
