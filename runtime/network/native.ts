import { Semaphore } from '../../lib/async/semaphore';
import { type Clock, systemClock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import {
  type AttachRequest,
  type Attachment,
  type NetworkPeer,
  type PodNetwork,
} from '../pod-network';
import { AddressPool } from './address-pool';
import { NetworkError } from './errors';
import { addOwnAddress, enableForwarding, findUnderlay, routeTo, type Underlay } from './host';
import { formatCidr, formatIpv4, parseCidr, parseIpv4, type Ipv4Cidr } from './ipv4';
import { Masquerade } from './masquerade';
import { isInterfacePrefix, isSandboxInterface } from './names';
import { NetlinkSocket } from './netlink/socket';
import {
  decodeLink,
  decodeRoute,
  deleteLink,
  deleteRoute,
  listLinks,
  listRoutes,
  ROUTE_PROTOCOL,
  setRoute,
  type Route,
} from './netlink/requests';
import { planPeers, type PlannedPeer } from './peers';
import {
  createSandboxLink,
  parseAlias,
  releaseSandboxLink,
  repairSandboxLink,
  restoreHostRoute,
  type LinkSettings,
  type SandboxLink,
} from './sandbox-link';
import { VXLAN_OVERHEAD_BYTES, VxlanTunnel } from './vxlan';

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
  private readonly links = new Map<string, SandboxLink>();
  /** One change at a time: the kernel does them one at a time anyway. */
  private readonly turn = new Semaphore(1);
  private readonly pool: AddressPool;
  private readonly masquerade: Masquerade;
  private readonly tunnel: VxlanTunnel;
  private underlay: Underlay = { address: undefined, interfaceIndex: 0, mtu: 1500 };
  private hasTunnel = false;

  constructor(private readonly deps: Deps) {
    this.pool = new AddressPool(deps.podCidr, deps.clock);
    this.masquerade = new Masquerade(deps.prefix, deps.log);
    this.tunnel = new VxlanTunnel(this.host, deps.prefix, deps.podCidr);
  }

  async start(): Promise<void> {
    const { log, nodeAddress, podCidr } = this.deps;
    enableForwarding();
    this.underlay = await findUnderlay(this.host, nodeAddress);
    if (nodeAddress !== undefined && this.underlay.address !== nodeAddress) {
      log.warn({ nodeAddress: formatIpv4(nodeAddress) }, 'no interface has the node address');
    }
    if (this.underlay.address === undefined) await this.useOwnAddress();
    await this.recover();
    await this.host.run([setRoute(this.ownRange)]);
    await this.syncMasquerade([]);
    log.info({ podCidr: formatCidr(podCidr), attached: this.links.size }, 'pod network ready');
  }

  async attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment> {
    return this.turn.use(async () => {
      signal?.throwIfAborted();
      try {
        return attachmentOf(await this.ensureLink(request));
      } catch (error) {
        const message = `cannot attach sandbox ${request.sandboxId}`;
        throw new NetworkError('attach', message, { cause: error });
      }
    });
  }

  async detach(sandboxId: string): Promise<void> {
    await this.turn.use(async () => {
      const link = this.links.get(sandboxId);
      if (link === undefined) return;
      await releaseSandboxLink(this.host, link);
      this.links.delete(sandboxId);
      this.pool.release(sandboxId);
    });
  }

  async syncPeers(peers: readonly NetworkPeer[]): Promise<void> {
    await this.turn.use(async () => {
      const { log, podCidr } = this.deps;
      await this.refreshUnderlay();
      const plan = planPeers(peers, { podCidr, address: this.underlay.address });
      for (const problem of plan.problems)
        log.warn({ problem }, 'peer left out of the pod network');
      const routes = await this.routesTo(plan.peers);
      await this.host.run(routes.map((route) => setRoute(route)));
      await this.settleRoutes(routes);
      await this.syncMasquerade(plan.peers);
    });
  }

  attachments(): readonly Attachment[] {
    return [...this.links.values()].map(attachmentOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn.use(async () => this.host[Symbol.dispose]());
  }

  /** The node may have a new address since: routes with the old one as their source went with it. */
  private async refreshUnderlay(): Promise<void> {
    const { nodeAddress, log } = this.deps;
    const underlay = await findUnderlay(this.host, nodeAddress);
    const { address } = underlay;
    if (address === undefined || address === this.underlay.address) return;
    log.info({ address: formatIpv4(address) }, 'node address changed');
    this.underlay = underlay;
  }

  private async useOwnAddress(): Promise<void> {
    const address = this.deps.podCidr.base + 1;
    await addOwnAddress(this.host, this.deps.prefix, address);
    this.underlay = { ...this.underlay, address };
  }

  /**
   * What lives is the truth. An interface without a label was being made, or has been let go; of two
   * that claim the same, one is kept, and the other's sandbox gets a new link when it is attached.
   */
  private async recover(): Promise<void> {
    const { prefix, log } = this.deps;
    const links = (await this.host.dump(listLinks())).map(decodeLink);
    for (const link of links.filter(({ name }) => isSandboxInterface(prefix, name))) {
      const known = parseAlias(link);
      if (known !== undefined && this.isUnclaimed(known)) {
        this.pool.claim(known.sandboxId, known.address);
        this.links.set(known.sandboxId, known);
      } else {
        log.info({ interface: link.name, alias: link.alias }, 'removing a stray interface');
        await this.host.run([deleteLink(link.name)]);
      }
    }
  }

  private isUnclaimed({ sandboxId, address }: SandboxLink): boolean {
    return !this.links.has(sandboxId) && this.pool.ownerOfAddress(address) === undefined;
  }

  private async ensureLink({ sandboxId, netnsPath }: AttachRequest): Promise<SandboxLink> {
    const known = this.links.get(sandboxId);
    if (known !== undefined) {
      if (await repairSandboxLink(this.host, known, netnsPath, this.linkSettings)) return known;
      await this.host.run([deleteLink(known.hostInterface)]);
    }
    const address = this.pool.allocate(sandboxId);
    try {
      const wanted = { sandboxId, address };
      const link = await createSandboxLink(this.host, wanted, netnsPath, this.linkSettings);
      this.links.set(sandboxId, link);
      return link;
    } catch (error) {
      this.links.delete(sandboxId);
      this.pool.release(sandboxId);
      throw error;
    }
  }

  private get linkSettings(): LinkSettings {
    const { address, mtu } = this.underlay;
    return {
      prefix: this.deps.prefix,
      mtu: this.hasTunnel ? mtu - VXLAN_OVERHEAD_BYTES : mtu,
      source: address,
    };
  }

  /** Straight to a neighbour, through the tunnel to others, nowhere to a node that does not answer. */
  private async routesTo(peers: readonly PlannedPeer[]): Promise<Route[]> {
    const routes: Route[] = [];
    const distant: PlannedPeer[] = [];
    for (const peer of peers) {
      const { podCidr: destination, address: gateway } = peer;
      const way = peer.isUnreachable ? undefined : await routeTo(this.host, gateway);
      const isNeighbour = way?.type === 'unicast' && way.gateway === undefined;
      if (way?.interfaceIndex === undefined || way.type !== 'unicast') {
        routes.push({ destination, type: 'unreachable' });
        if (!peer.isUnreachable)
          this.deps.log.warn({ node: peer.nodeName }, 'no route to the node');
      } else if (isNeighbour) {
        const { interfaceIndex } = way;
        routes.push({ destination, type: 'unicast', gateway, interfaceIndex, isOnLink: true });
      } else distant.push(peer);
    }
    const tunnelled = await this.tunnel.sync(distant, this.underlay);
    this.hasTunnel = tunnelled.length > 0;
    return [...routes, ...tunnelled];
  }

  /** Removes what an earlier set of peers left, and puts back what others have taken away. */
  private async settleRoutes(wanted: readonly Route[]): Promise<void> {
    const routes = (await this.host.dump(listRoutes()))
      .map(decodeRoute)
      .flatMap((route) => (route?.protocol === ROUTE_PROTOCOL ? [route] : []));
    const links = [...this.links.values()];
    const kept = new Set(
      [this.deps.podCidr, ...wanted.map(({ destination }) => destination)].map(formatCidr),
    );
    for (const { address } of links) kept.add(`${formatIpv4(address)}/32`);
    await this.host.run(
      routes.filter(({ destination }) => !kept.has(formatCidr(destination))).map(deleteRoute),
    );

    const present = new Set(routes.map(({ destination }) => formatCidr(destination)));
    if (!present.has(formatCidr(this.deps.podCidr))) await this.host.run([setRoute(this.ownRange)]);
    for (const link of links) {
      if (present.has(`${formatIpv4(link.address)}/32`)) continue;
      await restoreHostRoute(this.host, link, this.linkSettings);
    }
  }

  private async syncMasquerade(peers: readonly PlannedPeer[]): Promise<void> {
    const { clusterCidr, podCidr, log } = this.deps;
    const own = formatCidr(podCidr);
    const cluster =
      clusterCidr === undefined ? peers.map((peer) => formatCidr(peer.podCidr)) : [clusterCidr];
    try {
      await this.masquerade.sync(own, [own, ...cluster]);
    } catch (error) {
      // Pods still reach each other; the next sync tries again.
      log.error({ err: describeError(error) }, 'cannot set up masquerading');
    }
  }

  /** Answers at once for pods that are gone, rather than send their packets round the world. */
  private get ownRange(): Route {
    return { destination: this.deps.podCidr, type: 'unreachable' };
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
