import type { IpPrefix } from '../../../lib/net/ip';
import { parsedRange, type ClusterNetwork } from '../../../api/cluster-network';
import { allocatingRanges } from '../../../api/service-cidrs';
import type { ServiceCidr } from '../../../api/types';
import type { Random } from '../../../lib/random';
import { addressesOf, anyFree, isWithin, portsOf } from './bands';
import type { Holding } from './holdings';
import type { IpFamily } from './ip-families';

/** What one service takes, out of what no other holds. Messages are upstream's. */
export class Taking {
  readonly taken = new Set<Holding>();

  constructor(
    private readonly pools: Pools,
    private readonly isHeld: (holding: Holding) => boolean,
    private readonly random: Random,
  ) {}

  /** Returns why it cannot be had. */
  address(address: string): string | undefined {
    if (!this.pools.hasAddress(address))
      return 'the provided network does not match the current range';
    return this.take(address, 'provided IP is already allocated');
  }

  /** Undefined when there is none left. */
  anyAddress(family: IpFamily): string | undefined {
    for (const range of this.pools.addresses.get(family) ?? []) {
      const found = this.any(range);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  port(port: number): string | undefined {
    const { first, last } = this.pools.network.nodePortRange;
    if (port < first || port > last)
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    return this.take(port, 'provided port is already allocated');
  }

  anyPort(): number | undefined {
    return this.any(this.pools.ports);
  }

  private take(holding: Holding, why: string): string | undefined {
    if (this.isTaken(holding)) return why;
    this.taken.add(holding);
    return undefined;
  }

  private any<T extends Holding>(numbers: Parameters<typeof anyFree<T>>[0]): T | undefined {
    const found = anyFree(numbers, (holding) => this.isTaken(holding), this.random);
    if (found !== undefined) this.taken.add(found);
    return found;
  }

  private isTaken(holding: Holding): boolean {
    return this.taken.has(holding) || this.isHeld(holding);
  }
}

/** Where a cluster's services have their addresses and node ports from. */
export class Pools {
  readonly families: readonly IpFamily[];
  /** The next is asked when one is full. */
  readonly addresses: ReadonlyMap<IpFamily, readonly ReturnType<typeof addressesOf>[]>;
  readonly ports: ReturnType<typeof portsOf>;
  private readonly ranges: readonly IpPrefix[];

  /** @param objects All ServiceCIDRs, which add ranges, and may shut those of the cluster. */
  constructor(
    readonly network: ClusterNetwork,
    objects: readonly ServiceCidr[] = [],
  ) {
    const configured = network.serviceCidrs.map(parsedRange);
    this.ranges = allocatingRanges(configured, objects);
    const family = ({ address }: IpPrefix): IpFamily => (address.family === 4 ? 'IPv4' : 'IPv6');
    this.families = configured.map(family);
    this.addresses = new Map(
      this.families.map((each) => [
        each,
        this.ranges.filter((range) => family(range) === each).map(addressesOf),
      ]),
    );
    this.ports = portsOf(network.nodePortRange);
  }

  hasAddress(address: string): boolean {
    return this.ranges.some((range) => isWithin(range, address));
  }
}
