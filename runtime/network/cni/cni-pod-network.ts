import { existsSync } from 'node:fs';

import { Semaphore } from '../../../lib/async/semaphore';
import { Turns } from '../../../lib/async/turns';
import { describeError } from '../../../lib/log';
import { formatIp, formatPrefix, ipOf } from '../../../lib/net/ip';
import type { PacketPolicies } from '../../packet-policies';
import {
  type AttachRequest,
  type Attachment,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
  type PeerWay,
  type RefusedPeer,
} from '../../pod-network';
import { NetworkError } from '../errors';
import { enableForwarding, findLink, LOOPBACK_INDEX } from '../host';
import { removeHostPorts } from '../host-ports';
import { forgetFlowsTo } from '../netlink/conntrack';
import { decodeAddress, listAddresses, setLink } from '../netlink/requests';
import { NetlinkSocket } from '../netlink/socket';
import { NodeUnderlay } from '../node-underlay';
import { parseOptions, type NetworkDeps, type PodNetworkOptions } from '../options';
import { PeerWays } from '../peer-ways';
import { PolicyTables } from '../policy/policy-tables';
import { RuleSet } from '../rule-set';
import { ServiceRules } from '../services/service-rules';
import { started } from '../started';
import { AttachmentRecords, type AttachmentRecord } from './attachment-records';
import { CniChain } from './chain';
import { whyUnfiltered } from './filtering';
import { endLeftoverCalls } from './leftover-calls';
import { hasCapability, networkText, type CniNetwork } from './network-config';
import { readNetwork } from './network-folder';
import { capabilityArgsFor } from './plugin-input';
import { readResult } from './result';

export interface CniNetworkOptions extends PodNetworkOptions {
  /** Holds the network's configuration. */
  readonly configDir: string;
  /** Hold plugins. */
  readonly pluginPath: readonly string[];
  /** This network's alone; who is attached is kept there over reboots. */
  readonly recordDir: string;
  /** Default: 60 s for one call of a plugin. */
  readonly pluginTimeoutMs?: number;
}

/**
 * A pod network whose links, addresses and host ports are made by CNI plugins; services and policies are
 * the node's own, by the addresses that the plugins give. Without a configuration it opens all the same,
 * and says so when it is asked for anything.
 * @throws NetworkError naming the option at fault, or what the kernel refused.
 */
export const createCniNetwork = async (options: CniNetworkOptions): Promise<PodNetwork> => {
  const records = await AttachmentRecords.open(options.recordDir);
  return started(new CniPodNetwork(parseOptions(options), options, records));
};

class CniPodNetwork implements PodNetwork {
  private readonly host = NetlinkSocket.open();
  private readonly rules = new RuleSet();
  private readonly chain: CniChain;
  private readonly underlay: NodeUnderlay;
  private readonly ways: PeerWays;
  private readonly policies: PolicyTables;
  readonly services: ServiceRules;
  private readonly known = new Map<string, AttachmentRecord>();
  /** What their results say: all are asked again whenever one comes. */
  private readonly read = new WeakMap<AttachmentRecord, Attachment>();
  /** Each sandbox has one call at a time, and the machine not many. */
  private readonly turns = new Turns();
  private readonly calls = new Semaphore(MAX_CALLS);
  /** Of what the kernel is told by us. */
  private readonly turn = new Semaphore(1);
  private wanted: PacketPolicies | undefined;
  /** Of the network whose plugins are known to be there. */
  private checkedText = '';
  private hasTakenHostPortsAway = false;
  /** Undefined: the ways are ours. */
  private pluginWays: readonly PeerWay[] | undefined;

  constructor(
    private readonly deps: NetworkDeps,
    private readonly options: CniNetworkOptions,
    private readonly records: AttachmentRecords,
  ) {
    const { host, rules } = this;
    const { pluginPath: path, pluginTimeoutMs: timeoutMs = PLUGIN_TIMEOUT_MS } = options;
    this.chain = new CniChain({ path, timeoutMs, clock: deps.clock });
    this.underlay = new NodeUnderlay({ ...deps, host });
    this.ways = new PeerWays({ ...deps, host, rules, ownsRanges: false });
    this.policies = new PolicyTables({ ...deps, host, generations: rules.generations });
    this.services = new ServiceRules({
      ...{ prefix: deps.prefix, families: deps.families, host, rules, log: deps.log },
      nodeAddresses: () => this.underlay.current.addresses,
    });
  }

  async start(): Promise<void> {
    const { log, families } = this.deps;
    enableForwarding(families);
    await this.underlay.start();
    for (const record of await this.records.list(log))
      this.known.set(record.sandboxId, this.readable(record));
    await this.undoUnfinished();
    await this.collectGarbage();
    log.info({ attached: this.known.size }, 'CNI pod network ready');
  }

  async attach(request: AttachRequest, signal: AbortSignal = NEVER): Promise<Attachment> {
    const { sandboxId } = request;
    try {
      return await this.turns.take(sandboxId, () => this.ensure(request, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      const message = `failed to setup network for sandbox "${sandboxId}"`;
      throw new NetworkError('attach', message, { cause: error });
    }
  }

  /** Plugins find what they have made in the namespace. */
  async release(sandboxId: string): Promise<void> {
    await this.turns.take(sandboxId, () => this.letGo(sandboxId), NEVER);
  }

  /** Nothing is left to do after a `release`; otherwise what plugins keep outside of the namespace goes. */
  async detach(sandboxId: string): Promise<void> {
    await this.release(sandboxId);
  }

  /** Between nodes, and out to the world, the ways are ours where the plugins take this node's ranges. */
  async syncPeers(peers: readonly NetworkPeer[]): Promise<void> {
    const network = readNetwork(this.options.configDir);
    await this.checkPlugins(network);
    await this.turn.use(async () => {
      await this.underlay.refresh();
      const isTheirs = !hasCapability(network, RANGES);
      this.pluginWays = isTheirs ? waysOfPlugins(peers) : undefined;
      if (isTheirs) return;
      const { current } = this.underlay;
      const settings = () => ({ prefix: this.deps.prefix, mtu: current.mtu, sources: [] });
      await this.ways.sync(peers, current, [], settings);
    });
    await this.services.setPeers(peers);
  }

  /** The plugins lead them, as they attach. */
  async syncHostPorts(_ports: readonly HostPort[]): Promise<void> {
    if (this.hasTakenHostPortsAway) return;
    await removeHostPorts(this.deps.prefix);
    this.hasTakenHostPortsAway = true;
  }

  async syncPolicies(policies: PacketPolicies): Promise<void> {
    await this.turn.use(async () => {
      this.wanted = policies;
      await this.policies.sync(policies, this.addresses());
    });
    for (const record of this.known.values()) this.checkHeld(record);
  }

  linkChanges(): Promise<number | undefined> {
    return this.underlay.linkChanges();
  }

  get refusedPeers(): readonly RefusedPeer[] {
    return this.ways.refused;
  }

  get peerWays(): readonly PeerWay[] {
    return this.pluginWays ?? this.ways.chosen;
  }

  foreignDrops(): Promise<readonly string[]> {
    return this.turn.use(() => this.ways.foreignDrops());
  }

  attachments(): readonly Attachment[] {
    return [...this.known.values()].map((record) => this.attachmentOf(record));
  }

  get mtu(): number {
    return this.underlay.current.mtu;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn.use(async () => {
      this.services[Symbol.dispose]();
      this.rules[Symbol.dispose]();
      this.policies[Symbol.dispose]();
      this.host[Symbol.dispose]();
    });
  }

  private async ensure(request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
    const { sandboxId, netnsPath, pluginArgs = {} } = request;
    const known = this.known.get(sandboxId);
    if (known !== undefined) {
      if (known.netnsPath === netnsPath && (await this.isWhole(known))) {
        await this.admit(known);
        return this.attachmentOf(known);
      }
      await this.undo(known);
    }
    const network = readNetwork(this.options.configDir);
    const ranges = this.deps.podCidrs.map(formatPrefix);
    const capabilityArgs = capabilityArgsFor(network, request, ranges);
    const record: AttachmentRecord = {
      ...{ network, sandboxId, netnsPath, capabilityArgs },
      ...{ interfaceName: POD_INTERFACE, args: pluginArgs },
    };
    this.checkHeld(record);
    return this.make(record, signal);
  }

  /** Known before it is begun, so that a crash leaves nothing that nobody undoes. */
  private async make(record: AttachmentRecord, signal: AbortSignal): Promise<Attachment> {
    await this.keep(record);
    try {
      using inside = NetlinkSocket.openIn(record.netnsPath);
      await inside.run([setLink(LOOPBACK_INDEX, { isUp: true })]);
      const result = await this.calls.use(() => this.chain.add(record, signal), signal);
      const whole = { ...record, result };
      const { ips } = this.attachmentOf(whole);
      // Of whoever had the addresses before.
      await this.rules.forget(ips.flatMap((ip) => ipOf(ip) ?? []).map(forgetFlowsTo));
      await this.admit(whole);
      await this.keep(whole);
      return this.attachmentOf(whole);
    } catch (error) {
      await this.tryUndo(record);
      throw error;
    }
  }

  /** Containers begin only after it: what holds for them holds from their first packet on. */
  private async admit(record: AttachmentRecord): Promise<void> {
    const { sandboxId } = record;
    const { ips } = this.attachmentOf(record);
    await this.turn.use(() => this.policies.admit(sandboxId, this.addresses().set(sandboxId, ips)));
  }

  /** @throws NetworkError when a policy is to hold for the sandbox that its network goes round */
  private checkHeld({ sandboxId, network }: AttachmentRecord): void {
    const { ingress, egress } = this.wanted?.sandboxes.get(sandboxId) ?? {};
    if (ingress === undefined && egress === undefined) return;
    const reason = whyUnfiltered(network);
    if (reason !== undefined)
      throw new NetworkError('policies', `network policies cannot hold: ${reason}`);
  }

  /** Whether the sandbox still has the interface and the addresses that it was given. */
  private async isWhole(record: AttachmentRecord): Promise<boolean> {
    const { sandboxId, netnsPath, interfaceName, result } = record;
    if (result === undefined) return false;
    try {
      using inside = NetlinkSocket.openIn(netnsPath);
      const link = await findLink(inside, interfaceName);
      const present = (await inside.dump(listAddresses())).map(decodeAddress);
      const own = present.flatMap(({ address, interfaceIndex }) =>
        address !== undefined && interfaceIndex === link?.index ? [formatIp(address)] : [],
      );
      if (!this.attachmentOf(record).ips.every((ip) => own.includes(ip))) return false;
      await this.tellCheck(record);
      return true;
    } catch (error) {
      this.deps.log.warn({ sandboxId, err: describeError(error) }, 'CNI attachment is made anew');
      return false;
    }
  }

  /**
   * What plugins find amiss is told, and no more: a running pod does not get another address because
   * Debian's bridge has got another MAC with its next port, or its `bandwidth` dies of the question.
   */
  private async tellCheck(record: AttachmentRecord): Promise<void> {
    try {
      await this.calls.use(() => this.chain.check(record, record.result));
    } catch (error) {
      const { sandboxId } = record;
      this.deps.log.warn(
        { sandboxId, err: describeError(error) },
        'CNI attachment is not as it was',
      );
    }
  }

  private async letGo(sandboxId: string): Promise<void> {
    const record = this.known.get(sandboxId);
    if (record === undefined) return;
    try {
      await this.undo(record);
    } catch (error) {
      const message = `failed to destroy network for sandbox "${sandboxId}"`;
      throw new NetworkError('detach', message, { cause: error });
    }
  }

  private async undo(record: AttachmentRecord): Promise<void> {
    const netnsPath = existsSync(record.netnsPath) ? record.netnsPath : '';
    await this.calls.use(() => this.del({ ...record, netnsPath }));
    await this.records.remove(record);
    this.known.delete(record.sandboxId);
    await this.turn.use(() => this.policies.update(this.addresses()));
  }

  /** As the network was then; where that fails, as its administrator has mended it since. */
  private async del(record: AttachmentRecord): Promise<void> {
    try {
      await this.chain.del(record, record.result);
    } catch (error) {
      const network = this.mendedSince(record.network);
      if (network === undefined) throw error;
      await this.chain.del({ ...record, network }, record.result);
    }
  }

  private mendedSince(before: CniNetwork): CniNetwork | undefined {
    try {
      const network = readNetwork(this.options.configDir);
      const isMended = network.name === before.name && networkText(network) !== networkText(before);
      return isMended ? network : undefined;
    } catch {
      return undefined;
    }
  }

  /** What cannot be undone now stays known, and is when it is next attached or detached. */
  private async tryUndo(record: AttachmentRecord): Promise<void> {
    const { sandboxId } = record;
    try {
      await this.undo(record);
    } catch (error) {
      this.deps.log.error({ sandboxId, err: describeError(error) }, 'cannot undo a CNI attachment');
    }
  }

  private async undoUnfinished(): Promise<void> {
    const unfinished = [...this.known.values()].filter(({ result }) => result === undefined);
    const ids = unfinished.map(({ sandboxId }) => sandboxId);
    await endLeftoverCalls(ids, this.deps.clock);
    await Promise.all(unfinished.map((record) => this.tryUndo(record)));
  }

  /** Before anybody is attached: later it would meet those that are about to be. */
  private async collectGarbage(): Promise<void> {
    try {
      const network = readNetwork(this.options.configDir);
      const attached = [...this.known.values()].filter((one) => one.network.name === network.name);
      await this.chain.gc(
        network,
        attached.map(({ sandboxId, interfaceName }) => ({
          containerID: sandboxId,
          ifname: interfaceName,
        })),
      );
    } catch (error) {
      this.deps.log.warn({ err: describeError(error) }, 'CNI garbage is not collected');
    }
  }

  private async checkPlugins(network: CniNetwork): Promise<void> {
    const text = networkText(network);
    if (text !== this.checkedText) await this.chain.checkVersions(network);
    this.checkedText = text;
    await this.chain.status(network);
  }

  private async keep(record: AttachmentRecord): Promise<void> {
    await this.records.put(record);
    this.known.set(record.sandboxId, record);
  }

  private addresses(): Map<string, readonly string[]> {
    return new Map(this.attachments().map(({ sandboxId, ips }) => [sandboxId, ips]));
  }

  /** One whose result says nothing counts as unfinished: it harms no other, and is undone. */
  private readable(record: AttachmentRecord): AttachmentRecord {
    try {
      this.attachmentOf(record);
      return record;
    } catch (error) {
      const { result: _unreadable, ...unfinished } = record;
      const { sandboxId } = record;
      this.deps.log.error({ sandboxId, err: describeError(error) }, 'cannot read a CNI result');
      return unfinished;
    }
  }

  /** Without addresses while it is being made, or when it could not be undone. */
  private attachmentOf(record: AttachmentRecord): Attachment {
    const known = this.read.get(record);
    if (known !== undefined) return known;
    const { sandboxId, result } = record;
    const { ips, hostInterface } =
      result === undefined
        ? { ips: [], hostInterface: '' }
        : readResult(result, this.deps.families);
    const attachment = { sandboxId, ips, hostInterface };
    this.read.set(record, attachment);
    return attachment;
  }
}

const waysOfPlugins = (peers: readonly NetworkPeer[]): readonly PeerWay[] =>
  peers
    .filter(({ isUnreachable }) => !isUnreachable)
    .map(({ nodeName }) => ({ nodeName, way: 'plugins' }));

const POD_INTERFACE = 'eth0';
const RANGES = 'ipRanges';
const MAX_CALLS = 4;
const PLUGIN_TIMEOUT_MS = 60_000;
const NEVER = new AbortController().signal;
