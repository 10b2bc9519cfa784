import { formatIp, ipBytes, type IpAddress, type IpFamily, type IpPrefix } from '../../lib/net/ip';
import { addressIn, findLink, type Underlay } from './host';
import { type NetlinkSocket } from './netlink/socket';
import {
  createVxlan,
  decodeForwarding,
  deleteForwarding,
  deleteLink,
  listForwarding,
  setAddress,
  setForwarding,
  setLink,
  setNeighbour,
  type Route,
} from './netlink/requests';
import { narrowMtu, type PlannedPeer } from './peers';

/** A peer, and those of its ranges that the tunnel leads to. */
export interface Distant {
  readonly peer: PlannedPeer;
  readonly ranges: readonly IpPrefix[];
}

/** Carries pod packets to peers behind a router. Nothing is learnt: all entries follow from the peers. */
export class VxlanTunnel {
  private readonly name: string;

  constructor(
    private readonly host: NetlinkSocket,
    prefix: string,
    private readonly podCidrs: readonly IpPrefix[],
  ) {
    this.name = tunnelNameOf(prefix);
  }

  /**
   * Makes the tunnel lead to exactly these peers; returns their routes. Goes away with the last peer.
   * @param peers that have an address of the family of this node's first
   */
  async sync(peers: readonly Distant[], underlay: Underlay): Promise<Route[]> {
    const [local] = underlay.addresses;
    if (peers.length === 0 || local === undefined) {
      if ((await findLink(this.host, this.name)) !== undefined) {
        await this.host.run([deleteLink(this.name)]);
      }
      return [];
    }
    const index = await this.ensureDevice(underlay, local);
    const ends = peers.flatMap(({ peer, ranges }) => {
      const node = addressIn(peer.addresses, local.family);
      return node === undefined ? [] : [{ peer, ranges, node, mac: tunnelMac(peer.podCidrs) }];
    });
    await this.removeStale(index, ends);
    await this.host.run(
      ends.flatMap(({ ranges, node, mac }) => [
        ...ranges.map((range) => setNeighbour(index, gatewayOf(range, mac), mac)),
        setForwarding(index, node, mac),
      ]),
    );
    return ends.flatMap(({ peer, ranges, mac }) =>
      ranges.map((destination) => ({
        destination,
        type: 'unicast' as const,
        gateway: gatewayOf(destination, mac),
        interfaceIndex: index,
        isOnLink: true,
        ...narrowMtu(peer, underlay, vxlanOverheadBytes(local.family)),
      })),
    );
  }

  private async ensureDevice(underlay: Underlay, local: IpAddress): Promise<number> {
    const { name } = this;
    const wantedAlias = aliasOf(underlay, local);
    const existing = await findLink(this.host, name);
    // Its ends cannot be changed, only made anew.
    if (existing !== undefined && existing.alias !== wantedAlias) {
      await this.host.run([deleteLink(name)]);
    }
    await this.host.run([
      createVxlan({
        name,
        mac: tunnelMac(this.podCidrs),
        mtu: underlay.mtu - vxlanOverheadBytes(local.family),
        vni: VNI,
        port: VXLAN_PORT,
        local,
        underlayIndex: underlay.interfaceIndex,
      }),
    ]);
    const device = await findLink(this.host, name);
    if (device === undefined) throw new Error(`interface ${name} vanished`);
    const own = this.podCidrs.map(({ address }) => address);
    await this.host.run([
      ...(addressIn(own, 6) === undefined ? [] : [setLink(device.index, { hasNoLinkLocal: true })]),
      // Of IPv6 the node's own packets take another address of the node.
      ...own.flatMap((each) => (each.family === 4 ? [setAddress(device.index, each)] : [])),
      setLink(device.index, { isUp: true, alias: wantedAlias }),
    ]);
    return device.index;
  }

  private async removeStale(
    index: number,
    ends: readonly { readonly node: IpAddress; readonly mac: Uint8Array }[],
  ): Promise<void> {
    const wanted = new Set(ends.map(({ node, mac }) => keyOf(node, mac)));
    const entries = (await this.host.dump(listForwarding(index))).map(decodeForwarding);
    await this.host.run(
      entries.flatMap(({ interfaceIndex, node, mac }) =>
        interfaceIndex !== index ||
        node === undefined ||
        mac === undefined ||
        wanted.has(keyOf(node, mac))
          ? []
          : [deleteForwarding(index, node, mac)],
      ),
    );
  }
}

/** No pod's interface has this name: theirs go on in hexadecimal. */
export const tunnelNameOf = (prefix: string): string => `${prefix}vxlan`;

const keyOf = (node: IpAddress, mac: Uint8Array): string =>
  `${formatIp(node)} ${Buffer.from(mac).toString('hex')}`;

const aliasOf = ({ interfaceIndex, mtu }: Underlay, local: IpAddress): string =>
  `dhow tunnel from=${formatIp(local)} over=${interfaceIndex} mtu=${mtu}`;

/**
 * From the first pod range, so that it survives the node's reboot and no peer holds a stale one. Ranges that
 * are cut from one differ in at most 32 bits that follow each other: so do their folds.
 */
const tunnelMac = ([first]: readonly IpPrefix[]): Uint8Array => {
  let fold = 0n;
  for (let bits = first?.address.bits ?? 0n; bits > 0n; bits >>= 32n) fold ^= bits & 0xffff_ffffn;
  return Buffer.concat([Buffer.from([0x02, 0x76]), ipBytes({ family: 4, bits: fold })]);
};

/** Nobody's but the tunnel's. IPv6 takes none as the gateway of a range that is in that range. */
const gatewayOf = ({ address }: IpPrefix, mac: Uint8Array): IpAddress =>
  address.family === 4
    ? address
    : { family: 6, bits: (0xfe80n << 112n) | BigInt(`0x${Buffer.from(mac).toString('hex')}`) };

/** Outer IP, UDP and VXLAN headers and the inner Ethernet header. */
export const vxlanOverheadBytes = (outer: IpFamily): number => (outer === 4 ? 50 : 70);
const VNI = 0x6468;
export const VXLAN_PORT = 4789;
