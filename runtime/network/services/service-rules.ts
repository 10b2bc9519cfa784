import { isDeepStrictEqual } from 'node:util';
import { Semaphore } from '../../../lib/async/semaphore';
import { type Log } from '../../../lib/log';
import { type IpAddress, type IpFamily } from '../../../lib/net/ip';
import {
  type ServiceNetwork,
  type ServiceNetworkFacts,
  type ServicePort,
} from '../../service-network';
import { type NetworkPeer } from '../../pod-network';
import { NetworkError } from '../errors';
import { type NetlinkSocket } from '../netlink/socket';
import { nft, type RuleSet } from '../rule-set';
import { withoutTable } from '../without-table';
import { Anchor } from './anchor';
import { FamilyRules, serviceTableOf } from './family-rules';

interface ServiceRulesDeps {
  readonly prefix: string;
  /** Those that pods have. */
  readonly families: readonly IpFamily[];
  readonly host: NetlinkSocket;
  readonly rules: RuleSet;
  readonly nodeAddresses: () => readonly IpAddress[];
  readonly log: Log;
}

/** The services of the namespace this process is in, in a table for each family, and what these stand on. */
export class ServiceRules implements ServiceNetwork, Disposable {
  private readonly turn = new Semaphore(1);
  private readonly anchor: Anchor;
  private readonly parts: readonly FamilyRules[];
  private facts: ServiceNetworkFacts | undefined;
  /** As of the last look, which `check` repeats. */
  private isAnchored = false;

  constructor(private readonly deps: ServiceRulesDeps) {
    this.anchor = new Anchor(deps);
    this.parts = deps.families.map((family) => new FamilyRules({ ...deps, family }));
  }

  async configure(facts: ServiceNetworkFacts): Promise<void> {
    await this.turn.use(async () => {
      const isNews = !this.isAnchored || !isDeepStrictEqual(this.facts, facts);
      this.facts = facts;
      if (isNews) await this.keepAnchor();
      for (const part of this.parts) await part.configure(facts);
    });
  }

  /** All other nodes there are: whoever connects from one of these is no stranger. */
  async setPeers(peers: readonly NetworkPeer[]): Promise<void> {
    const addresses = peers.flatMap((peer) => peer.addresses);
    for (const part of this.parts) await part.setPeers(addresses);
  }

  async apply(changes: ReadonlyMap<string, ServicePort | undefined>): Promise<string | undefined> {
    if (this.facts === undefined) throw new NetworkError('services', 'not configured yet');
    return this.firstOf((part) => part.apply(changes));
  }

  async check(): Promise<string | undefined> {
    await this.turn.use(() => this.keepAnchor());
    return this.firstOf((part) => part.check());
  }

  [Symbol.dispose](): void {
    for (const part of this.parts) part[Symbol.dispose]();
  }

  /** Each has its turn, whatever becomes of the other. */
  private async firstOf(
    work: (part: FamilyRules) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const found: (string | undefined)[] = [];
    const errors: unknown[] = [];
    for (const part of this.parts)
      try {
        found.push(await work(part));
      } catch (error) {
        errors.push(error);
      }
    if (errors.length > 0) throw errors[0];
    return found.find((fault) => fault !== undefined);
  }

  private async keepAnchor(): Promise<void> {
    if (this.facts === undefined) return;
    const { serviceCidrs, dnsAddresses } = this.facts;
    this.isAnchored = false;
    await this.anchor.ensure(serviceCidrs, dnsAddresses, this.deps.nodeAddresses());
    this.isAnchored = true;
  }
}

/** Idempotent. */
export const removeServices = async (prefix: string): Promise<void> => {
  await nft(withoutTable(serviceTableOf(prefix)));
};
