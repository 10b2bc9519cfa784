import { type Log } from '../../lib/log';
import { findLink, routeTo, type Underlay } from './host';
import { formatCidr, formatIpv4, type Ipv4Cidr } from './ipv4';
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
import { tunnelNameOf, VxlanTunnel } from './vxlan';

interface NodeRoutesDeps {
  readonly host: NetlinkSocket;
  readonly prefix: string;
  readonly podCidr: Ipv4Cidr;
  readonly log: Log;
}

/** This node's routes: to its own range, to the ranges of its peers, to its sandboxes. */
export class NodeRoutes {
  /** Some peers are reached through the tunnel, which takes room in every packet. */
  hasTunnel = false;
  private readonly tunnel: VxlanTunnel;
  private cutOff = '';

  constructor(private readonly deps: NodeRoutesDeps) {
    this.tunnel = new VxlanTunnel(deps.host, deps.prefix, deps.podCidr);
  }

  async start(): Promise<void> {
    const { host, prefix } = this.deps;
    this.hasTunnel = (await findLink(host, tunnelNameOf(prefix))) !== undefined;
    await host.run([setRoute(this.ownRange)]);
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
    const present = await this.removeOthers([
      formatCidr(this.deps.podCidr),
      ...routes.map(({ destination }) => formatCidr(destination)),
      ...links.map(hostCidr),
    ]);
    if (!present.has(formatCidr(this.deps.podCidr)))
      await this.deps.host.run([setRoute(this.ownRange)]);
    for (const link of links)
      if (!present.has(hostCidr(link))) await restoreHostRoute(this.deps.host, link, settings());
  }

  /** Straight to a neighbour, through the tunnel to others, nowhere to a node that does not answer. */
  private async routesTo(peers: readonly PlannedPeer[], underlay: Underlay): Promise<Route[]> {
    const routes: Route[] = [];
    const distant: PlannedPeer[] = [];
    const cutOff: string[] = [];
    for (const peer of peers) {
      const { podCidr: destination, address: gateway } = peer;
      const way = peer.isUnreachable ? undefined : await routeTo(this.deps.host, gateway);
      if (way?.interfaceIndex === undefined || way.type !== 'unicast') {
        routes.push({ destination, type: 'unreachable' });
        if (!peer.isUnreachable) cutOff.push(peer.nodeName);
      } else if (way.gateway === undefined) {
        const { interfaceIndex } = way;
        const mtu = narrowMtu(peer, underlay);
        routes.push({
          destination,
          type: 'unicast',
          gateway,
          interfaceIndex,
          isOnLink: true,
          ...mtu,
        });
      } else distant.push(peer);
    }
    this.tellCutOff(cutOff);
    const tunnelled = await this.tunnel.sync(distant, underlay);
    this.hasTunnel = tunnelled.length > 0;
    return [...routes, ...tunnelled];
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
    const stale = routes.filter(({ destination }) => !wanted.has(formatCidr(destination)));
    await this.deps.host.run(stale.map(deleteRoute));
    return new Set(routes.map(({ destination }) => formatCidr(destination)));
  }

  /** Answers at once for pods that are gone, rather than send their packets round the world. */
  private get ownRange(): Route {
    return { destination: this.deps.podCidr, type: 'unreachable' };
  }
}

const hostCidr = ({ address }: SandboxLink): string => `${formatIpv4(address)}/32`;
