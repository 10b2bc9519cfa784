import type { NodeUse, PlannedNodeUse } from '../../../api/placement-plans';
import { formatBytes, formatCpuMillis } from '../../../api/quantity';
import type { PlacementQuestion } from '../../../client/placements';
import type { NodeInfo } from '../node-info';
import type { ClusterView } from '../snapshot';

interface Known {
  readonly use: NodeUse;
  readonly allocatable: NodeUse;
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
  const after = usesOf(cluster);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    const change = changeOf(name, changes);
    if (change === undefined && hasSamePods(was, is)) return [];
    return {
      node: name,
      ...(change === undefined ? {} : { change }),
      before: was?.use ?? NOTHING,
      after: is?.use ?? NOTHING,
      allocatable: (is ?? was)?.allocatable ?? NOTHING,
    };
  });
};

const knownOf = (node: NodeInfo): Known => ({
  use: useOf(node.pods.size, node.requestedCpuMillis, node.requestedMemoryBytes),
  allocatable: useOf(node.podCountMax, node.allocatable.cpuMillis, node.allocatable.memoryBytes),
  uids: new Set(node.pods.keys()),
});

const useOf = (pods: number, cpuMillis: number, memoryBytes: number): NodeUse => ({
  pods,
  cpu: formatCpuMillis(cpuMillis),
  memory: formatBytes(memoryBytes),
});

const hasSamePods = (a: Known | undefined, b: Known | undefined): boolean =>
  a?.uids.size === b?.uids.size && [...(a?.uids ?? [])].every((uid) => b?.uids.has(uid));

const changeOf = (
  name: string,
  { addNodes, drain, without }: Parameters<typeof changedUses>[2],
): PlannedNodeUse['change'] => {
  if (without.includes(name)) return 'Removed';
  if (drain.includes(name)) return 'Drained';
  return addNodes.some(({ metadata }) => metadata.name === name) ? 'Added' : undefined;
};

const NOTHING: NodeUse = { pods: 0, cpu: '0', memory: '0' };
