import { formatPrefix, sameIp, type IpFamily, type IpPrefix } from '../../../lib/net/ip';
import { addressIn } from '../host';
import { type PresentPeer, type WireguardDevice, type WireguardPeer } from '../netlink/wireguard';
import { type PlannedPeer } from '../peers';
import { type RefusedPeer } from '../../pod-network';

/** A peer that is spoken to under its key alone. */
export interface SealedPeer extends PlannedPeer {
  readonly end: WireguardPeer;
}

export interface EncryptionPlan {
  /** Reached in the clear: none where this node encrypts. */
  readonly open: readonly PlannedPeer[];
  readonly sealed: readonly SealedPeer[];
  /** Nothing is sent to them. */
  readonly refused: readonly (PlannedPeer & RefusedPeer)[];
}

/**
 * Who is reached in the clear, who under encryption, and who not at all: two nodes that do not agree have no
 * way to each other, so that nothing leaves in the clear that one of them wants kept.
 * @param own undefined: this node does not encrypt
 */
export const planEncryption = (
  peers: readonly PlannedPeer[],
  own: { readonly publicKey: string; readonly outer: IpFamily } | undefined,
): EncryptionPlan => {
  const plan = {
    open: [] as PlannedPeer[],
    sealed: [] as SealedPeer[],
    refused: [] as (PlannedPeer & RefusedPeer)[],
  };
  const owners = new Map(own === undefined ? [] : [[own.publicKey, 'this node']]);
  for (const peer of peers) {
    const refuse = (why: string) => plan.refused.push({ ...peer, why });
    const { wireguard, podCidrs: allowedIps, nodeName } = peer;
    if (own === undefined) {
      if (wireguard === undefined) plan.open.push(peer);
      else refuse('it encrypts, this node does not');
      continue;
    }
    const endpoint = addressIn(peer.addresses, own.outer);
    const owner = owners.get(wireguard?.publicKey ?? '');
    if (wireguard === undefined) refuse('it has no key');
    else if (owner !== undefined) refuse(`its key is that of ${owner}`);
    else if (endpoint === undefined) refuse(`it has no address of IPv${own.outer}`);
    else {
      owners.set(wireguard.publicKey, `node ${nodeName}`);
      plan.sealed.push({ ...peer, end: { ...wireguard, endpoint, allowedIps } });
    }
  }
  return plan;
};

export interface WantedDevice {
  readonly privateKey: string;
  readonly port: number;
  readonly peers: readonly WireguardPeer[];
}

export interface DeviceChanges {
  /** Key, port or mark are others. */
  readonly isOther: boolean;
  /** Keys of peers that go: before others get their ranges. */
  readonly removed: readonly string[];
  readonly set: readonly WireguardPeer[];
}

/** What is to be done so that a device is as wanted: as little as can be, so that sessions go on. */
export const deviceChanges = (wanted: WantedDevice, present: WireguardDevice): DeviceChanges => {
  const isWanted = new Set(wanted.peers.map(({ publicKey }) => publicKey));
  const known = new Map(present.peers.map((peer) => [peer.publicKey, peer]));
  return {
    isOther:
      present.privateKey !== wanted.privateKey ||
      present.port !== wanted.port ||
      present.firewallMark !== 0,
    removed: [...known.keys()].filter((key) => !isWanted.has(key)),
    set: wanted.peers.filter((peer) => !isSame(peer, known.get(peer.publicKey))),
  };
};

const isSame = (wanted: WireguardPeer, present: PresentPeer | undefined): boolean =>
  present?.endpoint !== undefined &&
  sameIp(present.endpoint, wanted.endpoint) &&
  present.port === wanted.port &&
  !present.hasPresharedKey &&
  rangesOf(present.allowedIps) === rangesOf(wanted.allowedIps);

const rangesOf = (ranges: readonly IpPrefix[]): string => ranges.map(formatPrefix).sort().join();

/** In words: `node b (it has no key)`. */
export const describeRefused = ({ nodeName, why }: RefusedPeer): string =>
  `node ${nodeName} (${why})`;

/** Outer IP and UDP headers, and WireGuard's own. */
export const wireguardOverheadBytes = (outer: IpFamily): number => (outer === 4 ? 60 : 80);
