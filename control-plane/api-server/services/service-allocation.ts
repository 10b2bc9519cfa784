import { ApiError, hasReason } from '../../../api/errors';
import type { ClusterNetwork } from '../../../api/cluster-network';
import { cloneJson } from '../../../api/json-value';
import { SERVICES } from '../../../api/resources';
import type { Service } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Random } from '../../../lib/random';
import type { Store, StoredObject } from '../../store/store';
import type { WatchCache } from '../../store/watch-cache';
import type { AdmissionPlugin, Reservation, WriteOutcome } from '../admission/admission-plugin';
import { isWriteOf, objectOf, type AdmissionAttributes } from '../admission/attributes';
import { AllocationRight, type Allocator } from '../allocation/allocation-right';
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
  readonly store: Store;
  /** This server: several that share the store allocate in turns. */
  readonly allocator: Allocator;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Gives services their addresses and node ports, each once. The services that are stored are the only
 * record, and what is given out is stored only while this server has the right to: see docs/decisions.
 */
export const serviceAllocation = (deps: ServiceAllocationDeps): AdmissionPlugin => {
  const allocation = new ServiceAllocation(deps);
  return {
    name: 'ServiceAllocation',
    handles: (asked) => isWriteOf(asked, SERVICES),
    allocate: (asked, signal) => allocation.allocate(asked, signal),
  };
};

interface Assigned {
  /** Something has to be given out, and another server may be doing that. */
  readonly needsRight: boolean;
  readonly reservation?: Reservation;
}

class ServiceAllocation {
  private pools: Pools;
  /** What they were made of. */
  private ranges: readonly StoredObject[] = [];
  private readonly holdings: Holdings;
  private readonly right: AllocationRight;

  constructor(private readonly deps: ServiceAllocationDeps) {
    this.right = new AllocationRight('services', deps);
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
    for (let attempt = 1; ; attempt++) {
      try {
        const { needsRight, reservation } = this.assign(asked);
        if (!needsRight) return reservation;
        if (attempt > TURNS_MAX)
          throw new ApiError('ServiceUnavailable', 'other servers are faster');
        await this.right.take(signal);
      } catch (error) {
        if (attempt > 1 || !hasReason(error, 'Invalid', 'InternalError')) throw error;
      }
      await this.refresh(signal);
      object.spec = cloneJson(given);
    }
  }

  /** In one go, from the newest list to the loan: nobody comes in between. */
  private assign(asked: AdmissionAttributes): Assigned {
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
    if (asked.isDryRun || taking.taken.size === 0) return { needsRight: false };
    const { guard } = this.right;
    if (guard === undefined) return { needsRight: true };
    asked.guards = [...(asked.guards ?? []), guard];
    const loan = holdings.lend(taking.taken);
    const settle = (outcome: WriteOutcome) => {
      if (outcome !== 'stored') this.right.doubt(guard);
      holdings.settle(loan, outcome);
    };
    return { needsRight: false, reservation: { settle } };
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
/** Taken away by others in the time of a list, so often in a row. */
const TURNS_MAX = 8;
