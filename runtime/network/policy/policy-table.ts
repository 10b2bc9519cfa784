import { constants } from 'node:os';

import { describeError, type Log } from '../../../lib/log';
import type { PacketPolicies } from '../../packet-policies';
import { NetworkError } from '../errors';
import { nftOf } from '../family';
import { formatIp, ipBytes, ipOf, type IpFamily } from '../../../lib/net/ip';
import { decodeFlow, forgetFlow, listFlows, type TrackedFlow } from '../netlink/conntrack';
import {
  addElements,
  asTransaction,
  decodeTable,
  deleteElements,
  getTable,
  keyPart,
  listRules,
  type NftTable,
  type SetElement,
} from '../netlink/nft-elements';
import { decodeElements, listElements } from '../netlink/nft-listing';
import { decodeAddress, listAddresses } from '../netlink/requests';
import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket } from '../netlink/socket';
import { u16be, u8 } from '../netlink/wire';
import { type RuleGenerations } from '../rule-generations';
import { nft } from '../rule-set';
import { withoutTableOf } from '../without-table';
import { afterChange, differenceOf, type AppliedTable, type TableDifference } from './difference';
import { planPolicies, wouldPass, type PolicyPlan } from './plan';
import {
  changeText,
  FIXED_RULE_COUNT,
  ruleCountOf,
  tableText,
  type Container,
  type ElementChange,
} from './text';

export interface PolicyTableDeps {
  readonly family: IpFamily;
  readonly host: NetlinkSocket;
  readonly prefix: string;
  readonly generations: RuleGenerations;
  readonly log: Log;
}

/**
 * Holds what sandboxes send and get of one family to policies, in an nftables table of its own. Elements are changed by
 * netlink, in well under a millisecond; chains and sets come by nft; and the whole is made anew, in one
 * transaction, when somebody else has touched it. The caller takes turns.
 */
export class PolicyTable implements Disposable {
  private readonly firewall = NetlinkSocket.open(NETLINK_NETFILTER);
  private policies: PacketPolicies | undefined;
  private planned:
    | { readonly policies: PacketPolicies; readonly addresses: string; readonly plan: PolicyPlan }
    | undefined;
  /** Flows may be under way that are not allowed any more. */
  private mustCut = false;
  private applied: AppliedTable | 'unknown' | 'none' = 'unknown';
  /** Of the table as it was last put in: what tells it from one that somebody else has touched. */
  private mark: { readonly handle: bigint; readonly useCount: number } | undefined;
  /** How many changes of others there had been when it was last seen to be whole. */
  private verified: number | undefined;

  constructor(private readonly deps: PolicyTableDeps) {}

  /**
   * Makes exactly these hold, for the sandboxes with these addresses; flows that they forbid are cut.
   * @throws NetworkError where there is no nft and something is to be held back
   */
  async sync(
    policies: PacketPolicies,
    addresses: ReadonlyMap<string, readonly string[]>,
  ): Promise<void> {
    this.policies = policies;
    await this.apply(addresses);
  }

  /** The sandboxes have other addresses now: what they may do holds when this is done. */
  async update(addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    if (this.policies !== undefined) await this.apply(addresses);
  }

  /**
   * Before a sandbox gets a link: what holds for it holds from its first packet on.
   * @throws NetworkError when it is not known what that is
   */
  async admit(sandboxId: string, addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    if (this.policies === undefined) return;
    if (!this.policies.sandboxes.has(sandboxId))
      throw new NetworkError('policies', `nobody has said which policies hold for ${sandboxId}`);
    await this.apply(addresses);
  }

  [Symbol.dispose](): void {
    this.firewall[Symbol.dispose]();
  }

  private async apply(addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const { policies } = this;
    if (policies === undefined) return;
    const plan = this.planFor(policies, addresses);
    const isNeeded = plan.ingress.size + plan.egress.size > 0;
    if (!isNeeded) return this.removeTable();
    if (typeof this.applied === 'string' || !(await this.isIntact(this.applied))) {
      this.mustCut = true;
      await this.rebuild(plan);
    } else {
      const difference = differenceOf(this.applied, plan);
      this.mustCut ||= difference.isStricter;
      await this.change(this.applied, plan, difference);
    }
    if (this.mustCut) await this.tryCut(plan);
  }

  /** Asked again and again for the same. */
  private planFor(
    policies: PacketPolicies,
    addresses: ReadonlyMap<string, readonly string[]>,
  ): PolicyPlan {
    const text = [...addresses].map((one) => one.join()).join(';');
    if (this.planned?.policies === policies && this.planned.addresses === text)
      return this.planned.plan;
    const plan = planPolicies(policies, addresses, this.deps.family);
    this.planned = { policies, addresses: text, plan };
    return plan;
  }

  private get table(): NftTable {
    return { family: this.deps.family, name: policyTableOf(this.deps.prefix) };
  }

  private async removeTable(): Promise<void> {
    if (this.applied === 'none') return;
    // Where there is no nft nothing of ours is there either.
    await this.deps.generations.change(() =>
      nft(withoutTableOf(nftOf(this.deps.family).word, policyTableOf(this.deps.prefix))),
    );
    this.applied = 'none';
  }

  private async rebuild(plan: PolicyPlan): Promise<void> {
    const table = policyTableOf(this.deps.prefix);
    this.applied = 'unknown';
    await this.deps.generations.change(async (foreignChanges) => {
      await runNft(tableText(table, plan));
      this.verified = foreignChanges;
    });
    this.applied = afterChange({ chains: new Map(), containers: new Map() }, plan);
    await this.remember();
  }

  private async change(
    applied: AppliedTable,
    plan: PolicyPlan,
    difference: TableDifference,
  ): Promise<void> {
    const { chains, containers, changes, elementCount, unusedCount } = difference;
    if (unusedCount > UNUSED_MAX) return this.rebuild(plan);
    const table = policyTableOf(this.deps.prefix);
    const isStructure = chains.size + containers.size > 0;
    if (!isStructure && changes.length === 0) return;
    try {
      await this.deps.generations.change(async () => {
        if (isStructure || elementCount > ELEMENTS_MAX)
          await runNft(changeText(this.deps.family, table, { chains, containers }, changes));
        else
          await this.firewall.transact(
            asTransaction(changes.flatMap((c) => requestsOf(this.table, c))),
          );
      });
      this.applied = afterChange(applied, plan);
      if (isStructure) await this.remember();
    } catch (error) {
      this.deps.log.warn({ err: describeError(error) }, 'network policies are made anew');
      await this.rebuild(plan);
    }
  }

  private async remember(): Promise<void> {
    this.mark = decodeTable(await this.firewall.get(getTable(this.table)));
  }

  /** Whether all that was put into the kernel seems to be there. */
  private async isIntact({ chains, containers }: AppliedTable): Promise<boolean> {
    const { table } = this;
    const foreignChanges = await this.deps.generations.foreignChanges();
    if (foreignChanges === this.verified) return true;
    try {
      const { handle, useCount } = decodeTable(await this.firewall.get(getTable(table)));
      if (handle !== this.mark?.handle || useCount !== this.mark.useCount) return false;
      const rules = (await this.firewall.dump(listRules(table))).length;
      const own = [...chains.values()].reduce((sum, chain) => sum + ruleCountOf(chain), 0);
      if (rules !== FIXED_RULE_COUNT + own || !(await this.isFull(containers))) return false;
      this.verified = foreignChanges;
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === constants.errno.ENOENT) return false;
      throw error;
    }
  }

  /** Whether all sets have as many elements as they should. */
  private async isFull(containers: AppliedTable['containers']): Promise<boolean> {
    const { table } = this;
    for (const [set, { elements }] of containers) {
      const parts = await this.firewall.dump(listElements(table, set));
      const count = parts.reduce((sum, part) => sum + decodeElements(part).length, 0);
      if (count !== elements.size) return false;
    }
    return true;
  }

  /** What holds for new flows holds without it: it is tried again with the next change or look. */
  private async tryCut(plan: PolicyPlan): Promise<void> {
    try {
      await this.cut(plan);
      this.mustCut = false;
    } catch (error) {
      this.deps.log.warn({ err: describeError(error) }, 'forbidden connections not cut yet');
    }
  }

  /** Flows that are under way and may not be any more; no others. */
  private async cut(plan: PolicyPlan): Promise<void> {
    const own = (await this.deps.host.dump(listAddresses())).map(decodeAddress);
    const hosts = new Set(own.flatMap(({ address }) => address ?? []).map(formatIp));
    const flows = (await this.firewall.dump(listFlows(this.deps.family))).flatMap(
      (m) => decodeFlow(m) ?? [],
    );
    const forbidden = flows.filter((flow) => isForbidden(plan, hosts, flow));
    if (forbidden.length === 0) return;
    await this.firewall.run(forbidden.map(forgetFlow));
    this.deps.log.info({ count: forbidden.length }, 'connections cut by network policies');
  }
}

export const policyTableOf = (prefix: string): string => `dhow-${prefix}-policy`;

const runNft = async (text: string): Promise<void> => {
  if (!(await nft(text)))
    throw new NetworkError('policies', 'nft is not installed: network policies cannot hold');
};

/** A sandbox and its own host always reach each other. */
const isForbidden = (
  plan: PolicyPlan,
  hosts: ReadonlySet<string>,
  { source: from, destination: to, protocol, port }: TrackedFlow,
): boolean => {
  const [source, destination] = [formatIp(from), formatIp(to)];
  if (hosts.has(source)) return false;
  if (hosts.has(destination) && !plan.guarded.includes(destination)) return false;
  const name = PROTOCOL_NAMES.get(protocol) ?? `${protocol}`;
  return !wouldPass(plan, { source, destination, protocol: name, port });
};

const requestsOf = (table: NftTable, { container, kind, added, removed }: ElementChange) => {
  const of = { table, set: container };
  const gone = removed.map((key) => ({ key: keyBytes(kind, key) }));
  const more = [...added].map(([key, chain]): SetElement => ({
    key: keyBytes(kind, key),
    ...(kind === 'decider' ? { goto: chain } : {}),
  }));
  return [...deleteElements(of, gone), ...addElements(of, more)];
};

const keyBytes = (kind: Container['kind'], key: string): Buffer => {
  const [address = '', second = '', port = ''] = key.split(' . ');
  switch (kind) {
    case 'address':
    case 'decider':
      return ipKey(address);
    case 'pair':
      return Buffer.concat([ipKey(address), ipKey(second)]);
    case 'port': {
      const protocol = PROTOCOL_NUMBERS.get(second) ?? 0;
      const parts = [u8(protocol), u16be(Number(port))].map(keyPart);
      return Buffer.concat([ipKey(address), ...parts]);
    }
  }
};

const ipKey = (address: string): Buffer => {
  const ip = ipOf(address);
  return ip === undefined ? Buffer.alloc(0) : ipBytes(ip);
};

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);
const PROTOCOL_NUMBERS = new Map([...PROTOCOL_NAMES].map(([number, name]) => [name, number]));

/** More go in by nft, which cuts what it sends into what the kernel takes. */
const ELEMENTS_MAX = 1_000;
/** Chains and sets that may lie about before the table is made anew. */
const UNUSED_MAX = 256;
