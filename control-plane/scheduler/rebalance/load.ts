import type { NodeInfo, NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';

/** Percent of what can be allocated that is requested. */
export interface Shares {
  readonly cpu: number;
  readonly memory: number;
}

/** What an average node can allocate: what a pod asks for is weighed by it. */
export interface MeanCapacity {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

export const meanCapacityOf = (nodes: readonly NodeInfo[]): MeanCapacity => ({
  cpuMillis: meanOf(nodes.map(({ allocatable }) => allocatable.cpuMillis)),
  memoryBytes: meanOf(nodes.map(({ allocatable }) => allocatable.memoryBytes)),
});

export const sharesOf = (node: NodeView, but: Amounts = NOTHING): Shares => ({
  cpu: percent(node.requestedCpuMillis + but.cpuMillis, node.allocatable.cpuMillis),
  memory: percent(node.requestedMemoryBytes + but.memoryBytes, node.allocatable.memoryBytes),
});

/** The share of the resource of which more is requested. */
export const fullnessOf = (node: NodeView, also?: Amounts): number => {
  const { cpu, memory } = sharesOf(node, also);
  return Math.max(cpu, memory);
};

/**
 * How much fuller the node is that the pod leaves than the one it enters, in points, each with half of the
 * pod; cpu and memory count by how much of them the pod requests. A move with a gain above zero always takes
 * from the variance over all nodes, weighed by their sizes. `without`: the pod is on neither. 0 for a pod
 * that requests nothing.
 */
export const loadGainOf = (
  { requests }: Pick<PodInfo, 'requests'>,
  without: { readonly from: NodeView; readonly to: NodeView },
  mean: MeanCapacity,
): number => {
  const half = { cpuMillis: requests.cpuMillis / 2, memoryBytes: requests.memoryBytes / 2 };
  const [leaves, enters] = [sharesOf(without.from, half), sharesOf(without.to, half)];
  const cpuWeight = mean.cpuMillis > 0 ? requests.cpuMillis / mean.cpuMillis : 0;
  const memoryWeight = mean.memoryBytes > 0 ? requests.memoryBytes / mean.memoryBytes : 0;
  const weight = cpuWeight + memoryWeight;
  if (weight === 0) return 0;
  const cpu = cpuWeight * (leaves.cpu - enters.cpu);
  return (cpu + memoryWeight * (leaves.memory - enters.memory)) / weight;
};

/** Standard deviation over the nodes, in points. */
export const deviationsOf = (nodes: readonly NodeInfo[]): Shares => {
  const shares = nodes.map((node) => sharesOf(node));
  return {
    cpu: deviationOf(shares.map(({ cpu }) => cpu)),
    memory: deviationOf(shares.map(({ memory }) => memory)),
  };
};

interface Amounts {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

const NOTHING: Amounts = { cpuMillis: 0, memoryBytes: 0 };

const percent = (part: number, whole: number): number => {
  if (whole > 0) return (100 * part) / whole;
  return part > 0 ? 100 : 0;
};

export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, each) => sum + each, 0) / values.length;

const deviationOf = (values: readonly number[]): number => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((each) => (each - mean) ** 2)));
};
