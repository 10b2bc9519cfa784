import type { Int64 } from './int64';
import type { WireguardEnd } from './node-encryption';

/** The kinds of rows of which a node's assignments are made, by the names they travel under. */
export const ROW = {
  pods: 'pods',
  secrets: 'secrets',
  configMaps: 'configmaps',
  claims: 'persistentvolumeclaims',
  runtimeClasses: 'runtimeclasses',
  /** All CSI drivers of the cluster. */
  csiDrivers: 'csidrivers',
  /** Of volumes, to this node. */
  attachments: 'volumeattachments',
  /** Those behind the claims, and those that the node keeps. */
  volumes: 'persistentvolumes',
  /** By which its pods are known to the API. */
  tokens: 'serviceaccounttokens',
  /** The node itself: its labels and taints. */
  nodes: 'nodes',
  peers: 'peers',
} as const;

export type RowResource = (typeof ROW)[keyof typeof ROW];

/** Rows that are the same for every node, in the order in which they come, all of them before pods. */
export const NETWORK_ROW = {
  /** By `namespace/name`, as a Service that is cut down to what nodes act on. */
  services: 'services',
  /** By `namespace/name`, as an EndpointSlice, cut down likewise. */
  endpointSlices: 'endpointslices',
  /** By `namespace/name`, as an Ingress that the nodes serve, cut down likewise. */
  ingresses: 'ingresses',
  /** By `namespace/name`: of the secrets that those name, certificate and key. */
  ingressSecrets: 'ingresssecrets',
  /** One row, `CLUSTER_KEY`: whoever has it has been told all of the others. */
  clusterNetwork: 'clusternetwork',
} as const;

export type NetworkRowResource = (typeof NETWORK_ROW)[keyof typeof NETWORK_ROW];

export const CLUSTER_KEY = 'cluster';

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
  /** One of each IP family at most, that it is known by first. */
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
  readonly unreachable: boolean;
  /** The largest packet that its interface takes; 0: not known. */
  readonly mtu: number;
  /** Absent: it does not encrypt. */
  readonly wireguard?: WireguardEnd;
}

/** Rows that say which packets pass, in the order in which they come, all of them before pods. */
export const POLICY_ROW = {
  /** By set and node: `AddressChunk`. */
  addresses: 'policyaddresses',
  /** By `namespace/name`: `NodePolicy`. */
  policies: 'networkpolicies',
  /** By uid of the pod: `PodPolicies`. */
  podPolicies: 'podpolicies',
} as const;

export type PolicyRowResource = (typeof POLICY_ROW)[keyof typeof POLICY_ROW];
