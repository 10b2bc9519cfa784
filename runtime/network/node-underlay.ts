import { type Log } from '../../lib/log';
import { formatIp, ipAt, sameIp, type IpAddress, type IpPrefix } from '../../lib/net/ip';
import {
  addOwnAddress,
  addressIn,
  findLinkByIndex,
  findUnderlay,
  OWN_ADDRESS_OFFSET,
  type Underlay,
} from './host';
import { type NetlinkSocket } from './netlink/socket';
import { type NetworkDeps } from './options';

/** The interface that carries traffic between nodes, as it was when it was last looked at. */
export class NodeUnderlay {
  private underlay: Underlay = { addresses: [], interfaceIndex: 0, mtu: 1500 };

  constructor(
    private readonly deps: Pick<
      NetworkDeps,
      'podCidrs' | 'families' | 'nodeAddresses' | 'prefix'
    > & {
      readonly host: NetlinkSocket;
      readonly log: Log;
    },
  ) {}

  get current(): Underlay {
    return this.underlay;
  }

  /** For the first time. */
  async start(): Promise<void> {
    const { nodeAddresses, log } = this.deps;
    this.underlay = await this.underlayNow();
    for (const told of nodeAddresses)
      if (!this.underlay.addresses.some((address) => sameIp(address, told)))
        log.warn({ nodeAddress: formatIp(told) }, 'no interface has the node address');
  }

  /** The node may have a new address since: routes with the old one as their source went with it. */
  async refresh(): Promise<void> {
    const underlay = await this.underlayNow();
    const { addresses } = underlay;
    const before = this.underlay.addresses;
    if (addresses.map(formatIp).join() !== before.map(formatIp).join())
      this.deps.log.info({ addresses: addresses.map(formatIp) }, 'node addresses changed');
    this.underlay = underlay;
  }

  /** How often the interface has lost or found its link; undefined without one. */
  async linkChanges(): Promise<number | undefined> {
    const { interfaceIndex } = this.underlay;
    if (interfaceIndex === 0) return undefined;
    const link = await findLinkByIndex(this.deps.host, interfaceIndex);
    return link?.carrierChanges;
  }

  /** Of each family that pods have there is an address: where the node has none, it gets one. */
  private async underlayNow(): Promise<Underlay> {
    const { nodeAddresses, families, podCidrs, host } = this.deps;
    const before = this.underlay;
    const order = [...new Set([...nodeAddresses.map((each) => each.family), ...families])];
    const found = await findUnderlay(host, nodeAddresses, order);
    const addresses: IpAddress[] = [];
    for (const family of order) {
      const range = podCidrs.find(({ address }) => address.family === family);
      const address = addressIn(found.addresses, family) ?? addressIn(before.addresses, family);
      if (address !== undefined) addresses.push(address);
      else if (range !== undefined) addresses.push(await this.ownAddress(range));
    }
    return found.addresses.length === 0 && before.addresses.length > 0
      ? before
      : { ...found, addresses };
  }

  private async ownAddress(range: IpPrefix): Promise<IpAddress> {
    const address = ipAt(range, OWN_ADDRESS_OFFSET);
    await addOwnAddress(this.deps.host, this.deps.prefix, address);
    return address;
  }
}
