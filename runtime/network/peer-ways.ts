import { describeError } from '../../lib/log';
import { formatIp, formatPrefix, rangeOf, type IpFamily } from '../../lib/net/ip';
import { type NetworkPeer, type PeerWay, type RefusedPeer } from '../pod-network';
import { Firewall } from './firewall';
import { ForeignDrops } from './foreign-drops';
import { type Underlay } from './host';
import { type NetlinkSocket } from './netlink/socket';
import { NodeRoutes } from './node-routes';
import { type NetworkDeps } from './options';
import { planPeers, type PlannedPeer } from './peers';
import { type RuleSet } from './rule-set';
import { type LinkSettings, type SandboxLink } from './sandbox-link';
import { wireguardNameOf } from './wireguard/device';

interface PeerWaysDeps extends Pick<
  NetworkDeps,
  'podCidrs' | 'families' | 'clusterCidrs' | 'prefix' | 'encryption' | 'log'
> {
  readonly host: NetlinkSocket;
  readonly rules: RuleSet;
  /** False where somebody else routes this node's ranges. */
  readonly ownsRanges: boolean;
}

/** The ways from this node's pods to those of its peers, and out to the world behind the node's address. */
export class PeerWays {
  private readonly routes: NodeRoutes;
  private readonly firewall: Firewall;
  private readonly foreign: ForeignDrops;
  private problems = '';
  /** Of the last `sync`, but those to nodes that do not answer. */
  chosen: readonly PeerWay[] = [];

  constructor(private readonly deps: PeerWaysDeps) {
    this.routes = new NodeRoutes(deps);
    this.firewall = new Firewall(deps);
    this.foreign = new ForeignDrops(deps);
  }

  /** What the way to some peers takes of every packet. @param outer what nodes speak to each other */
  overheadBytes(outer: IpFamily): number {
    return this.routes.overheadBytes(outer);
  }

  /** Peers with no way to them, since not both nodes encrypt. */
  get refused(): readonly RefusedPeer[] {
    return this.routes.refused;
  }

  async start(underlay: Underlay): Promise<void> {
    await this.routes.start();
    await this.syncFirewall([], underlay);
  }

  /** Makes the ways be exactly those to these peers, and puts back what others have taken away. */
  async sync(
    peers: readonly NetworkPeer[],
    underlay: Underlay,
    links: readonly SandboxLink[],
    settings: () => LinkSettings,
  ): Promise<void> {
    const { podCidrs } = this.deps;
    const plan = planPeers(peers, { podCidrs, addresses: underlay.addresses });
    this.tellProblems(plan.leftOut.map(({ nodeName, why }) => `node ${nodeName}: ${why}`));
    // Before there are ways that it keeps watch over.
    await this.syncFirewall(plan.peers, underlay);
    await this.routes.sync(plan.peers, underlay, links, settings);
    const silent = new Set(peers.filter((peer) => peer.isUnreachable).map((peer) => peer.nodeName));
    const leftOut = plan.leftOut
      .filter(({ nodeName }) => !silent.has(nodeName))
      .map((peer) => ({ ...peer, way: 'none' as const }));
    this.chosen = [...this.routes.ways, ...leftOut];
  }

  /** Who else drops what this node passes on for pods: see `ForeignDrops`. */
  async foreignDrops(): Promise<readonly string[]> {
    const cluster = (this.deps.clusterCidrs ?? []).flatMap((text) => rangeOf(text) ?? []);
    return this.foreign.look(cluster.length > 0 ? cluster : this.deps.podCidrs);
  }

  /** Each set of problems once: this runs again and again. */
  private tellProblems(problems: readonly string[]): void {
    const text = problems.join('; ');
    if (text !== this.problems)
      for (const problem of problems)
        this.deps.log.warn({ problem }, 'peer left out of the pod network');
    this.problems = text;
  }

  private async syncFirewall(peers: readonly PlannedPeer[], underlay: Underlay): Promise<void> {
    const { clusterCidrs, podCidrs, prefix, encryption, log } = this.deps;
    const own = podCidrs.map(formatPrefix);
    const cluster = clusterCidrs ?? peers.flatMap((peer) => peer.podCidrs.map(formatPrefix));
    const nodes = [underlay, ...peers].flatMap(({ addresses }) => addresses.map(formatIp));
    try {
      await this.firewall.sync({
        podCidrs: own,
        clusterCidrs: [...own, ...cluster],
        nodeAddresses: nodes,
        ...(encryption === undefined ? {} : { sealedBy: wireguardNameOf(prefix) }),
      });
    } catch (error) {
      // Nothing else keeps packets from leaving in the clear once somebody has deleted a route.
      if (encryption !== undefined) throw error;
      // Pods still reach each other; the next sync tries again.
      log.error({ err: describeError(error) }, 'cannot set up the firewall');
    }
  }
}
