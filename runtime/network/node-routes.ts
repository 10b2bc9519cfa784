import { type Log } from '../../lib/log';
import { formatPrefix, hostPrefix, type IpPrefix } from '../../lib/net/ip';
import { addressIn, findLink, routeTo, type Underlay } from './host';
import {
  decodeRoute,
  deleteRoute,
  listRoutes,
  ROUTE_PROTOCOL,
  setRoute,
  type Route,
} from './netlink/requests';
import { type NetlinkSocket } from './netlink/socket';
import { narrowMtu, type PlannedPeer } from './peers';
import { restoreHostRoute, type LinkSettings, type SandboxLink } from './sandbox-link';
import { tunnelNameOf, VxlanTunnel, type Distant } from './vxlan';

interface NodeRoutesDeps {
  readonly host: NetlinkSocket;
  readonly prefix: string;
  readonly podCidrs: readonly IpPrefix[];
  /** Whether packets to addresses of this node's ranges that nobody has are refused here. */
  readonly ownsRanges: boolean;
  readonly log: Log;
}

/** This node's routes: to its own ranges, to the ranges of its peers, to its sandboxes. */
export class NodeRoutes {
  /** Some peers are reached through the tunnel, which takes room in every packet. */
  hasTunnel = false;
  private readonly tunnel: VxlanTunnel;
  private cutOff = '';

  constructor(private readonly deps: NodeRoutesDeps) {
    this.tunnel = new VxlanTunnel(deps.host, deps.prefix, deps.podCidrs);
  }

  async start(): Promise<void> {
    const { host, prefix } = this.deps;
    this.hasTunnel = (await findLink(host, tunnelNameOf(prefix))) !== undefined;
    await host.run(this.ownRanges.map((route) => setRoute(route)));
  }

  /** Makes the routes to peers be exactly these, and puts back what others have taken away. */
  async sync(
    peers: readonly PlannedPeer[],
    underlay: Underlay,
    links: readonly SandboxLink[],
    settings: () => LinkSettings,
  ): Promise<void> {
    const routes = await this.routesTo(peers, underlay);
    await this.deps.host.run(routes.map((route) => setRoute(route)));
    const own = this.ownRanges;
    const present = await this.removeOthers([
      ...[...own, ...routes].map(({ destination }) => formatPrefix(destination)),
      ...links.flatMap(hostCidrs),
    ]);
    const missing = own.filter(({ destination }) => !present.has(formatPrefix(destination)));
    await this.deps.host.run(missing.map((route) => setRoute(route)));
    for (const link of links)
      if (!hostCidrs(link).every((cidr) => present.has(cidr)))
        await restoreHostRoute(this.deps.host, link, settings());
  }

  /** Straight to a neighbour, through the tunnel to others, nowhere to a node that does not answer. */
  private async routesTo(peers: readonly PlannedPeer[], underlay: Underlay): Promise<Route[]> {
    const routes: Route[] = [];
    const distant: Distant[] = [];
    const cutOff: string[] = [];
    for (const peer of peers) {
      const tunnelled: IpPrefix[] = [];
      let isCutOff = false;
      for (const range of peer.podCidrs) {
        const way = peer.isUnreachable ? 'none' : await this.wayTo(peer, range, underlay);
        if (way === 'none') {
          routes.push({ destination: range, type: 'unreachable' });
          isCutOff = !peer.isUnreachable;
        } else if (way === 'tunnel') tunnelled.push(range);
        else routes.push(way);
      }
      if (isCutOff) cutOff.push(peer.nodeName);
      if (tunnelled.length > 0) distant.push({ peer, ranges: tunnelled });
    }
    this.tellCutOff(cutOff);
    const tunnelled = await this.tunnel.sync(distant, underlay);
    this.hasTunnel = tunnelled.length > 0;
    return [...routes, ...tunnelled];
  }

  /**
   * A range whose family the nodes have no addresses of goes through the tunnel, too, which needs one family
   * only.
   */
  private async wayTo(
    peer: PlannedPeer,
    destination: IpPrefix,
    underlay: Underlay,
  ): Promise<Route | 'tunnel' | 'none'> {
    const { family } = destination.address;
    const gateway = addressIn(peer.addresses, family);
    const way = gateway === undefined ? undefined : await routeTo(this.deps.host, gateway);
    const isReached = way?.type === 'unicast' && way.interfaceIndex !== undefined;
    if (isReached && way.gateway === undefined && gateway !== undefined)
      return {
        ...{ destination, type: 'unicast', gateway, isOnLink: true },
        interfaceIndex: way.interfaceIndex,
        ...narrowMtu(peer, underlay),
      };
    const outer = addressIn(peer.addresses, underlay.addresses[0]?.family ?? family);
    if (outer === undefined) return 'none';
    const around = outer === gateway ? way : await routeTo(this.deps.host, outer);
    return around?.type === 'unicast' && around.interfaceIndex !== undefined ? 'tunnel' : 'none';
  }

  private tellCutOff(nodes: readonly string[]): void {
    const names = nodes.join(', ');
    if (names !== this.cutOff && names !== '')
      this.deps.log.warn({ nodes: names }, 'no route to nodes');
    this.cutOff = names;
  }

  /** Deletes our routes but `kept`; returns the destinations that had one. */
  private async removeOthers(kept: readonly string[]): Promise<ReadonlySet<string>> {
    const wanted = new Set(kept);
    const routes = (await this.deps.host.dump(listRoutes()))
      .map(decodeRoute)
      .flatMap((route) => (route?.protocol === ROUTE_PROTOCOL ? [route] : []));
    const stale = routes.filter(({ destination }) => !wanted.has(formatPrefix(destination)));
    await this.deps.host.run(stale.map((route) => deleteRoute(route)));
    return new Set(routes.map(({ destination }) => formatPrefix(destination)));
  }

  /** Answers at once for pods that are gone, rather than send their packets round the world. */
  private get ownRanges(): readonly Route[] {
    const { ownsRanges, podCidrs } = this.deps;
    return ownsRanges ? podCidrs.map((destination) => ({ destination, type: 'unreachable' })) : [];
  }
}

const hostCidrs = ({ addresses }: SandboxLink): readonly string[] =>
  addresses.map((address) => formatPrefix(hostPrefix(address)));
