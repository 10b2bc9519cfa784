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

/** Measured on both clusters, and not summed up from moves. */
export const gainSince = (
  before: Measured,
  cluster: Snapshot,
  moved: readonly PodInfo[],
): { readonly gain: RebalanceGain; readonly workloads: readonly WorkloadSpread[] } => {
  const deviations = deviationsOf(cluster.nodes);
  const inUse = nodesInUse(cluster);
  const workloads = workloadsOf(moved, new Spread(before.cluster), new Spread(cluster));
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
};

const workloadsOf = (
  moved: readonly PodInfo[],
  before: Spread,
  after: Spread,
): readonly WorkloadSpread[] => {
  const samples = new Map(moved.map((info) => [before.nameOf(info), info]));
  return [...samples].flatMap(([workload, info]) => {
    const now = after.skewsOf(info);
    return [...before.skewsOf(info)].map(([topologyKey, was]) => ({
      ...{ workload, topologyKey },
      skew: { before: was, after: now.get(topologyKey) ?? 0 },
    }));
  });
};

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
