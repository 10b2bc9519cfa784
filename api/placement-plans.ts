import type { NodeUse, RefusalCount } from './decisions';
import type { ApiObject, Taint } from './types';

/**
 * What would become of pods if this were so: the answer to what is posted to `placementplans`, by the
 * code that schedules, on a copy of what the scheduler knows. Nothing is stored, bound or evicted.
 */
export interface PlacementPlan extends ApiObject {
  readonly spec: PlacementPlanSpec;
  readonly status: PlacementPlanStatus;
}

export interface PlacementPlanSpec {
  /** Pods, what makes pods, and PodGroups, as they are to be. What is there already under that name is replaced by it. */
  readonly objects?: readonly ApiObject[];
  /** Nodes that take no more pods, and whose pods move. */
  readonly drain?: readonly string[];
  /** Nodes that are gone, with all that runs there. */
  readonly without?: readonly string[];
  /** Nodes that are there besides. */
  readonly addNodes?: readonly PlannedNode[];
  /** Also count how many more pods of the last object there is room for. */
  readonly countsMore?: boolean;
}

export interface PlannedNode {
  readonly name: string;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
}

export interface PlacementPlanStatus {
  /** In the order in which the pods would be tried. */
  readonly placements: readonly PlannedPlacement[];
  /** PodGroups whose members were tried, in that order. */
  readonly groups?: readonly PlannedGroup[];
  /** Pods that are there now and that the objects replace: they were taken off first. */
  readonly replaced: number;
  /** Nodes on which anything changes. */
  readonly nodes: readonly PlannedNodeUse[];
  readonly more?: RoomForMore;
  /** More pods than a plan tries: those beyond were left out. */
  readonly omitted?: number;
}

export interface PlannedPlacement {
  /** `namespace/name`. The names of pods that a set makes are made up. */
  readonly pod: string;
  /** `Deployment/web`: what makes the pod. */
  readonly owner?: string;
  /**
   * Why it wants a node: `Planned`, an object of the plan; `Moved`, its node is drained or gone;
   * `Evicted`, it makes room for another of this plan; `Waiting`, it is pending now.
   */
  readonly cause: 'Planned' | 'Moved' | 'Evicted' | 'Waiting';
  /** Where it is now. */
  readonly from?: string;
  /**
   * `Lost`: nobody makes it anew. `Held`: it would not be tried. `Refused`: the API would not take it.
   */
  readonly outcome: 'Scheduled' | 'Unschedulable' | 'Lost' | 'Held' | 'Refused';
  readonly nodeName?: string;
  readonly nodesConsidered?: number;
  readonly nodesFeasible?: number;
  /** The second best, and by how much it is behind. */
  readonly runnerUp?: string;
  readonly margin?: number;
  readonly decidedBy?: string;
  /** As a decision's. */
  readonly refusals?: readonly RefusalCount[];
  /** `namespace/name` of the pods that are evicted for it. */
  readonly evicts?: readonly string[];
  /** How many of them a disruption budget would keep. */
  readonly budgetViolations?: number;
  readonly message?: string;
  readonly suggestion?: string;
}

/** Pods that get a node together or not at all. */
export interface PlannedGroup {
  /** `namespace/name` */
  readonly group: string;
  readonly minMember: number;
  /** How many of its pods need a node besides those that have one. */
  readonly neededCount: number;
  /** How many of them were there to be tried. */
  readonly waitingCount: number;
  readonly isWhole: boolean;
  /** How many of them fit at once; absent where there are too few to try. */
  readonly fittingCount?: number;
  /** `namespace/name` of the pods for which there is no room beside the others. */
  readonly missing: readonly string[];
}

export interface PlannedNodeUse {
  readonly node: string;
  readonly change?: 'Added' | 'Drained' | 'Removed';
  readonly before: NodeUse;
  readonly after: NodeUse;
  readonly allocatable: NodeUse;
}

export interface RoomForMore {
  readonly owner: string;
  readonly count: number;
  /** There may be room for more than were tried. */
  readonly isAtLimit: boolean;
  /** What keeps the next one out. */
  readonly refusals?: readonly RefusalCount[];
  readonly suggestion?: string;
}
