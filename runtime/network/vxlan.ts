import { findLink, type Underlay } from './host';
import { formatIpv4, type Ipv4Cidr } from './ipv4';
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

/** Carries pod packets to peers behind a router. Nothing is learnt: all entries follow from the peers. */
export class VxlanTunnel {
  private readonly name: string;

  constructor(
    private readonly host: NetlinkSocket,
    prefix: string,
    private readonly podCidr: Ipv4Cidr,
  ) {
    this.name = tunnelNameOf(prefix);
  }

  /** Makes the tunnel lead to exactly these peers; returns their routes. Goes away with the last peer. */
  async sync(peers: readonly PlannedPeer[], underlay: Underlay): Promise<Route[]> {
    if (peers.length === 0) {
      if ((await findLink(this.host, this.name)) !== undefined) {
        await this.host.run([deleteLink(this.name)]);
      }
      return [];
    }
    const index = await this.ensureDevice(underlay);
    await this.removeStale(index, peers);
    await this.host.run(
      peers.flatMap(({ podCidr, address }) => [
        setNeighbour(index, podCidr.base, tunnelMac(podCidr)),
        setForwarding(index, address, tunnelMac(podCidr)),
      ]),
    );
    return peers.map((peer) => ({
      destination: peer.podCidr,
      type: 'unicast',
      gateway: peer.podCidr.base,
      interfaceIndex: index,
      isOnLink: true,
      ...narrowMtu(peer, underlay, VXLAN_OVERHEAD_BYTES),
    }));
  }

  private async ensureDevice(underlay: Underlay): Promise<number> {
    const { name } = this;
    const wantedAlias = aliasOf(underlay);
    const existing = await findLink(this.host, name);
    // Its ends cannot be changed, only made anew.
    if (existing !== undefined && existing.alias !== wantedAlias) {
      await this.host.run([deleteLink(name)]);
    }
    await this.host.run([
      createVxlan({
        name,
        mac: tunnelMac(this.podCidr),
        mtu: underlay.mtu - VXLAN_OVERHEAD_BYTES,
        vni: VNI,
        port: VXLAN_PORT,
        local: underlay.address ?? 0,
        underlayIndex: underlay.interfaceIndex,
      }),
    ]);
    const device = await findLink(this.host, name);
    if (device === undefined) throw new Error(`interface ${name} vanished`);
    await this.host.run([
      setAddress(device.index, this.podCidr.base),
      setLink(device.index, { isUp: true, alias: wantedAlias }),
    ]);
    return device.index;
  }

  private async removeStale(index: number, peers: readonly PlannedPeer[]): Promise<void> {
    const wanted = new Set(peers.map(({ podCidr, address }) => keyOf(address, tunnelMac(podCidr))));
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

const keyOf = (node: number, mac: Uint8Array): string =>
  `${node} ${Buffer.from(mac).toString('hex')}`;

const aliasOf = ({ address, interfaceIndex, mtu }: Underlay): string =>
  `dhow tunnel from=${formatIpv4(address ?? 0)} over=${interfaceIndex} mtu=${mtu}`;

/** From the pod range, so that it survives the node's reboot and no peer holds a stale one. */
const tunnelMac = ({ base }: Ipv4Cidr): Uint8Array => {
  const mac = Buffer.from([0x02, 0x76, 0, 0, 0, 0]);
  mac.writeUInt32BE(base, 2);
  return mac;
};

/** Outer IPv4, UDP and VXLAN headers and the inner Ethernet header. */
export const VXLAN_OVERHEAD_BYTES = 50;
const VNI = 0x6468;
export const VXLAN_PORT = 4789;
