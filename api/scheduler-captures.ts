import type { SchedulingDecision } from './decisions';
import type { LabelRequirement, Labels } from './selectors';
import type { ApiObject, Node, Pod, PodDisruptionBudget } from './types';

/**
 * Decisions with all that they were taken by, so that they can be taken again where there is no cluster: the
 * answer to what is posted to `schedulercaptures`, and what a bundle holds. Objects are in it as far as the
 * scheduler reads them: no environment, commands, secrets or annotations.
 */
export interface SchedulerCapture extends ApiObject {
  readonly spec: SchedulerCaptureSpec;
  readonly status: CapturedState;
}

export interface SchedulerCaptureSpec {
  /** How many, of the latest. */
  readonly last: number;
  /** Only those about this pod. */
  readonly pod?: { readonly namespace: string; readonly name: string };
}

export interface CapturedState {
  /** Of this very form: another one is not read. */
  readonly formatVersion: number;
  readonly dhowVersion: string;
  /** RFC 3339 */
  readonly time: string;
  /** Breaks ties. */
  readonly seed: number;
  /** A KubeSchedulerConfiguration. Absent: the scheduler was given none. */
  readonly configuration?: string;
  /** What the configuration came to: for people. */
  readonly profiles: readonly CapturedProfile[];
  /** The labels of each namespace. */
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly budgets: readonly PodDisruptionBudget[];
  readonly storage: CapturedStorage;
  /** What there was before the first step. */
  readonly start: {
    readonly nodes: readonly Node[];
    readonly placements: readonly CapturedPlace[];
    /** Pods for which room is being made. */
    readonly nominations: readonly CapturedPlace[];
  };
  /** What happened then, with the decisions in between. */
  readonly steps: readonly CapturedStep[];
}

export interface CapturedProfile {
  readonly schedulerName: string;
  readonly filters: readonly string[];
  readonly scores: readonly { readonly name: string; readonly weight: number }[];
}

/** What drivers of volumes say. */
export interface CapturedStorage {
  /** By node and driver. */
  readonly limits: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By `NAMESPACE/NAME` of the claim. */
  readonly counted: Readonly<Record<string, CapturedVolume>>;
  /** By node: what is attached there though no pod there uses it. */
  readonly leftovers: Readonly<Record<string, readonly CapturedVolume[]>>;
}

export interface CapturedVolume {
  readonly driver: string;
  readonly id: string;
}

export interface CapturedPlace {
  readonly pod: Pod;
  readonly nodeName: string;
}

export type CapturedStep =
  | {
      readonly kind: 'node';
      readonly name: string;
      /** Absent: it went. */
      readonly node?: Node;
    }
  | {
      readonly kind: 'placement' | 'nomination';
      readonly uid: string;
      /** Absent: it ended. */
      readonly place?: CapturedPlace;
    }
  | CapturedDecision;

export interface CapturedDecision {
  readonly kind: 'decision';
  readonly pod: Pod;
  /** By what services and controllers select pods like it. */
  readonly selector: readonly LabelRequirement[];
  /** What was behind its claims. */
  readonly volumes?: unknown;
  readonly spec: Pick<SchedulingDecision['spec'], 'attempt' | 'time'>;
  readonly status: CapturedOutcome;
}

/** What of a decision is compared. */
export type CapturedOutcome = Pick<
  SchedulingDecision['status'],
  'nodeName' | 'nodesFeasible' | 'reasons' | 'top' | 'margin' | 'decidedBy' | 'message'
>;
