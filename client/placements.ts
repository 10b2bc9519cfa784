import type { DecisionReplaySpec, DecisionReplayStatus } from '../api/decision-replays';
import type { Placement } from '../api/decisions';
import type { PlacementPlanStatus } from '../api/placement-plans';
import type { PodGroup } from '../api/pod-groups';
import type { RebalancePlanSpec, RebalancePlanStatus } from '../api/rebalance-plans';
import type { SchedulerCaptureSpec } from '../api/scheduler-captures';
import type { Node, Pod } from '../api/types';

/** Answers where pods would be placed. Implemented by the scheduler, asked by the api-server. */
export interface Placements {
  /** Changes nothing. @throws ServiceUnavailable while the nodes are not known yet */
  review(pod: Pod): Placement;
  /** What would become of pods; changes nothing. @throws ServiceUnavailable, NotFound for a node */
  plan(question: PlacementQuestion, signal: AbortSignal): Promise<PlacementPlanStatus>;
  /** Which pods would be better off elsewhere; changes nothing. @throws ServiceUnavailable */
  rebalance(question: RebalancePlanSpec, signal: AbortSignal): Promise<RebalancePlanStatus>;
  /** The last decisions once more; records nothing. @throws BadRequest for a configuration that is wrong */
  replay(question: DecisionReplaySpec, signal: AbortSignal): Promise<DecisionReplayStatus>;
  /**
   * The last decisions with all that they were taken by: a CapturedState as JSON text.
   * @throws ServiceUnavailable, NotFound for decisions that are not remembered, RequestEntityTooLarge
   */
  capture(question: SchedulerCaptureSpec, signal: AbortSignal): Promise<string>;
}

export interface PlacementQuestion {
  readonly pods: readonly PlannedPod[];
  /** As they are to be. */
  readonly groups?: readonly PodGroup[];
  /** Uids of what makes pods: those that it has made are taken off first. */
  readonly replacedOwners?: ReadonlySet<string>;
  readonly drain?: readonly string[];
  readonly without?: readonly string[];
  readonly addNodes?: readonly Node[];
  /** Count how many more like this there is room for. */
  readonly more?: PlannedPod;
}

/** A pod as it would be stored. */
export interface PlannedPod {
  readonly pod: Pod;
  /** `Deployment/web` */
  readonly owner?: string;
}
