/** Which packets pass between the sandboxes of a host and all others. It knows no Kubernetes. */
export interface PacketPolicies {
  /** By sandbox id. One that is not here is not let into the network; if it is in, nothing passes. */
  readonly sandboxes: ReadonlyMap<string, SandboxPolicies>;
  readonly policies: ReadonlyMap<string, PacketPolicy>;
  /** Addresses by the id of their set. One whose members change is another object. */
  readonly addressSets: ReadonlyMap<string, readonly string[]>;
  /** Likewise, of ports at addresses. */
  readonly portSets: ReadonlyMap<string, readonly AddressPort[]>;
  /** Addresses of the host at which what sandboxes send is held to policies, as if it left the host. */
  readonly guardedAddresses: readonly string[];
}

/** The policies about each direction, of which one must let a packet pass; absent: all pass. */
export interface SandboxPolicies {
  readonly ingress?: readonly string[];
  readonly egress?: readonly string[];
}

/** By direction, the rules of which one must match. */
export interface PacketPolicy {
  readonly ingress: readonly PacketRule[];
  readonly egress: readonly PacketRule[];
}

export interface PacketRule {
  /** Absent: everybody. */
  readonly peers?: readonly PacketPeer[];
  /** Absent: all traffic. */
  readonly ports?: readonly PacketPorts[];
}

export type PacketPeer =
  { readonly set: string } | { readonly cidr: string; readonly except: readonly string[] };

export type PacketPorts =
  /** Without `first` all ports; `last` belongs to them. */
  | { readonly protocol: TransportProtocol; readonly first?: number; readonly last?: number }
  | { readonly portSet: string };

export type TransportProtocol = 'tcp' | 'udp' | 'sctp';

export interface AddressPort {
  readonly address: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
}

export const NO_POLICIES: PacketPolicies = {
  sandboxes: new Map(),
  policies: new Map(),
  addressSets: new Map(),
  portSets: new Map(),
  guardedAddresses: [],
};
