import { Semaphore } from '../../lib/async/semaphore';
import { type Clock, systemClock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import {
  type AttachRequest,
  type Attachment,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
} from '../pod-network';
import { NetworkError } from './errors';
import {
  addOwnAddress,
  enableForwarding,
  findLinkByIndex,
  findUnderlay,
  type Underlay,
} from './host';
import { formatCidr, formatIpv4, parseCidr, parseIpv4, type Ipv4Cidr } from './ipv4';
import { Firewall } from './firewall';
import { HostPorts } from './host-ports';
import { isInterfacePrefix } from './names';
import { NetlinkSocket } from './netlink/socket';
import { NodeRoutes } from './node-routes';
import { RuleSet } from './rule-set';
import { planPeers, type PlannedPeer } from './peers';
import { ServiceRules } from './services/native';
import { type LinkSettings, type SandboxLink } from './sandbox-link';
import { SandboxLinks } from './sandbox-links';
import { VXLAN_OVERHEAD_BYTES } from './vxlan';
import { PolicyTable } from './policy/policy-table';
import type { PacketPolicies } from '../packet-policies';

export interface PodNetworkOptions {
  /** This node's range, as `10.244.3.0/24`. */
  readonly podCidr: string;
  /** Where peers reach this node. Default: the address on the way to the world. */
  readonly nodeAddress?: string;
  /** Starts the name of every interface; one to six of `[a-z0-9]`, unique in the network namespace. */
  readonly interfacePrefix: string;
  /** Reached by pods under their own address. Default: this node's range and those of its peers. */
  readonly clusterCidr?: string;
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
  readonly podCidr: Ipv4Cidr;
  readonly nodeAddress: number | undefined;
  readonly prefix: string;
  readonly clusterCidr: string | undefined;
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
  private readonly policies: PolicyTable;
  readonly services: ServiceRules;
  private underlay: Underlay = { address: undefined, interfaceIndex: 0, mtu: 1500 };
  private problems = '';

  constructor(private readonly deps: Deps) {
    const { host } = this;
    this.policies = new PolicyTable({ ...deps, host, generations: this.rules.generations });
    const guard = async ({ sandboxId, address }: Omit<SandboxLink, 'hostInterface'>) =>
      this.policies.admit(sandboxId, this.addresses().set(sandboxId, formatIpv4(address)));
    this.links = new SandboxLinks({ ...deps, host, rules: this.rules, guard });
    this.routes = new NodeRoutes({ ...deps, host });
    this.firewall = new Firewall({ ...deps, rules: this.rules });
    this.hostPorts = new HostPorts({ ...deps, host, rules: this.rules });
    this.services = new ServiceRules({
      ...{ prefix: deps.prefix, host, rules: this.rules, log: deps.log },
      nodeAddress: () => this.underlay.address,
    });
  }

  async start(): Promise<void> {
    const { log, nodeAddress, podCidr } = this.deps;
    enableForwarding();
    this.underlay = await findUnderlay(this.host, nodeAddress);
    if (nodeAddress !== undefined && this.underlay.address !== nodeAddress) {
      log.warn({ nodeAddress: formatIpv4(nodeAddress) }, 'no interface has the node address');
    }
    if (this.underlay.address === undefined) await this.useOwnAddress();
    await this.links.recover();
    await this.routes.start();
    await this.syncFirewall([]);
    const attached = this.links.list().length;
    log.info({ podCidr: formatCidr(podCidr), attached }, 'pod network ready');
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
      const { podCidr } = this.deps;
      const plan = planPeers(peers, { podCidr, address: this.underlay.address });
      this.tellProblems(plan.problems);
      const settings = (): LinkSettings => this.linkSettings;
      await this.routes.sync(plan.peers, this.underlay, this.links.list(), settings);
      await this.syncFirewall(plan.peers);
    });
  }

  async syncHostPorts(ports: readonly HostPort[]): Promise<void> {
    await this.turn.use(async () => {
      const links = new Map(this.attachments().map(({ ip, hostInterface }) => [ip, hostInterface]));
      await this.hostPorts.sync(ports, this.underlay.address, (ip) => links.get(ip));
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

  private addresses(): Map<string, string> {
    return new Map(
      this.links.list().map(({ sandboxId, address }) => [sandboxId, formatIpv4(address)]),
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
    const underlay = await findUnderlay(this.host, this.deps.nodeAddress);
    const { address } = underlay;
    if (address === undefined) return;
    if (address !== this.underlay.address)
      this.deps.log.info({ address: formatIpv4(address) }, 'node address changed');
    this.underlay = underlay;
  }

  private async useOwnAddress(): Promise<void> {
    const address = this.deps.podCidr.base + 1;
    await addOwnAddress(this.host, this.deps.prefix, address);
    this.underlay = { ...this.underlay, address };
  }

  private get linkSettings(): LinkSettings {
    const { address, mtu } = this.underlay;
    return {
      prefix: this.deps.prefix,
      mtu: this.routes.hasTunnel ? mtu - VXLAN_OVERHEAD_BYTES : mtu,
      source: address,
    };
  }

  private async syncFirewall(peers: readonly PlannedPeer[]): Promise<void> {
    const { clusterCidr, podCidr, log } = this.deps;
    const own = formatCidr(podCidr);
    const cluster =
      clusterCidr === undefined ? peers.map((peer) => formatCidr(peer.podCidr)) : [clusterCidr];
    try {
      const { address } = this.underlay;
      await this.firewall.sync({
        podCidr: own,
        clusterCidrs: [own, ...cluster],
        nodeAddresses: [address, ...peers.map((peer) => peer.address)].flatMap((known) =>
          known === undefined ? [] : [formatIpv4(known)],
        ),
      });
    } catch (error) {
      // Pods still reach each other; the next sync tries again.
      log.error({ err: describeError(error) }, 'cannot set up the firewall');
    }
  }
}

const attachmentOf = ({ sandboxId, address, hostInterface }: SandboxLink): Attachment => ({
  sandboxId,
  ip: formatIpv4(address),
  hostInterface,
});

const parseOptions = (options: PodNetworkOptions): Deps => {
  const { podCidr: podCidrText, nodeAddress: addressText, clusterCidr, interfacePrefix } = options;
  const podCidr = parseCidr(podCidrText);
  if (podCidr === undefined) throw invalid('podCidr', podCidrText, 'an IPv4 CIDR');
  const nodeAddress = addressText === undefined ? undefined : parseIpv4(addressText);
  if (addressText !== undefined && nodeAddress === undefined) {
    throw invalid('nodeAddress', addressText, 'an IPv4 address');
  }
  if (clusterCidr !== undefined && parseCidr(clusterCidr) === undefined) {
    throw invalid('clusterCidr', clusterCidr, 'an IPv4 CIDR');
  }
  if (!isInterfacePrefix(interfacePrefix)) {
    throw invalid('interfacePrefix', interfacePrefix, 'one to six of [a-z0-9], a letter first');
  }
  const { log, clock = systemClock } = options;
  return { podCidr, nodeAddress, prefix: interfacePrefix, clusterCidr, log, clock };
};

const invalid = (option: string, value: string, wanted: string): NetworkError =>
  new NetworkError('options', `${option} ${JSON.stringify(value)} is not ${wanted}`);
