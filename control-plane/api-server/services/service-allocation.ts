import { hasReason } from '../../../api/errors';
import type { ClusterNetwork } from '../../../api/cluster-network';
import { cloneJson } from '../../../api/json-value';
import { SERVICES } from '../../../api/resources';
import type { Service } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Random } from '../../../lib/random';
import type { StoredObject } from '../../store/store';
import type { WatchCache } from '../../store/watch-cache';
import type { AdmissionPlugin, Reservation } from '../admission/admission-plugin';
import { isWriteOf, objectOf, type AdmissionAttributes } from '../admission/attributes';
import { assign, withFamilies } from './assign';
import { Holdings } from './holdings';
import { Pools, Taking } from './pools';
import type { ServiceSpec } from '../../../api/service-fields';

export interface ServiceAllocationDeps {
  readonly network: ClusterNetwork;
  /** Of all services. */
  readonly cache: () => WatchCache;
  /** Of all ServiceCIDRs. */
  readonly rangeCache: () => WatchCache;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Gives services their addresses and node ports, each once. The services that are stored are the only
 * record, and this server the only one that may write: see docs/decisions.
 */
export const serviceAllocation = (deps: ServiceAllocationDeps): AdmissionPlugin => {
  const allocation = new ServiceAllocation(deps);
  return {
    name: 'ServiceAllocation',
    handles: (asked) => isWriteOf(asked, SERVICES),
    allocate: (asked, signal) => allocation.allocate(asked, signal),
  };
};

class ServiceAllocation {
  private pools: Pools;
  /** What they were made of. */
  private ranges: readonly StoredObject[] = [];
  private readonly holdings: Holdings;

  constructor(private readonly deps: ServiceAllocationDeps) {
    this.pools = new Pools(deps.network);
    this.holdings = new Holdings(deps.clock);
  }

  /** The cache may be behind: nobody is refused by what it says alone. */
  async allocate(
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<Reservation | undefined> {
    const object = objectOf(asked);
    if (object.spec === undefined) return undefined;
    await this.deps.cache().ready(signal);
    await this.deps.rangeCache().ready(signal);
    if (this.holdings.loanCount > LOANS_MAX) await this.refresh(signal);
    const given = cloneJson(object.spec);
    try {
      return this.assign(asked);
    } catch (error) {
      if (!hasReason(error, 'Invalid', 'InternalError')) throw error;
      await this.refresh(signal);
      object.spec = given;
      return this.assign(asked);
    }
  }

  /** In one go, from the newest list to the loan: nobody comes in between. */
  private assign(asked: AdmissionAttributes): Reservation | undefined {
    const { holdings } = this;
    holdings.follow(this.deps.cache().list().items);
    this.followRanges(this.deps.rangeCache().list().items);
    const taking = new Taking(this.pools, (each) => holdings.has(each), this.deps.random);
    const old = (asked.old as Service | undefined)?.spec;
    const assignment = {
      name: objectOf(asked).metadata.name,
      spec: objectOf(asked).spec as ServiceSpec,
      old: old && withFamilies(old),
    };
    assign(assignment, this.pools.families, taking);
    if (asked.isDryRun || taking.taken.size === 0) return undefined;
    const loan = holdings.lend(taking.taken);
    return { settle: (outcome) => holdings.settle(loan, outcome) };
  }

  private followRanges(items: readonly StoredObject[]): void {
    if (items === this.ranges) return;
    this.ranges = items;
    this.pools = new Pools(
      this.deps.network,
      items.map(({ object }) => object),
    );
  }

  private async refresh(signal: AbortSignal): Promise<void> {
    const told = this.holdings.settledLoans;
    await this.deps.rangeCache().waitFresh(signal);
    await this.deps.cache().waitFresh(signal);
    this.holdings.follow(this.deps.cache().list().items);
    for (const loan of told) this.holdings.end(loan);
  }
}

/** Writes whose services have come and gone unseen: more are looked after before they are in the way. */
const LOANS_MAX = 1_000;
