import {
  formatIp,
  formatPrefix,
  ipOf,
  isLinkLocal,
  masked,
  rangeOf,
  type IpAddress,
  type IpPrefix,
} from '../../../lib/net/ip';
import { addressIn, findLink, routeTo } from '../host';
import {
  createBridge,
  decodeAddress,
  decodeRoute,
  deleteAddress,
  deleteLink,
  deleteRoute,
  listAddresses,
  listRoutes,
  setHostAddress,
  setLink,
  setRoute,
  SERVICE_ROUTE_PROTOCOL,
} from '../netlink/requests';
import { type NetlinkSocket } from '../netlink/socket';

interface AnchorDeps {
  readonly host: NetlinkSocket;
  readonly prefix: string;
}

/**
 * A link without an end, for what needs a place though no packet ever goes there: the route to the range
 * of services, without which packets to them fail before any rule has led them, and the addresses of the
 * resolver, which are the node's own.
 */
export class Anchor {
  constructor(private readonly deps: AnchorDeps) {}

  /** Idempotent; touches nothing that is right. Says whether something was not. */
  async ensure(
    serviceCidrs: readonly string[],
    dnsAddresses: readonly string[],
    nodeAddresses: readonly IpAddress[],
  ): Promise<boolean> {
    const { host, prefix } = this.deps;
    const name = anchorNameOf(prefix);
    const ranges = serviceCidrs.flatMap((text) => rangeOf(text) ?? []);
    const addresses = dnsAddresses.flatMap((text) => ipOf(text) ?? []);
    const index = (await findLink(host, name))?.index;
    if (index !== undefined && (await this.isComplete(index, ranges, addresses))) return false;
    await host.run([
      createBridge(name),
      setLink(name, {
        alias: 'dhow services',
        ...(addressIn(addresses, 6) === undefined ? {} : { hasNoLinkLocal: true }),
      }),
    ]);
    const made = (await findLink(host, name))?.index ?? 0;
    await host.run([
      setLink(made, { isUp: true }),
      ...(await this.strays(made, addresses)),
      ...(await this.strayRoutes(made, ranges)).map((route) =>
        deleteRoute(route, SERVICE_ROUTE_PROTOCOL),
      ),
      ...addresses.map((address) => setHostAddress(made, address)),
      ...ranges.map((destination) => {
        const source = addressIn(nodeAddresses, destination.address.family);
        return setRoute(
          {
            ...{ destination, type: 'unicast', interfaceIndex: made },
            ...(source === undefined ? {} : { source }),
          },
          SERVICE_ROUTE_PROTOCOL,
        );
      }),
    ]);
    return true;
  }

  private async isComplete(
    index: number,
    ranges: readonly IpPrefix[],
    addresses: readonly IpAddress[],
  ): Promise<boolean> {
    if ((await this.strayRoutes(index, ranges)).length > 0) return false;
    for (const { address } of ranges)
      // The first address of a range is nobody's.
      if ((await routeTo(this.deps.host, address))?.interfaceIndex !== index) return false;
    const present = new Set((await this.addressesOn(index)).map(formatIp));
    const wanted = new Set(addresses.map(formatIp));
    return present.size === wanted.size && [...wanted].every((one) => present.has(one));
  }

  /** Resolvers of before. */
  private async strays(index: number, wanted: readonly IpAddress[]) {
    const kept = new Set(wanted.map(formatIp));
    const present = await this.addressesOn(index);
    return present
      .filter((address) => !kept.has(formatIp(address)))
      .map((address) => deleteAddress(index, address));
  }

  /** To ranges of before. */
  private async strayRoutes(index: number, ranges: readonly IpPrefix[]) {
    const kept = new Set(ranges.map((range) => formatPrefix(masked(range))));
    return (await this.deps.host.dump(listRoutes()))
      .map(decodeRoute)
      .filter((route) => route !== undefined)
      .filter(
        ({ protocol, interfaceIndex, destination }) =>
          protocol === SERVICE_ROUTE_PROTOCOL &&
          interfaceIndex === index &&
          !kept.has(formatPrefix(destination)),
      );
  }

  private async addressesOn(index: number): Promise<readonly IpAddress[]> {
    const all = (await this.deps.host.dump(listAddresses())).map(decodeAddress);
    return all.flatMap(({ address, interfaceIndex }) =>
      address !== undefined && interfaceIndex === index && !isLinkLocal(address) ? [address] : [],
    );
  }
}

/** Its route and addresses go with it. Idempotent. */
export const removeAnchor = (host: NetlinkSocket, prefix: string): Promise<void> =>
  host.run([deleteLink(anchorNameOf(prefix))]);

const anchorNameOf = (prefix: string): string => `${prefix}svc`;
