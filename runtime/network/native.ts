import { Semaphore } from '../../lib/async/semaphore';
import { formatIp, formatPrefix } from '../../lib/net/ip';
import {
  type AttachRequest,
  type Attachment,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
  type PeerWay,
  type RefusedPeer,
} from '../pod-network';
import { NetworkError } from './errors';
import { enableForwarding } from './host';
import { HostPorts } from './host-ports';
import { NetlinkSocket } from './netlink/socket';
import { NodeUnderlay } from './node-underlay';
import { parseOptions, type NetworkDeps, type PodNetworkOptions } from './options';
import { PeerWays } from './peer-ways';
import { RuleSet } from './rule-set';
import { ServiceRules } from './services/service-rules';
import { started } from './started';
import { type LinkSettings, type SandboxLink } from './sandbox-link';
import { SandboxLinks } from './sandbox-links';
import { PolicyTables } from './policy/policy-tables';
import type { PacketPolicies } from '../packet-policies';

/**
 * Opens the pod network of the namespace this process is in, and takes over what an earlier process
 * left. Nothing is stored: sandboxes are known by the labels of their interfaces.
 * @throws NetworkError naming the option at fault, or the step the kernel refused.
 */
export const createPodNetwork = async (options: PodNetworkOptions): Promise<PodNetwork> => {
  return started(new NativePodNetwork(parseOptions(options)));
};

class NativePodNetwork implements PodNetwork {
  private readonly host = NetlinkSocket.open();
  /** One change at a time: the kernel does them one at a time anyway. */
  private readonly turn = new Semaphore(1);
  private readonly links: SandboxLinks;
  private readonly underlay: NodeUnderlay;
  private readonly ways: PeerWays;
  private readonly rules = new RuleSet();
  private readonly hostPorts: HostPorts;
  private readonly policies: PolicyTables;
  readonly services: ServiceRules;

  constructor(private readonly deps: NetworkDeps) {
    const { host, rules } = this;
    this.policies = new PolicyTables({ ...deps, host, generations: rules.generations });
    const guard = async ({ sandboxId, addresses }: Omit<SandboxLink, 'hostInterface'>) =>
      this.policies.admit(sandboxId, this.addresses().set(sandboxId, addresses.map(formatIp)));
    this.links = new SandboxLinks({ ...deps, host, rules, guard });
    this.underlay = new NodeUnderlay({ ...deps, host });
    this.ways = new PeerWays({ ...deps, host, rules, ownsRanges: true });
    this.hostPorts = new HostPorts({ ...deps, host, rules });
    this.services = new ServiceRules({
      ...{ prefix: deps.prefix, families: deps.families, host, rules, log: deps.log },
      nodeAddresses: () => this.underlay.current.addresses,
    });
  }

  async start(): Promise<void> {
    const { log, podCidrs, families } = this.deps;
    enableForwarding(families);
    await this.underlay.start();
    await this.links.recover();
    await this.ways.start(this.underlay.current);
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

  async release(): Promise<void> {
    // The kernel takes the link away with its namespace, far more cheaply than on request.
  }

  async detach(sandboxId: string): Promise<void> {
    await this.turn.use(async () => {
      await this.links.release(sandboxId);
      await this.policies.update(this.addresses());
    });
  }

  async syncPeers(peers: readonly NetworkPeer[]): Promise<void> {
    await this.turn.use(async () => {
      await this.underlay.refresh();
      const settings = (): LinkSettings => this.linkSettings;
      await this.ways.sync(peers, this.underlay.current, this.links.list(), settings);
    });
    await this.services.setPeers(peers);
  }

  async syncHostPorts(ports: readonly HostPort[]): Promise<void> {
    await this.turn.use(async () => {
      const links = new Map(
        this.attachments().flatMap(({ ips, hostInterface }) =>
          ips.map((ip) => [ip, hostInterface] as const),
        ),
      );
      const { addresses } = this.underlay.current;
      await this.hostPorts.sync(ports, addresses, (ip) => links.get(ip));
    });
  }

  async syncPolicies(policies: PacketPolicies): Promise<void> {
    await this.turn.use(() => this.policies.sync(policies, this.addresses()));
  }

  linkChanges(): Promise<number | undefined> {
    return this.underlay.linkChanges();
  }

  get refusedPeers(): readonly RefusedPeer[] {
    return this.ways.refused;
  }

  get peerWays(): readonly PeerWay[] {
    return this.ways.chosen;
  }

  foreignDrops(): Promise<readonly string[]> {
    return this.turn.use(() => this.ways.foreignDrops());
  }

  attachments(): readonly Attachment[] {
    return this.links.list().map(attachmentOf);
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

  private addresses(): Map<string, readonly string[]> {
    return new Map(
      this.links.list().map(({ sandboxId, addresses }) => [sandboxId, addresses.map(formatIp)]),
    );
  }

  private get linkSettings(): LinkSettings {
    const { addresses, mtu } = this.underlay.current;
    return {
      prefix: this.deps.prefix,
      mtu: mtu - this.ways.overheadBytes(addresses[0]?.family ?? 4),
      sources: addresses,
    };
  }
}

const attachmentOf = ({ sandboxId, addresses, hostInterface }: SandboxLink): Attachment => ({
  sandboxId,
  ips: addresses.map(formatIp),
  hostInterface,
});
