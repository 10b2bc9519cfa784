import type { ApiObject } from './types';

/**
 * Decisions taken once more, each against the state in which it was taken, under another configuration or
 * the same: the answer to what is posted to `decisionreplays`. Nothing is recorded.
 */
export interface DecisionReplay extends ApiObject {
  readonly spec: DecisionReplaySpec;
  readonly status: DecisionReplayStatus;
}

export interface DecisionReplaySpec {
  /** How many, of the latest. */
  readonly last: number;
  /** A KubeSchedulerConfiguration. Default: as the scheduler is configured. */
  readonly config?: string;
}

export interface DecisionReplayStatus {
  /** Fewer than were asked for where no more are remembered with their state. */
  readonly replayed: number;
  /** The same node, or none as well. */
  readonly same: number;
  /** Of these: with other scores, or another margin. */
  readonly rescored: number;
  /** Of those that are the same: nodes refused for other reasons, or others did. */
  readonly rejudged: number;
  /** The first of those that came out differently. */
  readonly differences: readonly ReplayDifference[];
  /** What of the configuration has no effect. */
  readonly warnings: readonly string[];
}

export interface ReplayDifference {
  /** `namespace/name` */
  readonly pod: string;
  readonly attempt: number;
  readonly time: string;
  readonly was: ReplayOutcome;
  readonly now: ReplayOutcome;
}

export interface ReplayOutcome {
  /** Absent: no node. */
  readonly nodeName?: string;
  readonly nodesFeasible: number;
  readonly total?: number;
  readonly margin?: number;
  readonly decidedBy?: string;
  /** Why no node. */
  readonly message?: string;
}
