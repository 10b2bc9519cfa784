import type { ApiObject } from './types';

/**
 * Which pods would be better off on other nodes: the answer to what is posted to `rebalanceplans`, by the
 * code that schedules, on a copy of what the scheduler knows. Nothing is stored, evicted or bound.
 */
export interface RebalancePlan extends ApiObject {
  readonly spec: RebalancePlanSpec;
  readonly status: RebalancePlanStatus;
}

export interface RebalancePlanSpec {
  /** Default 20. */
  readonly maxMoves?: number;
  /**
   * A move that evens out load is worth it from this difference between the two nodes, in points of the
   * share that is requested, each counted with half of the pod. Default 10.
   */
  readonly minGainPercent?: number;
  /** A node is to be relieved from this share of its cpu or memory that is requested. Default 80. */
  readonly highPercent?: number;
  /** Also pods whose `emptyDir` volumes would be lost. */
  readonly movesLocalData?: boolean;
}

export interface RebalancePlanStatus {
  /** In the order in which they were worked out: each counts on those before it. */
  readonly moves: readonly PlannedMove[];
  readonly gain: RebalanceGain;
  /** Workloads of which pods move, by how unevenly they are spread. */
  readonly workloads: readonly WorkloadSpread[];
  /** Pods that stay, counted by the reason; the most frequent first. */
  readonly notMoved: readonly NotMoved[];
  /** There may be more that is worth it: the plan was long enough, or had been looked for long enough. */
  readonly isAtLimit: boolean;
}

export interface PlannedMove {
  /** `namespace/name` of the pod that would be evicted, and its uid. */
  readonly pod: string;
  readonly uid: string;
  /** `ReplicaSet/web-5d9c`: what makes it anew. */
  readonly owner: string;
  readonly from: string;
  /** Where the scheduler would place the pod that is made in its stead. */
  readonly to: string;
  readonly reason: MoveReason;
  readonly message: string;
  /** Moves of one batch may be done at once; the next waits until the pods of this one are ready. */
  readonly batch: number;
  /** `namespace/name` of the disruption budget that is over the pod. */
  readonly budget?: string;
  readonly nodesConsidered: number;
  readonly nodesFeasible: number;
  /** As a decision's. */
  readonly runnerUp?: string;
  readonly margin?: number;
  readonly decidedBy?: string;
  /** By how much the squares of the workload's pods per domain sum up to less. */
  readonly spreadGain: number;
  /** How much fuller the node is that it leaves: what `minGainPercent` is compared with. */
  readonly loadGainPercent: number;
}

export type MoveReason =
  'SpreadDrift' | 'EmptyNode' | 'UnderusedNode' | 'NodeOverThreshold' | 'FreesNode';

export interface RebalanceGain {
  /** The largest difference in pods between two nodes, of the workloads of which pods move. */
  readonly spreadSkew: Change<number>;
  /** Standard deviation over all nodes of the share that is requested, in percent. */
  readonly cpuDeviationPercent: Change<number>;
  readonly memoryDeviationPercent: Change<number>;
  /** Nodes that are left to DaemonSets and their own pods. */
  readonly nodesFreed: readonly string[];
}

export interface Change<T> {
  readonly before: T;
  readonly after: T;
}

export interface WorkloadSpread {
  /** `namespace/ReplicaSet/web-5d9c` */
  readonly workload: string;
  readonly topologyKey: string;
  readonly skew: Change<number>;
}

export interface NotMoved {
  readonly reason: NotMovedReason;
  readonly count: number;
  /** `namespace/name` of the first of them. */
  readonly pod: string;
}

export type NotMovedReason =
  | 'AlreadyBest'
  | 'BudgetAllowsNone'
  | 'DaemonSet'
  | 'Ending'
  | 'FitsNowhereElse'
  | 'GainTooSmall'
  | 'HasLocalData'
  | 'HasLocalVolume'
  | 'JobWouldBeLost'
  | 'MemberOfPodGroup'
  | 'NobodyMakesItAnew'
  | 'NothingToGain'
  | 'OtherScheduler'
  | 'SeveralBudgets'
  | 'StaticPod'
  | 'TargetUncertain';
