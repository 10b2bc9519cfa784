import { Alarm } from '../../lib/async/alarm';
import { onAbort } from '../../lib/async/on-abort';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { describeRefused } from '../../runtime/network';
import type { HostPort, NetworkPeer, PodNetwork, RefusedPeer } from '../../runtime/pod-network';
import { nodeObject, type EventSink } from '../outbox/event-outbox';
import type { AgentSettings } from '../settings';
import { formatPeerWays } from './peer-ways';

export interface NetworkRange {
  /** This node's ranges for pods. */
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
}

/** What the server has said of the network; `podCidrs` is empty until it has. */
export interface NetworkFacts extends NetworkRange {
  readonly peers: readonly NetworkPeer[];
}

interface NodeNetworkDeps {
  readonly open: (range: NetworkRange) => Promise<PodNetwork>;
  readonly facts: () => NetworkFacts;
  /** Undefined while it is not known which pods there are. */
  readonly hostPorts: () => readonly HostPort[] | undefined;
  /** `problem` or `peerWays` has another value, or the network another `mtu`. */
  readonly onChange: () => void;
  readonly nodeName: string;
  readonly events: EventSink;
  readonly settings: AgentSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The node's part of the pod network: opened once its range is known, made what the server says at
 * every change, and set right now and then, because firewalls are flushed and routes deleted.
 */
export class NodeNetwork {
  /** Why pods cannot be reached here; undefined: they can. */
  problem: string | undefined = 'the pod network is not set up yet';
  /** How other nodes' pods are reached, in words; undefined: not known yet. */
  peerWays: string | undefined;
  private network: PodNetwork | undefined;
  private mtu: number | undefined;
  private refused = '';
  private drops = '';
  /** Before the last look at routes. */
  private linkChanges: number | undefined;
  private isDirty = false;
  private readonly alarm: Alarm;
  private opened: (network: PodNetwork) => void = () => undefined;
  private readonly whenOpened = new Promise<PodNetwork>((resolve) => (this.opened = resolve));

  constructor(private readonly deps: NodeNetworkDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  get current(): PodNetwork | undefined {
    return this.network;
  }

  /** @throws when `signal` aborts before the network is open. */
  async whenOpen(signal: AbortSignal): Promise<PodNetwork> {
    signal.throwIfAborted();
    let stop = (): void => undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(signal.reason as Error);
      onAbort(signal, stop);
    });
    try {
      return await Promise.race([this.whenOpened, aborted]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** @throws what stands in the way: then it is tried again with all else. */
  async publishHostPorts(): Promise<void> {
    const ports = this.deps.hostPorts();
    if (ports !== undefined) await this.network?.syncHostPorts(ports);
  }

  /** The facts have changed. */
  changed(): void {
    this.isDirty = true;
    this.alarm.wake();
  }

  /** Keeps the network in order until `signal` aborts; what is attached stays attached. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.deps;
    while (!signal.aborted) {
      this.isDirty = false;
      const isFine = await this.settle();
      await this.rest(isFine ? settings.networkCheckMs : settings.retryMs, signal);
    }
    await this.network?.[Symbol.asyncDispose]();
  }

  private async settle(): Promise<boolean> {
    const { podCidrs, clusterCidrs, peers } = this.deps.facts();
    if (podCidrs.length === 0) return true;
    try {
      if (this.network === undefined) {
        this.network = await this.deps.open({ podCidrs, clusterCidrs });
        this.opened(this.network);
      }
      // First: what changes meanwhile is looked at again.
      this.linkChanges = await this.network.linkChanges();
      await this.network.syncPeers(peers);
      this.tellRefused(this.network.refusedPeers);
      const { mtu, peerWays } = this.network;
      this.tell(undefined, mtu, formatPeerWays(peerWays));
      await this.tellForeignDrops(this.network);
      return await this.keepHostPorts();
    } catch (error) {
      this.tell(`pod network: ${describeError(error)}`, this.mtu, this.peerWays);
      return false;
    }
  }

  private tellRefused(peers: readonly RefusedPeer[]): void {
    const all = peers.map(describeRefused).sort().join(', ');
    if (all === this.refused) return;
    this.refused = all;
    if (all === '') return;
    const named = peers.slice(0, MAX_NAMED_PEERS).map(describeRefused).join(', ');
    const more = peers.length - MAX_NAMED_PEERS;
    const rest = more > 0 ? ` and ${more} more` : '';
    const message = `No pod of these nodes is reached, since not both encrypt: ${named}${rest}`;
    const event = { type: 'Warning', reason: 'PeerNotEncrypted', message } as const;
    this.deps.events.emit(nodeObject(this.deps.nodeName), event);
  }

  /** The node is as well as before where it cannot be known. */
  private async tellForeignDrops(network: PodNetwork): Promise<void> {
    const drops = await network.foreignDrops().catch((error: unknown) => {
      this.deps.log.debug({ err: describeError(error) }, 'cannot watch the rules of others');
      return [];
    });
    const text = drops.join();
    const isNews = text !== this.drops;
    this.drops = text;
    if (!isNews) return;
    for (const message of drops) {
      const event = { type: 'Warning', reason: 'ForwardingBlocked', message } as const;
      this.deps.events.emit(nodeObject(this.deps.nodeName), event);
      this.deps.log.warn({ message }, 'forwarded packets of pods are dropped by rules of others');
    }
  }

  /** Where they cannot be had, pods that need them say so; the node is well without. */
  private async keepHostPorts(): Promise<boolean> {
    try {
      await this.publishHostPorts();
      return true;
    } catch (error) {
      this.deps.log.error({ err: describeError(error) }, 'cannot lead host ports to pods');
      return false;
    }
  }

  private tell(
    problem: string | undefined,
    mtu: number | undefined,
    peerWays: string | undefined,
  ): void {
    if (problem === this.problem && mtu === this.mtu && peerWays === this.peerWays) return;
    if (problem !== undefined && problem !== this.problem)
      this.deps.log.error({ problem }, 'pod network not in order');
    this.problem = problem;
    this.mtu = mtu;
    this.peerWays = peerWays;
    this.deps.onChange();
  }

  private async rest(ms: number, signal: AbortSignal): Promise<void> {
    const { linkCheckMs } = this.deps.settings;
    for (let leftMs = ms; leftMs > 0 && !this.isDirty && !signal.aborted; leftMs -= linkCheckMs) {
      await this.alarm.sleep(Math.min(leftMs, linkCheckMs), signal);
      if (await this.hasLinkChanged()) return;
    }
  }

  private async hasLinkChanged(): Promise<boolean> {
    try {
      return (await this.network?.linkChanges()) !== this.linkChanges;
    } catch {
      // Whatever stands in the way is told by the next look at all.
      return false;
    }
  }
}

/** In one event. */
const MAX_NAMED_PEERS = 10;
