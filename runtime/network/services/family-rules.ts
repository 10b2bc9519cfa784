import { createHash, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Semaphore } from '../../../lib/async/semaphore';
import { type Log } from '../../../lib/log';
import { formatIp, networkOf, type IpAddress, type IpFamily } from '../../../lib/net/ip';
import { type ServiceNetworkFacts, type ServicePort } from '../../service-network';
import { NetworkError } from '../errors';
import { addressIn } from '../host';
import { decodeFlow, forgetFlow, listFlows } from '../netlink/conntrack';
import { type NftTable } from '../netlink/nft-elements';
import { decodeAddress, listAddresses } from '../netlink/requests';
import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket } from '../netlink/socket';
import { nft, type RuleSet } from '../rule-set';
import { MAX_KEEP_CLASS } from './groups';
import { applyChanges, readElements, readSeal, readShape, sealOf } from './kernel-tables';
import { differences, ServiceTables, type Change } from './service-tables';
import { leavesFlows, staleFlows } from './stale-flows';
import { fullTable, keepChain, sealText, type StructureFacts } from './structure';

interface FamilyRulesDeps {
  readonly family: IpFamily;
  readonly prefix: string;
  readonly host: NetlinkSocket;
  readonly rules: RuleSet;
  readonly nodeAddresses: () => readonly IpAddress[];
  readonly log: Log;
}

/** What leads to services by addresses of one family, in a table of its own. */
export class FamilyRules implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  private readonly turn = new Semaphore(1);
  private tables: ServiceTables;
  private readonly wanted = new Map<string, ServicePort>();
  /** Seconds → class. */
  private readonly keepClasses = new Map<number, number>();
  /** Undefined: not told yet; those that an earlier process was told of count. */
  private peers: readonly string[] | undefined;
  private facts: ServiceNetworkFacts | undefined;
  private structure: StructureFacts | undefined;
  private seal: string | undefined;
  private isFirst = true;
  /** False: an attempt to put all in has failed, and nobody knows what is there. */
  private isWhole = true;
  /** How many foreign changes there had been when the kernel was last seen to be right. */
  private verified: number | undefined;

  constructor(private readonly deps: FamilyRulesDeps) {
    this.tables = new ServiceTables(deps.family, 0);
  }

  async configure(facts: ServiceNetworkFacts): Promise<void> {
    await this.turn.use(async () => {
      this.facts = facts;
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

  /** Touches nothing before the first `apply`. */
  async setPeers(addresses: readonly string[]): Promise<void> {
    await this.turn.use(async () => {
      this.peers = addresses;
      if (this.isFirst) return;
      const differing = this.tables.setPeers(addresses);
      if (this.isWhole && differing.length > 0) await this.push(differing, this.keepClasses);
    });
  }

  async check(): Promise<string | undefined> {
    return this.turn.use(async () => {
      if (this.isFirst) return undefined;
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
    this.tables = new ServiceTables(this.deps.family, randomInt(MAX_FIRST_NUMBER));
    const { table } = this;
    const seal = await readSeal(this.firewall, table);
    const shape = await readShape(this.firewall, table);
    const kernel = await readElements(this.firewall, table);
    const isOurs = shape !== undefined && seal === sealOf(this.shapeText(), shape);
    if (kernel !== undefined && isOurs) {
      this.seal = seal;
      for (const [number, seconds] of kernel.keepClasses) this.keepClasses.set(seconds, number);
      this.tables.adopt(this.wanted, kernel.tables);
    }
    const classes = new Map(this.keepClasses);
    this.tables.set(this.wanted, this.keepClassOf);
    this.tables.setPeers(this.peers ?? [...(kernel?.tables.get('peers')?.keys() ?? [])]);
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
      await applyChanges(this.firewall, this.table, changes, (transaction) =>
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
    const text = added.map(([seconds, number]) => keepChain(this.names, number, seconds)).join('');
    await this.deps.rules.generations.change(() => nft(text));
    await this.putSeal();
  }

  /** Tells the next process that the table was whole, and how it looked then. */
  private async putSeal(): Promise<void> {
    const shape = await readShape(this.firewall, this.table);
    if (shape === undefined) return;
    const seal = sealOf(this.shapeText(), shape);
    const text = sealText(this.names, seal, this.seal);
    await this.deps.rules.generations.change(() => nft(text));
    this.seal = seal;
  }

  /** Undefined: the kernel has just what it should. */
  private async findFault(): Promise<string | undefined> {
    const shape = await readShape(this.firewall, this.table);
    if (shape === undefined) return 'the table of services was removed';
    if (this.seal !== sealOf(this.shapeText(), shape)) return 'rules of services were changed';
    const kernel = await readElements(this.firewall, this.table);
    const changes = differences(kernel?.tables ?? new Map(), this.tables.current);
    return changes.length === 0 ? undefined : `${changes.length} elements of services were changed`;
  }

  private async forgetStale(changes: readonly Change[]): Promise<void> {
    try {
      const { family } = this.deps;
      const flows = (await this.firewall.dump(listFlows(family))).flatMap(
        (message) => decodeFlow(message) ?? [],
      );
      const addresses = (await this.deps.host.dump(listAddresses())).map(decodeAddress);
      const own = new Set(
        addresses.flatMap(({ address }) => (address === undefined ? [] : [formatIp(address)])),
      );
      const stale = staleFlows(flows, this.tables.current, changes, own);
      await this.firewall.run(stale.map(forgetFlow));
    } catch (error) {
      // They are forgotten anyway, once their clients pause.
      if (!(error instanceof NetlinkError)) throw error;
      this.deps.log.warn({ err: error.message }, 'cannot forget where datagrams went');
    }
  }

  private hasNewStructure(): boolean {
    return !isDeepStrictEqual(this.structure, this.structureNow());
  }

  private structureNow(): StructureFacts {
    const { family, prefix } = this.deps;
    const address = addressIn(this.deps.nodeAddresses(), family);
    const { serviceCidrs = [], podCidrs = [], nodePortAddresses = [] } = this.facts ?? {};
    const own = (cidrs: readonly string[]): readonly string[] =>
      cidrs.filter((text) => networkOf(text)?.address.family === family);
    return {
      ...this.names,
      prefix,
      nodeAddress: address === undefined ? undefined : formatIp(address),
      serviceCidrs: own(serviceCidrs),
      podCidrs: own(podCidrs),
      // With none of this family, all addresses of it have node ports, as upstream.
      nodePortAddresses: own(nodePortAddresses),
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

  private get names() {
    const { family, prefix } = this.deps;
    return { family, table: serviceTableOf(prefix), hashSeeds: HASH_SEEDS };
  }

  private get table(): NftTable {
    return { family: this.deps.family, name: serviceTableOf(this.deps.prefix) };
  }
}

export const serviceTableOf = (prefix: string): string => `dhow-${prefix}-services`;

const shapeTextOf = (structure: StructureFacts | undefined): string =>
  structure === undefined ? '' : fullTable(structure, new Map(), new Map());

/** From what pods cannot read, and what stays over a restart: else choices would be lost by it. */
const hashSeedsOf = (machineIdFile: string): readonly number[] => {
  let secret = '';
  try {
    secret = readFileSync(machineIdFile, 'utf8');
  } catch {
    // A machine without one: its seeds are no secret.
  }
  const digest = createHash('sha256').update(`kept choices ${secret}`).digest();
  return [0, 4].map((at) => digest.readUInt32BE(at));
};
const HASH_SEEDS = hashSeedsOf('/etc/machine-id');
const MAX_FIRST_NUMBER = 1 << 22;
/** A hundred thousand elements on a busy machine. */
const REBUILD_TIMEOUT_MS = 60_000;
