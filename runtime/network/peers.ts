import { type NetworkPeer } from '../pod-network';
import {
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr,
  parseIpv4,
  type Ipv4Cidr,
} from './ipv4';

/** A peer whose values were checked. */
export interface PlannedPeer {
  readonly nodeName: string;
  readonly podCidr: Ipv4Cidr;
  readonly address: number;
  readonly isUnreachable: boolean;
  /** Absent: not known, or not to be believed. */
  readonly mtu?: number;
}

export interface PeerPlan {
  readonly peers: readonly PlannedPeer[];
  /** Why a peer was left out, in words. */
  readonly problems: readonly string[];
}

export interface OwnNode {
  readonly podCidr: Ipv4Cidr;
  readonly address: number | undefined;
}

/**
 * The peers that can be routed to. One with a range that would draw in other traffic, such as a
 * node's own address or another's pods, is left out by name rather than believed.
 */
export const planPeers = (peers: readonly NetworkPeer[], own: OwnNode): PeerPlan => {
  const planned: PlannedPeer[] = [];
  const problems: string[] = [];
  const nodeAddresses = [own.address, ...peers.map(({ address }) => parseIpv4(address))].filter(
    (address) => address !== undefined,
  );
  const sorted = [...peers].sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1));
  for (const peer of sorted) {
    const checked = checkPeer(peer, own, planned, nodeAddresses);
    if (typeof checked === 'string') problems.push(`node ${peer.nodeName}: ${checked}`);
    else planned.push(checked);
  }
  return { peers: planned, problems };
};

/**
 * For the route to a peer whose interface takes less than this node's. Nobody between them says so when
 * they share a wire: it drops what is too large without a word.
 */
export const narrowMtu = (
  peer: Pick<PlannedPeer, 'mtu'>,
  own: { readonly mtu: number },
  overheadBytes = 0,
): { readonly mtu?: number } =>
  peer.mtu !== undefined && peer.mtu < own.mtu ? { mtu: peer.mtu - overheadBytes } : {};

const checkPeer = (
  { nodeName, address: addressText, podCidr: cidrText, isUnreachable, mtu }: NetworkPeer,
  own: OwnNode,
  accepted: readonly PlannedPeer[],
  nodeAddresses: readonly number[],
): PlannedPeer | string => {
  const address = parseIpv4(addressText);
  const podCidr = parseCidr(cidrText);
  if (address === undefined) return `address ${JSON.stringify(addressText)} is not IPv4`;
  if (podCidr === undefined) return `pod range ${JSON.stringify(cidrText)} is not an IPv4 CIDR`;
  if (address === own.address) return `address ${addressText} is this node's own`;
  if (podCidr.prefixLength < MIN_PREFIX_LENGTH) return `pod range ${cidrText} is too large`;
  if (nodeAddresses.some((other) => cidrContains(podCidr, other))) {
    return `pod range ${cidrText} contains the address of a node`;
  }
  if (cidrsOverlap(podCidr, own.podCidr)) {
    return `pod range ${cidrText} overlaps this node's ${formatCidr(own.podCidr)}`;
  }
  const rival = accepted.find((other) => cidrsOverlap(other.podCidr, podCidr));
  if (rival !== undefined) {
    return `pod range ${cidrText} overlaps that of node ${rival.nodeName}`;
  }
  const isMtu = mtu !== undefined && Number.isInteger(mtu) && mtu >= MIN_MTU && mtu <= MAX_MTU;
  return { nodeName, podCidr, address, isUnreachable, ...(isMtu ? { mtu } : {}) };
};

const MIN_PREFIX_LENGTH = 8;
/** Every host takes this much. */
const MIN_MTU = 576;
const MAX_MTU = 65_535;
