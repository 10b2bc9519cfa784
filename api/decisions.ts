import type { ApiObject } from './types';

/** The group of Dhow's own scheduling kinds. */
export const SCHEDULING_GROUP = 'scheduling.dhow.dev';

/** One node among the best of an attempt, with what each plugin gave it (already weighted). */
export interface RankedNode {
  readonly node: string;
  readonly total: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** How many nodes refused for exactly these reasons. */
export interface RefusalCount {
  readonly reasons: readonly string[];
  readonly count: number;
}

/** Pods of a node, and what they request. */
export interface NodeUse {
  readonly pods: number;
  readonly cpu: string;
  readonly memory: string;
}

/** One attempt to place one pod, scheduled or not. Immutable once recorded. */
export interface SchedulingDecision extends ApiObject {
  readonly spec: {
    readonly podName: string;
    readonly podUID: string;
    /** 1 for the first attempt of this pod. */
    readonly attempt: number;
    /** RFC 3339 with microseconds. */
    readonly time: string;
    /** What made the scheduler try: `PodAdded`, `NodeAdded`, `PodDeleted`, `BackoffComplete`, ... */
    readonly trigger: string;
  };
  readonly status: {
    readonly outcome: 'Scheduled' | 'Unschedulable' | 'Error';
    readonly nodeName?: string;
    readonly nodesConsidered: number;
    readonly nodesFeasible: number;
    /** First failing reason to count of nodes; with `nodesFeasible` it adds up to `nodesConsidered`. */
    readonly reasons: Readonly<Record<string, number>>;
    /**
     * Nodes by everything that refused them, not only the first reason: most frequent first. With
     * `nodesFeasible` it adds up to `nodesConsidered`. Absent in records of earlier releases.
     */
    readonly refusals?: readonly RefusalCount[];
    /** Best first, at most three. */
    readonly top: readonly RankedNode[];
    /** Total of the winner less the runner-up's; absent with fewer than two feasible nodes. */
    readonly margin?: number;
    /** The plugin whose score separates winner and runner-up most; `tie` when equal. */
    readonly decidedBy?: string;
    /** Of a pod that fits nowhere: who was evicted for it, and where. */
    readonly preemption?: {
      readonly nodeName: string;
      /** `namespace/name`, the most important first. */
      readonly victims: readonly string[];
      /** How many of them a disruption budget would have kept. Absent, as what follows, in records of earlier releases. */
      readonly budgetViolations?: number;
      /** What was taken of the node, and what is once they have gone and this pod has come. */
      readonly before?: NodeUse;
      readonly after?: NodeUse;
      readonly allocatable?: NodeUse;
    };
    /** The message of the PodScheduled condition and of the event. */
    readonly message: string;
    /** For a pending pod: the smallest change that would make it fit, in words. */
    readonly suggestion?: string;
    readonly latencyMicros: number;
  };
}

/** Why one node takes or refuses a pod, with every reason and not just the first. */
export interface NodeExplanation {
  readonly node: string;
  readonly fits: boolean;
  readonly reasons: readonly {
    readonly plugin: string;
    readonly reason: string;
    /** What exactly: the taint, the pod that holds the port, how much is lacking. */
    readonly detail: string;
  }[];
  /** Present on nodes that fit. */
  readonly scores?: Readonly<Record<string, number>>;
  readonly total?: number;
}

/**
 * Whether a pod that does not exist would be placed now. The answer to a pod that is posted to
 * `placementreviews`; nothing is stored or reserved.
 */
export interface PlacementReview extends ApiObject {
  readonly status: Placement;
}

export interface Placement {
  readonly nodesConsidered: number;
  readonly nodesFeasible: number;
  /** As a decision's: with `nodesFeasible` it adds up to `nodesConsidered`. */
  readonly refusals: readonly RefusalCount[];
  /** Where it fits nowhere: the smallest change that would make it fit, in words. */
  readonly suggestion?: string;
  /** Another scheduler than this is to place the pod. */
  readonly schedulerName?: string;
  /** The scheduling gates that would hold the pod back. */
  readonly gates?: readonly string[];
}

/** Computed on request from the live snapshot by the code that schedules. Named after its pod. */
export interface PodExplanation extends ApiObject {
  /** `node`: the one node that was asked about. */
  readonly spec: { readonly podName: string; readonly node?: string };
  readonly status: {
    readonly nodeName?: string;
    /** The pod is bound to a node that does not exist. */
    readonly nodeIsMissing?: boolean;
    /** Another scheduler than this is to place the pod: nobody does if none of that name runs. */
    readonly schedulerName?: string;
    /** The scheduling gates that hold the pod back. */
    readonly gates?: readonly string[];
    /** Where the pod waits: `active`, `backoff`, `unschedulable`, `gated`, or absent when bound. */
    readonly queue?: string;
    /** RFC 3339; set while in `backoff`. */
    readonly retryAt?: string;
    /** RFC 3339; set while `unschedulable`: it is tried again then, though nothing happened. */
    readonly retryBy?: string;
    /** RFC 3339; its PodGroup is placed in part: if it is not whole then, those placed give their room back. */
    readonly groupEndsAt?: string;
    /** Set while `active`: 1 is next. */
    readonly queuePosition?: number;
    /** How many pods wait, each for whatever it is; set while this one does. */
    readonly queueSize?: number;
    /** What would wake it, in words. */
    readonly waitingFor?: readonly string[];
    readonly attempts: number;
    readonly nodes: readonly NodeExplanation[];
    readonly suggestion?: string;
    readonly lastDecision?: SchedulingDecision['status'] & { readonly time: string };
  };
}
