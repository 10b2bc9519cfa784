import type { Protocol } from './subject';

/** The policies of one pod of a node, by its uid: whoever has this row knows what isolates the pod. */
export interface PodPolicies {
  readonly uid: string;
  /** `namespace/name` each. */
  readonly policies: readonly string[];
}

/** A policy as a node carries it out: who it selects is said by address sets. */
export interface NodePolicy {
  /** `namespace/name` */
  readonly key: string;
  /** Absent: it is not about that direction. */
  readonly ingress?: readonly NodePolicyRule[];
  readonly egress?: readonly NodePolicyRule[];
}

export interface NodePolicyRule {
  /** Absent: everybody. */
  readonly peers?: readonly NodePolicyPeer[];
  /** Absent: all traffic. */
  readonly ports?: readonly NodePolicyPort[];
}

export type NodePolicyPeer =
  { readonly set: string } | { readonly cidr: string; readonly except: readonly string[] };

export type NodePolicyPort =
  | { readonly protocol: Protocol; readonly port?: number; readonly endPort?: number }
  /** Where each pod has the port that it gives a name to. */
  | { readonly protocol: Protocol; readonly set: string };

/**
 * The part of an address set that comes from the pods of one node, so that a change tells of few
 * addresses. An entry is `10.42.1.2`, in a set of ports `10.42.1.2 8080`.
 */
export interface AddressChunk {
  readonly set: string;
  readonly nodeName: string;
  readonly entries: readonly string[];
}

export const chunkKey = ({ set, nodeName }: Omit<AddressChunk, 'entries'>): string =>
  `${set} ${nodeName}`;
