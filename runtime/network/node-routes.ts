import { type Log } from '../../lib/log';
import { formatPrefix, hostPrefix, type IpFamily, type IpPrefix } from '../../lib/net/ip';
import { type PeerWay, type RefusedPeer } from '../pod-network';
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
import { type EncryptionOptions } from './options';
import { narrowMtu, type PlannedPeer } from './peers';
import { restoreHostRoute, type LinkSettings, type SandboxLink } from './sandbox-link';
import { tunnelNameOf, vxlanOverheadBytes, VxlanTunnel, type Distant } from './vxlan';
import { WireguardLink } from './wireguard/device';
import {
  describeRefused,
  planEncryption,
  wireguardOverheadBytes,
  type EncryptionPlan,
  type SealedPeer,
} from './wireguard/plan';

interface NodeRoutesDeps {
  readonly host: NetlinkSocket;
  readonly prefix: string;
  readonly podCidrs: readonly IpPrefix[];
  /** Whether packets to addresses of this node's ranges that nobody has are refused here. */
  readonly ownsRanges: boolean;
  readonly encryption: EncryptionOptions | undefined;
  readonly log: Log;
}

/** This node's routes: to its own ranges, to the ranges of its peers, to its sandboxes. */
export class NodeRoutes {
  /** Peers with no way to them, since not both nodes encrypt. */
  refused: readonly RefusedPeer[] = [];
  /** Of the last `sync`, but those to nodes that are off. */
  ways: readonly PeerWay[] = [];
  private hasTunnel = false;
  private readonly tunnel: VxlanTunnel;
  private readonly wireguard: WireguardLink;
  private cutOff = '';
  private refusedText = '';

  constructor(private readonly deps: NodeRoutesDeps) {
    this.tunnel = new VxlanTunnel(deps.host, deps.prefix, deps.podCidrs);
    this.wireguard = new WireguardLink(deps.host, deps.prefix, deps.podCidrs);
  }

  /** What the way to some peers takes of every packet. @param outer what nodes speak to each other */
  overheadBytes(outer: IpFamily): number {
    if (this.deps.encryption !== undefined) return wireguardOverheadBytes(outer);
    return this.hasTunnel ? vxlanOverheadBytes(outer) : 0;
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

  private async routesTo(peers: readonly PlannedPeer[], underlay: Underlay): Promise<Route[]> {
    const { encryption } = this.deps;
    const outer = underlay.addresses[0]?.family ?? 4;
    const plan = planEncryption(peers, encryption && { ...encryption, outer });
    this.tellRefused(plan);
    const ways: PeerWay[] = this.refused.map((peer) => ({ ...peer, way: 'none' }));
    const sealed = await this.encrypted(plan.sealed, underlay, ways);
    const open = await this.unencrypted(plan.open, underlay, ways);
    const silent = new Set(peers.filter((peer) => peer.isUnreachable).map(nameOf));
    this.ways = ways.filter(({ nodeName }) => !silent.has(nodeName));
    this.tellCutOff(this.ways.filter(({ why }) => why === NO_ROUTE).map(nameOf));
    return [...plan.refused.flatMap(nowhere), ...sealed, ...open];
  }

  private async encrypted(
    peers: readonly SealedPeer[],
    underlay: Underlay,
    ways: PeerWay[],
  ): Promise<Route[]> {
    const { encryption, host } = this.deps;
    if (encryption === undefined) {
      await this.wireguard.remove();
      return [];
    }
    // Those that are off keep their sessions until they are back.
    const routes = await this.wireguard.sync(peers, underlay, encryption);
    const lost: SealedPeer[] = [];
    for (const peer of peers) {
      const way = await routeTo(host, peer.end.endpoint);
      const isReached = way?.type === 'unicast';
      if (peer.isUnreachable || !isReached) lost.push(peer);
      ways.push(wayOf(peer, isReached ? ['wireguard'] : ['none']));
    }
    const isLost = new Set(lost.flatMap(rangesOf));
    const kept = routes.filter(({ destination }) => !isLost.has(formatPrefix(destination)));
    return [...kept, ...lost.flatMap(nowhere)];
  }

  /** Straight to a neighbour, through the tunnel to others, nowhere to a node that is off. */
  private async unencrypted(
    peers: readonly PlannedPeer[],
    underlay: Underlay,
    ways: PeerWay[],
  ): Promise<Route[]> {
    const routes: Route[] = [];
    const distant: Distant[] = [];
    for (const peer of peers) {
      const tunnelled: IpPrefix[] = [];
      const kinds: ('direct' | 'vxlan' | 'none')[] = [];
      for (const range of peer.podCidrs) {
        const way = peer.isUnreachable ? 'none' : await this.wayTo(peer, range, underlay);
        if (way === 'none') routes.push({ destination: range, type: 'unreachable' });
        else if (way === 'tunnel') tunnelled.push(range);
        else routes.push(way);
        kinds.push(way === 'none' ? 'none' : way === 'tunnel' ? 'vxlan' : 'direct');
      }
      ways.push(wayOf(peer, kinds));
      if (tunnelled.length > 0) distant.push({ peer, ranges: tunnelled });
    }
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

  private tellRefused({ refused }: EncryptionPlan): void {
    this.refused = refused.map(({ nodeName, why }) => ({ nodeName, why }));
    const text = refused.map(describeRefused).join(', ');
    if (text !== this.refusedText && text !== '')
      this.deps.log.warn({ nodes: text }, 'not encrypted, so not reached');
    this.refusedText = text;
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

const rangesOf = ({ podCidrs }: PlannedPeer): readonly string[] => podCidrs.map(formatPrefix);

const nowhere = ({ podCidrs }: PlannedPeer): readonly Route[] =>
  podCidrs.map((destination) => ({ destination, type: 'unreachable' }));

/** Of its ranges, each of a family, one may have a way that another has not. */
const wayOf = (
  { nodeName }: PlannedPeer,
  kinds: readonly ('direct' | 'vxlan' | 'wireguard' | 'none')[],
): PeerWay => {
  if (kinds.includes('none')) return { nodeName, way: 'none', why: NO_ROUTE };
  const [first = 'none', second = first] = kinds;
  return { nodeName, way: first === second ? first : 'direct and vxlan' };
};

const nameOf = ({ nodeName }: { readonly nodeName: string }): string => nodeName;

const NO_ROUTE = 'no route to it';

const hostCidrs = ({ addresses }: SandboxLink): readonly string[] =>
  addresses.map((address) => formatPrefix(hostPrefix(address)));
