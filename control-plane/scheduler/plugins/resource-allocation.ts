import type { NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import { MAX_NODE_SCORE, type ScorePlugin } from './plugin';

export interface WeightedResource {
  readonly name: string;
  readonly weight: number;
}

/** From a share of use, 0 to 100, to a score, 0 to 10; straight lines between. */
export interface ShapePoint {
  readonly utilization: number;
  readonly score: number;
}

/** How nodes are preferred by what would be left of them: upstream's scoringStrategy. */
export type ScoringStrategy =
  | {
      readonly type: 'LeastAllocated' | 'MostAllocated';
      readonly resources: readonly WeightedResource[];
    }
  | {
      readonly type: 'RequestedToCapacityRatio';
      readonly resources: readonly WeightedResource[];
      readonly shape: readonly ShapePoint[];
    };

/** Prefers nodes by the share of their resources that would be taken. Source: upstream's noderesources. */
export const resourceAllocation = (strategy: ScoringStrategy): ScorePlugin => {
  const score = scorerOf(strategy);
  return {
    name: 'NodeResourcesFit',
    scope: 'node',
    prepare(pod) {
      const amounts = strategy.resources.map((resource) => amountsOf(resource, pod));
      return { score: (node) => score(amounts, node) };
    },
  };
};

/** One resource, as a node would have it with the pod on it. */
interface Amounts {
  readonly weight: number;
  /** 0 where the resource does not count for this pod. */
  allocatable(node: NodeView): number;
  requested(node: NodeView): number;
}

/** Without requests, CPU and memory count by upstream's defaults, so that such pods spread too. */
const amountsOf = ({ name, weight }: WeightedResource, pod: PodInfo): Amounts => {
  const wanted = pod.requests;
  switch (name) {
    case 'cpu':
      return {
        weight,
        allocatable: ({ allocatable }) => allocatable.cpuMillis,
        requested: (node) => node.scoringCpuMillis + pod.scoringCpuMillis,
      };
    case 'memory':
      return {
        weight,
        allocatable: ({ allocatable }) => allocatable.memoryBytes,
        requested: (node) => node.scoringMemoryBytes + pod.scoringMemoryBytes,
      };
    default:
      return { weight, ...exactAmountsOf(name, wanted) };
  }
};

/** As the pod asks for it, without defaults; what a pod does not ask for does not count. */
export const exactAmountsOf = (
  name: string,
  wanted: PodInfo['requests'],
): Omit<Amounts, 'weight'> => {
  switch (name) {
    case 'cpu':
      return {
        allocatable: ({ allocatable }) => allocatable.cpuMillis,
        requested: (node) => node.requestedCpuMillis + wanted.cpuMillis,
      };
    case 'memory':
      return {
        allocatable: ({ allocatable }) => allocatable.memoryBytes,
        requested: (node) => node.requestedMemoryBytes + wanted.memoryBytes,
      };
    case 'ephemeral-storage':
      return {
        allocatable: ({ allocatable }) => allocatable.ephemeralStorageBytes,
        requested: (node) => node.requestedStorageBytes + wanted.ephemeralStorageBytes,
      };
    default: {
      const amount = ownAmount(wanted.others, name);
      return {
        allocatable: ({ allocatable }) => (amount === 0 ? 0 : ownAmount(allocatable.others, name)),
        requested: (node) => node.requestedOther(name) + amount,
      };
    }
  }
};

/** Of a resource whose name somebody else chose. */
export const ownAmount = (amounts: Readonly<Record<string, number>>, name: string): number =>
  Object.hasOwn(amounts, name) ? (amounts[name] ?? 0) : 0;

type Scorer = (amounts: readonly Amounts[], node: NodeView) => number;

const scorerOf = (strategy: ScoringStrategy): Scorer => {
  switch (strategy.type) {
    case 'LeastAllocated':
      return weightedMean(freeShare);
    case 'MostAllocated':
      return weightedMean(takenShare);
    case 'RequestedToCapacityRatio':
      return byShape(strategy.shape);
  }
};

const weightedMean =
  (share: (requested: number, allocatable: number) => number): Scorer =>
  (amounts, node) => {
    let sum = 0;
    let weights = 0;
    for (const each of amounts) {
      const allocatable = each.allocatable(node);
      if (allocatable === 0) continue;
      sum += share(each.requested(node), allocatable) * each.weight;
      weights += each.weight;
    }
    return weights === 0 ? 0 : Math.floor(sum / weights);
  };

const freeShare = (requested: number, allocatable: number): number =>
  requested > allocatable
    ? 0
    : Math.floor(((allocatable - requested) * MAX_NODE_SCORE) / allocatable);

const takenShare = (requested: number, allocatable: number): number =>
  Math.floor((Math.min(requested, allocatable) * MAX_NODE_SCORE) / allocatable);

/** As upstream, resources that score 0 do not count towards the mean. */
const byShape =
  (shape: readonly ShapePoint[]): Scorer =>
  (amounts, node) => {
    let sum = 0;
    let weights = 0;
    for (const each of amounts) {
      const allocatable = each.allocatable(node);
      if (allocatable === 0) continue;
      const score = scoreAt(shape, takenShare(each.requested(node), allocatable));
      if (score === 0) continue;
      sum += score * each.weight;
      weights += each.weight;
    }
    return weights === 0 ? 0 : Math.round(sum / weights);
  };

/** Between two points by a straight line in whole numbers; before the first and after the last it is level. */
const scoreAt = (shape: readonly ShapePoint[], utilization: number): number => {
  let before: ShapePoint | undefined;
  for (const point of shape) {
    if (utilization <= point.utilization) {
      if (before === undefined) return scaled(point);
      const rise = scaled(point) - scaled(before);
      const run = point.utilization - before.utilization;
      return scaled(before) + Math.trunc((rise * (utilization - before.utilization)) / run);
    }
    before = point;
  }
  return before === undefined ? 0 : scaled(before);
};

const scaled = ({ score }: ShapePoint): number => (score * MAX_NODE_SCORE) / SHAPE_SCORE_MAX;

export const SHAPE_SCORE_MAX = 10;

export const CPU_AND_MEMORY: readonly WeightedResource[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];
