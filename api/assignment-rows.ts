import type { Int64 } from './int64';

/** The kinds of rows of which a node's assignments are made, by the names they travel under. */
export const ROW = {
  pods: 'pods',
  secrets: 'secrets',
  configMaps: 'configmaps',
  claims: 'persistentvolumeclaims',
  runtimeClasses: 'runtimeclasses',
  /** Those behind the claims, and those that the node keeps. */
  volumes: 'persistentvolumes',
  /** By which its pods are known to the API. */
  tokens: 'serviceaccounttokens',
  /** The node itself: its labels and taints. */
  nodes: 'nodes',
  peers: 'peers',
} as const;

export type RowResource = (typeof ROW)[keyof typeof ROW];

/** A token of a pod's service account, or why there is none. */
export interface PodToken {
  readonly key: string;
  readonly token?: string;
  readonly error?: string;
}

/** A pod may have several, each for an audience of its own and for a time. */
export const tokenKey = (
  podUid: string,
  { audience = '', expirationSeconds = DEFAULT_TOKEN_SECONDS }: TokenOrder,
): string => [podUid, String(expirationSeconds), audience].join(' ');

export interface TokenOrder {
  readonly audience?: string;
  readonly expirationSeconds?: Int64;
}

/** Upstream's, where a projection does not say. */
export const DEFAULT_TOKEN_SECONDS = 3600;

/** Another node, as the routes to its pods need it. */
export interface Peer {
  readonly nodeName: string;
  readonly address: string;
  readonly podCidr: string;
  readonly unreachable: boolean;
  /** The largest packet that its interface takes; 0: not known. */
  readonly mtu: number;
}
