import type { ApiObject } from '../types';
import type { DirectionVerdict } from './decide';
import type { Protocol } from './subject';

/** The group of Dhow's own questions about the network. */
export const NETWORKING_GROUP = 'networking.dhow.dev';

/**
 * Whether a connection could be opened now, and what says so. Posted to `connectionreviews`; the answer
 * is not stored, and no packet is sent.
 */
export interface ConnectionReview extends ApiObject {
  readonly spec: ConnectionQuestion;
  readonly status: ConnectionAnswer;
}

/** Without a namespace an end is in that of the review. One of the names says what it is. */
export interface ConnectionQuestion {
  readonly from: { readonly namespace?: string; readonly pod?: string; readonly address?: string };
  readonly to: {
    readonly namespace?: string;
    readonly pod?: string;
    readonly service?: string;
    readonly address?: string;
    /** By number or name. Absent: all that the pod or service names. */
    readonly port?: number | string;
  };
  /** Default: that of the port, or TCP. */
  readonly protocol?: Protocol;
}

export interface ConnectionAnswer {
  /** Every attempt would get through, and there is one. */
  readonly reachable: boolean;
  /** One a port of each pod that the connection could be led to. */
  readonly attempts: readonly ConnectionAttempt[];
  /** What stands in the way besides policies, in words. */
  readonly problems: readonly string[];
  /** What need not stand in the way, and may be what is wrong. */
  readonly notes: readonly string[];
}

export interface ConnectionAttempt {
  /** `namespace/name`; absent for what is no pod, or one that the asker may not see. */
  readonly pod?: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly reachable: boolean;
  readonly egress: DirectionVerdict;
  readonly ingress: DirectionVerdict;
}
