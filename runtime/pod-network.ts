import type { PacketPolicies } from './packet-policies';
import { type ServiceNetwork } from './service-network';

/** Addresses and routes of the sandboxes on one host. */
export interface PodNetwork extends AsyncDisposable {
  /**
   * Gives the sandbox an address of each of this node's ranges, an `eth0` and default routes. Idempotent by
   * `sandboxId`: after a restart the same addresses come back, read from what exists.
   */
  attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment>;
  /** Call while the namespace is still pinned: what can only be undone there is. Idempotent. */
  release(sandboxId: string): Promise<void>;
  /** Call after the namespace is unpinned. Frees the address after a while. Idempotent. */
  detach(sandboxId: string): Promise<void>;
  /**
   * Makes the routes to the other nodes' ranges be exactly these, and puts back routes and firewall
   * rules that others have taken away: call it now and then.
   */
  syncPeers(peers: readonly NetworkPeer[]): Promise<void>;
  /**
   * Makes exactly these ports of the node lead to sandboxes; the first call takes away what an earlier
   * process has left. Call it now and then, too.
   */
  syncHostPorts(ports: readonly HostPort[]): Promise<void>;
  /**
   * Makes exactly these policies hold for sandboxes, and cuts flows that they forbid. From the first call
   * on, a sandbox is attached only when they say what holds for it. Call it now and then, too.
   */
  syncPolicies(policies: PacketPolicies): Promise<void>;
  readonly services: ServiceNetwork;
  /** Of those that `syncPeers` was last given, who is sent nothing because of encryption. */
  readonly refusedPeers: readonly RefusedPeer[];
  /** How the pods of those that `syncPeers` was last given are reached, but of nodes that do not answer. */
  readonly peerWays: readonly PeerWay[];
  /**
   * Whether rules of others have dropped what was passed on from pods or to them since the last call: who, and
   * how to allow it, in words. Call it now and then.
   */
  foreignDrops(): Promise<readonly string[]>;
  attachments(): readonly Attachment[];
  /**
   * Another number once the node's interface has lost or found its link, with which the kernel may take
   * routes away: then call `syncPeers`. Cheap. Undefined while there is no interface.
   */
  linkChanges(): Promise<number | undefined>;
  /** The largest packet that this node's interface takes, for its peers; it may change. */
  readonly mtu: number;
}

/** What arrives at a port of the node goes to a port of the sandbox at `podIp`. */
export interface HostPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** An address of the node; `0.0.0.0`: all of them, `::`: all of IPv6. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly podIp: string;
  readonly podPort: number;
}

export interface AttachRequest {
  readonly sandboxId: string;
  readonly netnsPath: string;
  /** Hold from the first packet on, as long as the sandbox is attached. Default: none. */
  readonly limits?: BandwidthLimits;
  /** For networks that lead ports of the node to a sandbox as they attach it. */
  readonly hostPorts?: readonly Omit<HostPort, 'podIp'>[];
  /** What plugins are told about whom they attach, by name. */
  readonly pluginArgs?: Readonly<Record<string, string>>;
}

/** What a sandbox may receive and send; undefined: all that it can. */
export interface BandwidthLimits {
  readonly ingressBitsPerSecond?: number;
  readonly egressBitsPerSecond?: number;
}

export interface Attachment {
  readonly sandboxId: string;
  /** One of each family that pods have, the more important first. */
  readonly ips: readonly string[];
  /** Empty where the network names none. */
  readonly hostInterface: string;
}

/** Another node: packets for its ranges go to its addresses. */
export interface NetworkPeer {
  readonly nodeName: string;
  /** One of each family at most, the first of which it is known by. */
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
  /** The largest packet that its interface takes; absent: not known. */
  readonly mtu?: number;
  /** Under which key it takes packets, and where; absent: it does not encrypt. */
  readonly wireguard?: WireguardEnd;
  /** Known to be off: answer at once rather than let packets vanish. */
  readonly isUnreachable: boolean;
}

export interface WireguardEnd {
  /** Of Curve25519, in base64. */
  readonly publicKey: string;
  /** Of UDP. */
  readonly port: number;
}

/** Another node that this one has no way to. */
export interface RefusedPeer {
  readonly nodeName: string;
  /** In words. */
  readonly why: string;
}

/** How the pods of another node are reached. */
export interface PeerWay {
  readonly nodeName: string;
  /** `plugins`: as plugins have it, if at all. */
  readonly way: 'direct' | 'wireguard' | 'direct and vxlan' | 'vxlan' | 'plugins' | 'none';
  /** In words, where there is none. */
  readonly why?: string;
}
