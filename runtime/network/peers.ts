import { type NetworkPeer, type RefusedPeer, type WireguardEnd } from '../pod-network';
import {
  formatPrefix,
  ipOf,
  onePerFamily,
  prefixContains,
  prefixesOverlap,
  rangeOf,
  sameIp,
  type IpAddress,
  type IpPrefix,
} from '../../lib/net/ip';
import { isWireguardKey } from '../../lib/net/wireguard-key';

/** A peer whose values were checked. */
export interface PlannedPeer {
  readonly nodeName: string;
  /** One of each family at most, the first of which it is known by. */
  readonly podCidrs: readonly IpPrefix[];
  readonly addresses: readonly IpAddress[];
  readonly isUnreachable: boolean;
  /** Absent: not known, or not to be believed. */
  readonly mtu?: number;
  /** Absent: it does not encrypt, or what it says of that is not to be believed. */
  readonly wireguard?: WireguardEnd;
}

export interface PeerPlan {
  readonly peers: readonly PlannedPeer[];
  readonly leftOut: readonly RefusedPeer[];
}

export interface OwnNode {
  readonly podCidrs: readonly IpPrefix[];
  readonly addresses: readonly IpAddress[];
}

/**
 * The peers that can be routed to. One with a range that would draw in other traffic, such as a
 * node's own address or another's pods, is left out by name rather than believed.
 */
export const planPeers = (peers: readonly NetworkPeer[], own: OwnNode): PeerPlan => {
  const planned: PlannedPeer[] = [];
  const leftOut: RefusedPeer[] = [];
  const nodeAddresses = [
    ...own.addresses,
    ...peers.flatMap(({ addresses }) => addresses.flatMap((text) => ipOf(text) ?? [])),
  ];
  const sorted = [...peers].sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1));
  for (const peer of sorted) {
    const checked = checkPeer(peer, own, planned, nodeAddresses);
    if (typeof checked === 'string') leftOut.push({ nodeName: peer.nodeName, why: checked });
    else planned.push(checked);
  }
  return { peers: planned, leftOut };
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
  { nodeName, addresses: addressTexts, podCidrs: cidrTexts, ...peer }: NetworkPeer,
  own: OwnNode,
  accepted: readonly PlannedPeer[],
  nodeAddresses: readonly IpAddress[],
): PlannedPeer | string => {
  const addresses: IpAddress[] = [];
  for (const text of addressTexts) {
    const address = ipOf(text);
    if (address === undefined) return `address ${JSON.stringify(text)} is none`;
    if (own.addresses.some((one) => sameIp(one, address)))
      return `address ${text} is this node's own`;
    addresses.push(address);
  }
  if (addresses.length === 0) return 'it has no address';
  const podCidrs: IpPrefix[] = [];
  for (const text of cidrTexts) {
    const podCidr = checkRange(text, own, accepted, nodeAddresses);
    if (typeof podCidr === 'string') return podCidr;
    podCidrs.push(podCidr);
  }
  if (podCidrs.length === 0) return 'it has no pod range';
  const { isUnreachable, mtu, wireguard } = peer;
  const isMtu = mtu !== undefined && Number.isInteger(mtu) && mtu >= MIN_MTU && mtu <= MAX_MTU;
  return {
    nodeName,
    podCidrs: onePerFamily(podCidrs, ({ address }) => address.family),
    addresses: onePerFamily(addresses, ({ family }) => family),
    isUnreachable,
    ...(isMtu ? { mtu } : {}),
    ...(wireguard !== undefined && isWireguardEnd(wireguard) ? { wireguard } : {}),
  };
};

const isWireguardEnd = ({ publicKey, port }: WireguardEnd): boolean =>
  isWireguardKey(publicKey) && Number.isInteger(port) && port >= 1 && port <= MAX_PORT;

const checkRange = (
  text: string,
  own: OwnNode,
  accepted: readonly PlannedPeer[],
  nodeAddresses: readonly IpAddress[],
): IpPrefix | string => {
  const podCidr = rangeOf(text);
  if (podCidr === undefined) return `pod range ${JSON.stringify(text)} is not a CIDR`;
  if (podCidr.length < MIN_PREFIX_LENGTH[podCidr.address.family])
    return `pod range ${text} is too large`;
  if (nodeAddresses.some((other) => prefixContains(podCidr, other)))
    return `pod range ${text} contains the address of a node`;
  const ours = own.podCidrs.find((range) => prefixesOverlap(podCidr, range));
  if (ours !== undefined) return `pod range ${text} overlaps this node's ${formatPrefix(ours)}`;
  const rival = accepted.find((other) =>
    other.podCidrs.some((range) => prefixesOverlap(range, podCidr)),
  );
  if (rival !== undefined) return `pod range ${text} overlaps that of node ${rival.nodeName}`;
  return podCidr;
};

const MIN_PREFIX_LENGTH = { 4: 8, 6: 16 } as const;
/** Every host takes this much. */
const MIN_MTU = 576;
const MAX_MTU = 65_535;
const MAX_PORT = 65_535;
