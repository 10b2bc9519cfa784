import { Semaphore } from '../../lib/async/semaphore';
import { type Clock, systemClock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import {
  formatIp,
  formatPrefix,
  ipAt,
  ipOf,
  rangeOf,
  sameIp,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
} from '../../lib/net/ip';
import {
  type AttachRequest,
  type Attachment,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
} from '../pod-network';
import { NetworkError } from './errors';
import {
  addressIn,
  addOwnAddress,
  enableForwarding,
  findLinkByIndex,
  findUnderlay,
  OWN_ADDRESS_OFFSET,
  type Underlay,
} from './host';
import { Firewall } from './firewall';
import { HostPorts } from './host-ports';
import { isInterfacePrefix } from './names';
import { NetlinkSocket } from './netlink/socket';
import { NodeRoutes } from './node-routes';
import { RuleSet } from './rule-set';
import { planPeers, type PlannedPeer } from './peers';
import { ServiceRules } from './services/service-rules';
import { type LinkSettings, type SandboxLink } from './sandbox-link';
import { SandboxLinks } from './sandbox-links';
import { vxlanOverheadBytes } from './vxlan';
import { PolicyTables } from './policy/policy-tables';
import type { PacketPolicies } from '../packet-policies';

export interface PodNetworkOptions {
  /** This node's ranges, as `10.244.3.0/24`: one, or one of each family, the more important first. */
  readonly podCidrs: readonly string[];
  /** Where peers reach this node, one of each family at most. Default: those on the way to the world. */
  readonly nodeAddresses?: readonly string[];
  /** Starts the name of every interface; one to six of `[a-z0-9]`, unique in the network namespace. */
  readonly interfacePrefix: string;
  /** Reached by pods under their own address. Default: this node's ranges and those of its peers. */
  readonly clusterCidrs?: readonly string[];
  readonly log: Log;
  readonly clock?: Clock;
}

/**
 * Opens the pod network of the namespace this process is in, and takes over what an earlier process
 * left. Nothing is stored: sandboxes are known by the labels of their interfaces.
 * @throws NetworkError naming the option at fault, or the step the kernel refused.
 */
export const createPodNetwork = async (options: PodNetworkOptions): Promise<PodNetwork> => {
  const network = new NativePodNetwork(parseOptions(options));
  try {
    await network.start();
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw new NetworkError('start', 'cannot start the pod network', { cause: error });
  }
  return network;
};

interface Deps {
  readonly podCidrs: readonly IpPrefix[];
  readonly families: readonly IpFamily[];
  readonly nodeAddresses: readonly IpAddress[];
  readonly prefix: string;
  readonly clusterCidrs: readonly string[] | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

class NativePodNetwork implements PodNetwork {
  private readonly host = NetlinkSocket.open();
  /** One change at a time: the kernel does them one at a time anyway. */
  private readonly turn = new Semaphore(1);
  private readonly links: SandboxLinks;
  private readonly routes: NodeRoutes;
  private readonly rules = new RuleSet();
  private readonly firewall: Firewall;
  private readonly hostPorts: HostPorts;
  private readonly policies: PolicyTables;
  readonly services: ServiceRules;
  private underlay: Underlay = { addresses: [], interfaceIndex: 0, mtu: 1500 };
  private problems = '';

  constructor(private readonly deps: Deps) {
    const { host } = this;
    this.policies = new PolicyTables({ ...deps, host, generations: this.rules.generations });
    const guard = async ({ sandboxId, addresses }: Omit<SandboxLink, 'hostInterface'>) =>
      this.policies.admit(sandboxId, this.addresses().set(sandboxId, addresses.map(formatIp)));
    this.links = new SandboxLinks({ ...deps, host, rules: this.rules, guard });
    this.routes = new NodeRoutes({ ...deps, host });
    this.firewall = new Firewall({ ...deps, rules: this.rules });
    this.hostPorts = new HostPorts({ ...deps, host, rules: this.rules });
    this.services = new ServiceRules({
      ...{ prefix: deps.prefix, families: deps.families, host, rules: this.rules, log: deps.log },
      nodeAddresses: () => this.underlay.addresses,
    });
  }

  async start(): Promise<void> {
    const { log, nodeAddresses, podCidrs, families } = this.deps;
    enableForwarding(families);
    this.underlay = await this.underlayNow();
    for (const told of nodeAddresses)
      if (!this.underlay.addresses.some((address) => sameIp(address, told)))
        log.warn({ nodeAddress: formatIp(told) }, 'no interface has the node address');
    await this.links.recover();
    await this.routes.start();
    await this.syncFirewall([]);
    const attached = this.links.list().length;
    log.info({ podCidrs: podCidrs.map(formatPrefix), attached }, 'pod network ready');
  }

  async attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment> {
    return this.turn.use(async () => {
      signal?.throwIfAborted();
      try {
        return attachmentOf(await this.links.ensure(request, this.linkSettings));
      } catch (error) {
        const message = `cannot attach sandbox ${request.sandboxId}`;
        throw new NetworkError('attach', message, { cause: error });
      }
    });
  }

  async detach(sandboxId: string): Promise<void> {
    await this.turn.use(async () => {
      await this.links.release(sandboxId);
      await this.policies.update(this.addresses());
    });
  }

  async syncPeers(peers: readonly NetworkPeer[]): Promise<void> {
    await this.turn.use(async () => {
      await this.refreshUnderlay();
      const { podCidrs } = this.deps;
      const plan = planPeers(peers, { podCidrs, addresses: this.underlay.addresses });
      this.tellProblems(plan.problems);
      const settings = (): LinkSettings => this.linkSettings;
      await this.routes.sync(plan.peers, this.underlay, this.links.list(), settings);
      await this.syncFirewall(plan.peers);
    });
  }

  async syncHostPorts(ports: readonly HostPort[]): Promise<void> {
    await this.turn.use(async () => {
      const links = new Map(
        this.attachments().flatMap(({ ips, hostInterface }) =>
          ips.map((ip) => [ip, hostInterface] as const),
        ),
      );
      await this.hostPorts.sync(ports, this.underlay.addresses, (ip) => links.get(ip));
    });
  }

  async syncPolicies(policies: PacketPolicies): Promise<void> {
    await this.turn.use(() => this.policies.sync(policies, this.addresses()));
  }

  async linkChanges(): Promise<number | undefined> {
    const { interfaceIndex } = this.underlay;
    if (interfaceIndex === 0) return undefined;
    const link = await findLinkByIndex(this.host, interfaceIndex);
    return link?.carrierChanges;
  }

  attachments(): readonly Attachment[] {
    return this.links.list().map(attachmentOf);
  }

  get mtu(): number {
    return this.underlay.mtu;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn.use(async () => {
      this.services[Symbol.dispose]();
      this.rules[Symbol.dispose]();
      this.policies[Symbol.dispose]();
      this.host[Symbol.dispose]();
    });
  }

  private addresses(): Map<string, readonly string[]> {
    return new Map(
      this.links.list().map(({ sandboxId, addresses }) => [sandboxId, addresses.map(formatIp)]),
    );
  }

  /** Each set of problems once: this runs again and again. */
  private tellProblems(problems: readonly string[]): void {
    const text = problems.join('; ');
    if (text !== this.problems)
      for (const problem of problems)
        this.deps.log.warn({ problem }, 'peer left out of the pod network');
    this.problems = text;
  }

  /** The node may have a new address since: routes with the old one as their source went with it. */
  private async refreshUnderlay(): Promise<void> {
    const underlay = await this.underlayNow();
    const { addresses } = underlay;
    const before = this.underlay.addresses;
    if (addresses.map(formatIp).join() !== before.map(formatIp).join())
      this.deps.log.info({ addresses: addresses.map(formatIp) }, 'node addresses changed');
    this.underlay = underlay;
  }

  /** Of each family that pods have there is an address: where the node has none, it gets one. */
  private async underlayNow(): Promise<Underlay> {
    const { nodeAddresses, families, podCidrs } = this.deps;
    const before = this.underlay;
    const order = [...new Set([...nodeAddresses.map((each) => each.family), ...families])];
    const found = await findUnderlay(this.host, nodeAddresses, order);
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
    await addOwnAddress(this.host, this.deps.prefix, address);
    return address;
  }

  private get linkSettings(): LinkSettings {
    const { addresses, mtu } = this.underlay;
    const overheadBytes = vxlanOverheadBytes(addresses[0]?.family ?? 4);
    return {
      prefix: this.deps.prefix,
      mtu: this.routes.hasTunnel ? mtu - overheadBytes : mtu,
      sources: addresses,
    };
  }

  private async syncFirewall(peers: readonly PlannedPeer[]): Promise<void> {
    const { clusterCidrs, podCidrs, log } = this.deps;
    const own = podCidrs.map(formatPrefix);
    const cluster = clusterCidrs ?? peers.flatMap((peer) => peer.podCidrs.map(formatPrefix));
    const nodes = [this.underlay, ...peers].flatMap(({ addresses }) => addresses.map(formatIp));
    try {
      await this.firewall.sync({
        podCidrs: own,
        clusterCidrs: [...own, ...cluster],
        nodeAddresses: nodes,
      });
    } catch (error) {
      // Pods still reach each other; the next sync tries again.
      log.error({ err: describeError(error) }, 'cannot set up the firewall');
    }
  }
}

const attachmentOf = ({ sandboxId, addresses, hostInterface }: SandboxLink): Attachment => ({
  sandboxId,
  ips: addresses.map(formatIp),
  hostInterface,
});

const parseOptions = (options: PodNetworkOptions): Deps => {
  const { interfacePrefix, clusterCidrs } = options;
  const podCidrs = options.podCidrs.map((text) => rangeOption('podCidrs', text));
  const families = podCidrs.map(({ address }) => address.family);
  if (podCidrs.length === 0 || new Set(families).size < families.length)
    throw invalid('podCidrs', options.podCidrs.join(), 'one range, or one of each family');
  const nodeAddresses = (options.nodeAddresses ?? []).map((text) => {
    const address = ipOf(text);
    if (address === undefined) throw invalid('nodeAddresses', text, 'an address');
    return address;
  });
  for (const text of clusterCidrs ?? []) rangeOption('clusterCidrs', text);
  if (!isInterfacePrefix(interfacePrefix)) {
    throw invalid('interfacePrefix', interfacePrefix, 'one to six of [a-z0-9], a letter first');
  }
  const { log, clock = systemClock } = options;
  const prefix = interfacePrefix;
  return { podCidrs, families, nodeAddresses, prefix, clusterCidrs, log, clock };
};

const rangeOption = (option: string, text: string): IpPrefix => {
  const range = rangeOf(text);
  if (range === undefined) throw invalid(option, text, 'a range');
  return range;
};

const invalid = (option: string, value: string, wanted: string): NetworkError =>
  new NetworkError('options', `${option} ${JSON.stringify(value)} is not ${wanted}`);
