import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Semaphore } from '../../../lib/async/semaphore';
import { type Log } from '../../../lib/log';
import {
  type ServiceNetwork,
  type ServiceNetworkFacts,
  type ServicePort,
} from '../../service-network';
import { NetworkError } from '../errors';
import { formatIpv4, parseCidr } from '../ipv4';
import { decodeFlow, forgetFlow, listFlows } from '../netlink/conntrack';
import { decodeAddress, listAddresses } from '../netlink/requests';
import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket } from '../netlink/socket';
import { nft, type RuleSet } from '../rule-set';
import { withoutTable } from '../without-table';
import { Anchor } from './anchor';
import { MAX_KEEP_CLASS } from './groups';
import { applyChanges, readElements, readSeal, readShape, sealOf } from './kernel-tables';
import { differences, ServiceTables, type Change } from './service-tables';
import { leavesFlows, staleFlows } from './stale-flows';
import { fullTable, keepChain, sealText, type StructureFacts } from './structure';

interface ServiceRulesDeps {
  readonly prefix: string;
  readonly host: NetlinkSocket;
  readonly rules: RuleSet;
  readonly nodeAddress: () => number | undefined;
  readonly log: Log;
}

/** The services of the namespace this process is in, in a table of their own. */
export class ServiceRules implements ServiceNetwork, Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  private readonly turn = new Semaphore(1);
  private readonly anchor: Anchor;
  private tables = new ServiceTables(0);
  private readonly wanted = new Map<string, ServicePort>();
  /** Seconds → class. */
  private readonly keepClasses = new Map<number, number>();
  private facts: ServiceNetworkFacts | undefined;
  /** As of the last look, which `check` repeats. */
  private isAnchored = false;
  private structure: StructureFacts | undefined;
  private seal: string | undefined;
  private isFirst = true;
  /** False: an attempt to put all in has failed, and nobody knows what is there. */
  private isWhole = true;
  /** How many foreign changes there had been when the kernel was last seen to be right. */
  private verified: number | undefined;

  constructor(private readonly deps: ServiceRulesDeps) {
    this.anchor = new Anchor(deps);
  }

  async configure(facts: ServiceNetworkFacts): Promise<void> {
    await this.turn.use(async () => {
      const isNews = !this.isAnchored || !isDeepStrictEqual(this.facts, facts);
      this.facts = facts;
      if (isNews) await this.keepAnchor();
      if (!this.isFirst && this.hasNewStructure()) await this.rebuild();
    });
  }

  async apply(changes: ReadonlyMap<string, ServicePort | undefined>): Promise<string | undefined> {
    return this.turn.use(async () => {
      const isStale = [...changes].some(([name, after]) =>
        leavesFlows(this.wanted.get(name), after),
      );
      for (const [name, service] of changes)
        if (service === undefined) this.wanted.delete(name);
        else this.wanted.set(name, service);
      if (this.facts === undefined) throw new NetworkError('services', 'not configured yet');
      if (this.isFirst) return this.start();
      const classes = new Map(this.keepClasses);
      const differing = this.tables.set(changes, this.keepClassOf);
      const wasWhole = this.isWhole;
      if (!wasWhole) await this.heal();
      const healed = wasWhole ? await this.push(differing, classes) : undefined;
      if (isStale) await this.forgetStale(differing);
      return healed;
    });
  }

  async check(): Promise<string | undefined> {
    return this.turn.use(async () => {
      if (this.isFirst) return undefined;
      await this.keepAnchor();
      const { generations } = this.deps.rules;
      if (!this.isWhole || this.hasNewStructure()) await this.rebuild();
      const foreign = await generations.foreignChanges();
      if (foreign === this.verified) return undefined;
      const fault = await this.findFault();
      if (fault === undefined) this.verified = foreign;
      else await this.heal();
      return fault;
    });
  }

  [Symbol.dispose](): void {
    this.firewall[Symbol.dispose]();
  }

  /** Takes over what an earlier process left when it is whole; else replaces it as a whole. */
  private async start(): Promise<string | undefined> {
    this.structure = this.structureNow();
    this.tables = new ServiceTables(randomInt(MAX_FIRST_NUMBER));
    const { name } = this;
    const seal = await readSeal(this.firewall, name);
    const shape = await readShape(this.firewall, name);
    const kernel = await readElements(this.firewall, name);
    const isOurs = shape !== undefined && seal === sealOf(this.shapeText(), shape);
    if (kernel !== undefined && isOurs) {
      this.seal = seal;
      for (const [number, seconds] of kernel.keepClasses) this.keepClasses.set(seconds, number);
      this.tables.adopt(this.wanted, kernel.tables);
    }
    const classes = new Map(this.keepClasses);
    this.tables.set(this.wanted, this.keepClassOf);
    const changes = differences(kernel?.tables ?? new Map(), this.tables.current);
    if (kernel !== undefined && isOurs) await this.push(changes, classes);
    else await this.rebuild();
    this.isFirst = false;
    await this.forgetStale(changes);
    return undefined;
  }

  /** @param classes that the kernel has */
  private async push(
    changes: readonly Change[],
    classes: ReadonlyMap<number, number>,
  ): Promise<string | undefined> {
    try {
      const added = [...this.keepClasses].filter(([seconds]) => !classes.has(seconds));
      if (added.length > 0) await this.addKeepClasses(added);
      await applyChanges(this.firewall, this.name, changes, (transaction) =>
        this.deps.rules.generations.change(transaction),
      );
      return undefined;
    } catch (error) {
      if (!(error instanceof NetlinkError || error instanceof NetworkError)) throw error;
      this.deps.log.warn({ err: error.message }, 'service rules were not as they should be');
      await this.heal();
      return error.message;
    }
  }

  private async heal(): Promise<void> {
    await this.rebuild();
    await this.forgetStale([]);
  }

  private async rebuild(): Promise<void> {
    this.structure = this.structureNow();
    const { structure } = this;
    const classes = new Map([...this.keepClasses].map(([seconds, number]) => [number, seconds]));
    const text = fullTable(structure, classes, this.tables.current);
    this.seal = undefined;
    this.isWhole = false;
    await this.deps.rules.generations.change(async (foreign) => {
      if (!(await nft(text, REBUILD_TIMEOUT_MS)))
        throw new NetworkError('services', 'nft is not installed: services lead nowhere');
      this.verified = foreign;
    });
    this.isWhole = true;
    await this.putSeal();
  }

  private async addKeepClasses(added: readonly (readonly [number, number])[]): Promise<void> {
    const text = added.map(([seconds, number]) => keepChain(this.name, number, seconds)).join('');
    await this.deps.rules.generations.change(() => nft(text));
    await this.putSeal();
  }

  /** Tells the next process that the table was whole, and how it looked then. */
  private async putSeal(): Promise<void> {
    const shape = await readShape(this.firewall, this.name);
    if (shape === undefined) return;
    const seal = sealOf(this.shapeText(), shape);
    const text = sealText(this.name, seal, this.seal);
    await this.deps.rules.generations.change(() => nft(text));
    this.seal = seal;
  }

  /** Undefined: the kernel has just what it should. */
  private async findFault(): Promise<string | undefined> {
    const shape = await readShape(this.firewall, this.name);
    if (shape === undefined) return 'the table of services was removed';
    if (this.seal !== sealOf(this.shapeText(), shape)) return 'rules of services were changed';
    const kernel = await readElements(this.firewall, this.name);
    const changes = differences(kernel?.tables ?? new Map(), this.tables.current);
    return changes.length === 0 ? undefined : `${changes.length} elements of services were changed`;
  }

  private async forgetStale(changes: readonly Change[]): Promise<void> {
    try {
      const flows = (await this.firewall.dump(listFlows())).flatMap(
        (message) => decodeFlow(message) ?? [],
      );
      const addresses = (await this.deps.host.dump(listAddresses())).map(decodeAddress);
      const own = new Set(addresses.flatMap(({ address }) => address ?? []));
      const stale = staleFlows(flows, this.tables.current, changes, own);
      await this.firewall.run(stale.map(forgetFlow));
    } catch (error) {
      // They are forgotten anyway, once their clients pause.
      if (!(error instanceof NetlinkError)) throw error;
      this.deps.log.warn({ err: error.message }, 'cannot forget where datagrams went');
    }
  }

  private async keepAnchor(): Promise<void> {
    if (this.facts === undefined) return;
    const { serviceCidrs, dnsAddresses } = this.facts;
    this.isAnchored = false;
    await this.anchor.ensure(serviceCidrs, dnsAddresses, this.deps.nodeAddress());
    this.isAnchored = true;
  }

  private hasNewStructure(): boolean {
    return !isDeepStrictEqual(this.structure, this.structureNow());
  }

  private structureNow(): StructureFacts {
    const address = this.deps.nodeAddress();
    const { serviceCidrs = [], podCidrs = [], nodePortAddresses = [] } = this.facts ?? {};
    const readable = (cidrs: readonly string[]): readonly string[] =>
      cidrs.filter((text) => parseCidr(text) !== undefined);
    return {
      table: this.name,
      prefix: this.deps.prefix,
      nodeAddress: address === undefined ? undefined : formatIpv4(address),
      serviceCidrs: readable(serviceCidrs),
      podCidrs: readable(podCidrs),
      nodePortAddresses: readable(nodePortAddresses),
    };
  }

  private shapeText(): string {
    return shapeTextOf(this.structure);
  }

  /** Lengths beyond what there are classes for share the last. */
  private readonly keepClassOf = (seconds: number): number => {
    const known = this.keepClasses.get(seconds);
    if (known !== undefined) return known;
    const number = this.keepClasses.size + 1;
    if (number > MAX_KEEP_CLASS) return MAX_KEEP_CLASS;
    this.keepClasses.set(seconds, number);
    return number;
  };

  private get name(): string {
    return tableNameOf(this.deps.prefix);
  }
}

/** Idempotent. */
export const removeServices = async (prefix: string): Promise<void> => {
  await nft(withoutTable(tableNameOf(prefix)));
};

const tableNameOf = (prefix: string): string => `dhow-${prefix}-services`;

const shapeTextOf = (structure: StructureFacts | undefined): string =>
  structure === undefined ? '' : fullTable(structure, new Map(), new Map());

const MAX_FIRST_NUMBER = 1 << 22;
/** A hundred thousand elements on a busy machine. */
const REBUILD_TIMEOUT_MS = 60_000;
