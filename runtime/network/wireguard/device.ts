import { type IpPrefix } from '../../../lib/net/ip';
import { findLink, type Underlay } from '../host';
import { decodeFamily, getFamily } from '../netlink/generic';
import { createWireguard, deleteLink, setAddress, setLink, type Route } from '../netlink/requests';
import { NETLINK_GENERIC, NetlinkSocket } from '../netlink/socket';
import { decodeDevice, getDevice, removePeers, setDevice, setPeers } from '../netlink/wireguard';
import { narrowMtu } from '../peers';
import { type EncryptionOptions } from '../options';
import { deviceChanges, wireguardOverheadBytes, type SealedPeer } from './plan';

/** The one interface through which this node speaks to all peers under encryption. */
export class WireguardLink {
  private readonly name: string;

  constructor(
    private readonly host: NetlinkSocket,
    prefix: string,
    private readonly podCidrs: readonly IpPrefix[],
  ) {
    this.name = wireguardNameOf(prefix);
  }

  /**
   * Makes the interface speak to exactly these peers, also after somebody has changed it or taken it away;
   * returns their routes.
   */
  async sync(
    peers: readonly SealedPeer[],
    underlay: Underlay,
    { privateKey, port }: EncryptionOptions,
  ): Promise<Route[]> {
    const { host, name, podCidrs } = this;
    const overheadBytes = wireguardOverheadBytes(underlay.addresses[0]?.family ?? 4);
    await host.run([createWireguard(name)]);
    const link = await findLink(host, name);
    if (link === undefined) throw new Error(`interface ${name} vanished`);
    await this.tell({ privateKey, port, peers: peers.map(({ end }) => end) });
    await host.run([
      // The node's own packets have a source that the peers take from it.
      ...podCidrs.map(({ address }) => setAddress(link.index, address)),
      setLink(link.index, { isUp: true, mtu: this.mtuOver(underlay, overheadBytes) }),
    ]);
    return peers.flatMap((peer) =>
      peer.podCidrs.flatMap((destination) => {
        const own = podCidrs.find(({ address }) => address.family === destination.address.family);
        return {
          ...{ destination, type: 'unicast' as const, interfaceIndex: link.index },
          ...(own === undefined ? {} : { source: own.address }),
          ...narrowMtu(peer, underlay, overheadBytes),
        };
      }),
    );
  }

  /**
   * The kernel has no IPv6 on an interface that takes less than each link of it must (RFC 8200 §5). What is
   * too large for the way under it then goes in parts.
   */
  private mtuOver({ mtu }: Underlay, overheadBytes: number): number {
    const hasIpv6 = this.podCidrs.some(({ address }) => address.family === 6);
    return Math.max(mtu - overheadBytes, hasIpv6 ? IPV6_MTU_MIN : 0);
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    if ((await findLink(this.host, this.name)) !== undefined)
      await this.host.run([deleteLink(this.name)]);
  }

  private async tell(wanted: Parameters<typeof deviceChanges>[0]): Promise<void> {
    using socket = NetlinkSocket.open(NETLINK_GENERIC);
    const { name } = this;
    const family = await wireguardFamily(socket);
    const present = decodeDevice(await socket.dump(getDevice(family, name)));
    const { isOther, removed, set } = deviceChanges(wanted, present);
    await socket.run([
      ...(isOther ? [setDevice(family, name, wanted)] : []),
      ...removePeers(family, name, removed),
      ...setPeers(family, name, set),
    ]);
  }
}

/** @throws NetlinkError with ENOENT where the kernel has no WireGuard */
export const wireguardFamily = async (socket: NetlinkSocket): Promise<number> => {
  const family = decodeFamily(await socket.get(getFamily('wireguard')));
  if (family === undefined) throw new Error('the kernel named no netlink family wireguard');
  return family;
};

/** No pod's interface has this name: theirs go on in hexadecimal. */
export const wireguardNameOf = (prefix: string): string => `${prefix}wg`;

const IPV6_MTU_MIN = 1280;
