import type { RebalanceGain, WorkloadSpread } from '../../../api/rebalance-plans';
import type { PodInfo } from '../pod-info';
import type { Snapshot } from '../snapshot';
import { deviationsOf, type Shares } from './load';
import { isOfNode } from './movable';
import { HOSTNAME, Spread } from './spread';

interface Measured {
  readonly cluster: Snapshot;
  readonly deviations: Shares;
  readonly nodesInUse: ReadonlySet<string>;
}

/** What gains are told from: a copy, which is not changed with the cluster. */
export const measure = (cluster: Snapshot): Measured => ({
  cluster: cluster.copy(),
  deviations: deviationsOf(cluster.nodes),
  nodesInUse: nodesInUse(cluster),
});

/** Measured on both clusters, and not summed up from moves. Yields after each workload. */
export function* gainSince(
  before: Measured,
  cluster: Snapshot,
  moved: readonly PodInfo[],
): Generator<
  void,
  { readonly gain: RebalanceGain; readonly workloads: readonly WorkloadSpread[] }
> {
  const deviations = deviationsOf(cluster.nodes);
  const inUse = nodesInUse(cluster);
  const workloads = yield* workloadsOf(moved, before.cluster, cluster);
  const ofNodes = workloads.filter(({ topologyKey }) => topologyKey === HOSTNAME);
  const largest = (at: 'before' | 'after') => Math.max(0, ...ofNodes.map(({ skew }) => skew[at]));
  return {
    gain: {
      spreadSkew: { before: largest('before'), after: largest('after') },
      cpuDeviationPercent: rounded(before.deviations.cpu, deviations.cpu),
      memoryDeviationPercent: rounded(before.deviations.memory, deviations.memory),
      nodesFreed: [...before.nodesInUse].filter((name) => !inUse.has(name)).sort(),
    },
    workloads: workloads.filter(({ skew }) => skew.before !== skew.after),
  };
}

function* workloadsOf(
  moved: readonly PodInfo[],
  clusterBefore: Snapshot,
  cluster: Snapshot,
): Generator<void, readonly WorkloadSpread[]> {
  const before = new Spread(clusterBefore);
  yield;
  const after = new Spread(cluster);
  const found: WorkloadSpread[] = [];
  const samples = new Map(moved.map((info) => [before.nameOf(info), info]));
  for (const [workload, info] of samples) {
    yield;
    const now = after.skewsOf(info);
    for (const [topologyKey, was] of before.skewsOf(info))
      found.push({
        workload,
        topologyKey,
        skew: { before: was, after: now.get(topologyKey) ?? 0 },
      });
  }
  return found;
}

const nodesInUse = ({ nodes }: Snapshot): ReadonlySet<string> =>
  new Set(
    nodes
      .filter(({ pods }) => ![...pods.values()].every((info) => isOfNode(info)))
      .map(({ name }) => name),
  );

const rounded = (before: number, after: number) => ({
  before: Math.round(before * 10) / 10,
  after: Math.round(after * 10) / 10,
});
