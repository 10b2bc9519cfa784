import { status } from '@grpc/grpc-js';

import { ApiError } from '../../api/errors';
import { IMAGE_LAYERS_ANNOTATION, IMAGE_LAYERS_LENGTH_MAX } from '../../api/image-layers';
import { INGRESS_PORTS_ANNOTATION, normalIngressPorts } from '../../api/ingress-ports';
import { NETWORK_MTU_ANNOTATION } from '../../api/network-mtu';
import {
  normalWireguardEnd,
  parseWireguardEnd,
  WIREGUARD_ANNOTATION,
  wireguardEndOf,
} from '../../api/node-encryption';
import { normalPeerWays, PEER_WAYS_ANNOTATION } from '../../api/peer-ways';
import type { Node, NodeCondition } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { NodeStatus } from '../../proto/gen/dhow/agent/v1/agent';
import { parseObject } from './agent-json';
import { CLOCK_SKEWED, skewCondition, type ClockSkew } from './clock-skew';
import type { ObjectView } from './deps';
import type { LeaseRenewer } from './lease-renewer';
import { grpcError } from './node-identity';
import type { NodeRegistrar } from './node-registrar';

export interface NodeKeeperDeps {
  readonly nodes: ObjectView<Node>;
  readonly registrar: Pick<NodeRegistrar, 'writeStatus' | 'annotate'>;
  /** @throws a status of gRPC, which ends the session, when the address is another node's */
  readonly checkAddress: (
    node: Node,
    reported: Node['status'],
    signal: AbortSignal,
  ) => Promise<void>;
  readonly lease: Pick<LeaseRenewer, 'renew'>;
  /** Called after each round that a heartbeat asked for, whether the store took the lease or not. */
  readonly acknowledge: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps one node's lease and its Node object as its agent reports them. One round at a time, however
 * fast the agent talks; what the store does not take now is written with a later round.
 */
export class NodeKeeper {
  private node: Node;
  private reported: Node['status'];
  private imageLayers = '';
  private mtu = 0;
  private wireguard = '';
  private ingressPorts = '';
  private peerWays = '';
  /** What this session has found of the agent's clock, and the skew that it tells of. */
  private clockCondition: NodeCondition | undefined;
  private toldSkewMs: number | undefined;
  /** A session begins with a sign of life. */
  private hasBeat = true;
  private isNews = false;
  /** The store did not take the last status: the next heartbeat brings it along. */
  private wasRefused = false;
  private isShown = false;
  private roundCount = 0;
  private readonly alarm: Alarm;

  /** `registered`: as it was stored at the start of the session. */
  constructor(
    private readonly deps: NodeKeeperDeps,
    registered: Node,
    reported: Node['status'],
  ) {
    this.alarm = new Alarm(deps.clock);
    this.node = registered;
    this.reported = reported;
  }

  /** A sign of life: renews the lease. With it may come how far the agent's clock is off. */
  beat(skew?: ClockSkew): void {
    this.hasBeat = true;
    if (skew !== undefined) this.noteSkew(skew);
    this.alarm.wake();
  }

  /** @throws INVALID_ARGUMENT */
  report({ status: bytes, imageLayers, mtu, ingressPorts, wireguard, peerWays }: NodeStatus): void {
    const reported =
      bytes.length <= MAX_STATUS_BYTES ? parseObject<Node['status']>(bytes) : undefined;
    if (reported === undefined)
      throw grpcError(status.INVALID_ARGUMENT, 'node status is not a JSON object of sane size');
    this.reported = reported;
    this.imageLayers = imageLayers;
    this.mtu = mtu;
    this.wireguard = wireguard;
    this.ingressPorts = ingressPorts;
    this.peerWays = peerWays;
    this.isNews = true;
    this.alarm.wake();
  }

  /** True while the stored node is as ready as its agent says. */
  get isAsReported(): boolean {
    return readyOf(this.current().status) === readyOf(this.reported);
  }

  /** Works until `signal` aborts. @throws UNAVAILABLE when the node has been deleted. */
  async run(signal: AbortSignal): Promise<void> {
    const { name } = this.node.metadata;
    const onChange = ({ metadata }: Node) => {
      if (metadata.name === name) this.alarm.wake();
    };
    const subscriber = { onAdd: onChange, onUpdate: onChange, onDelete: onChange };
    const unsubscribe = this.deps.nodes.subscribe(subscriber);
    try {
      while (!signal.aborted) {
        const { wakes } = this.alarm;
        await this.round(signal);
        // What comes within a round's pause is done by the next.
        await this.deps.clock.sleep(PAUSE_MS, signal);
        if (!this.hasBeat && !this.isNews) await this.alarm.sleep(MAX_IDLE_MS, signal, wakes);
      }
    } finally {
      unsubscribe();
    }
  }

  private async round(signal: AbortSignal): Promise<void> {
    const hadBeat = this.hasBeat;
    this.hasBeat = false;
    if (hadBeat) await this.renewLease(signal);
    this.checkDeleted(hadBeat);
    const isDue = hadBeat && (this.wasRefused || !this.isAsReported);
    if (this.isNews || isDue) await this.writeStatus(signal);
    if (hadBeat) await this.deps.acknowledge();
  }

  private async renewLease(signal: AbortSignal): Promise<void> {
    try {
      await this.deps.lease.renew(signal);
    } catch (error) {
      if (!signal.aborted) this.deps.log.warn({ err: describeError(error) }, 'lease not renewed');
    }
  }

  private noteSkew(skew: ClockSkew): void {
    const known = this.clockCondition ?? conditionOf(this.current().status, CLOCK_SKEWED);
    const condition = skewCondition(known, skew, this.toldSkewMs);
    if (condition === undefined) return;
    if (condition.status === 'True') this.deps.log.warn({ ...skew }, "the node's clock is off");
    this.clockCondition = condition;
    this.toldSkewMs = skew.skewMs;
    this.isNews = true;
  }

  /** As the agent says, but for its clock: of that we judge. */
  private get judged(): Node['status'] {
    const { reported, clockCondition } = this;
    if (clockCondition === undefined) return reported;
    const others = (reported.conditions ?? []).filter(({ type }) => type !== CLOCK_SKEWED);
    return { ...reported, conditions: [...others, clockCondition] };
  }

  /** The view may lag behind the registration, but not by a heartbeat. */
  private checkDeleted(hadBeat: boolean): void {
    const { name } = this.node.metadata;
    const stored = this.deps.nodes.get(name);
    if (stored === undefined && (this.isShown || (hadBeat && this.roundCount > 0)))
      throw grpcError(status.UNAVAILABLE, `node "${name}" was deleted: register again`);
    this.isShown = stored !== undefined;
    this.roundCount++;
  }

  private async writeStatus(signal: AbortSignal): Promise<void> {
    const { registrar, checkAddress, log } = this.deps;
    this.isNews = this.wasRefused = false;
    try {
      await checkAddress(this.current(), this.reported, signal);
      this.node = await registrar.writeStatus(this.current(), this.judged, signal);
      await this.writeAnnotations(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isGrpcStatus(error)) throw error;
      log.warn({ err: describeError(error) }, 'node status not stored');
      this.wasRefused = true;
    }
  }

  private async writeAnnotations(signal: AbortSignal): Promise<void> {
    const { name, annotations: known } = this.current().metadata;
    const reported = {
      ...(this.imageLayers === ''
        ? {}
        : { [IMAGE_LAYERS_ANNOTATION]: this.imageLayers.slice(0, IMAGE_LAYERS_LENGTH_MAX) }),
      ...(this.mtu === 0 ? {} : { [NETWORK_MTU_ANNOTATION]: String(this.mtu) }),
      ...(this.ingressPorts === ''
        ? {}
        : { [INGRESS_PORTS_ANNOTATION]: normalIngressPorts(this.ingressPorts) }),
      ...(this.wireguard === '' ? {} : { [WIREGUARD_ANNOTATION]: this.wireguardOf(name, known) }),
      ...(this.peerWays === '' ? {} : { [PEER_WAYS_ANNOTATION]: normalPeerWays(this.peerWays) }),
    };
    if (Object.entries(reported).every(([key, value]) => known?.[key] === value)) return;
    this.node = await this.deps.registrar.annotate(name, reported, signal);
  }

  /** A key that another node has stays that one's: its peers would take one for the other. */
  private wireguardOf(name: string, known: Node['metadata']['annotations']): string {
    const text = normalWireguardEnd(this.wireguard);
    const end = parseWireguardEnd(text);
    if (end === undefined || known?.[WIREGUARD_ANNOTATION] === text) return text;
    const owner = [...this.deps.nodes.list()].find(
      (node) => node.metadata.name !== name && wireguardEndOf(node)?.publicKey === end.publicKey,
    );
    if (owner === undefined) return text;
    const { name: ownerName } = owner.metadata;
    this.deps.log.warn({ owner: ownerName }, "the node's key of WireGuard is another node's");
    return normalWireguardEnd('');
  }

  private current(): Node {
    return this.deps.nodes.get(this.node.metadata.name) ?? this.node;
  }
}

/** An answer to the agent, and no trouble of the store. */
const isGrpcStatus = (error: unknown): boolean =>
  error instanceof Error && !(error instanceof ApiError) && 'details' in error;

const readyOf = (status: Node['status']): string | undefined =>
  conditionOf(status, 'Ready')?.status;

const conditionOf = ({ conditions }: Node['status'], wanted: string): NodeCondition | undefined =>
  conditions?.find(({ type }) => type === wanted);

/** Between rounds, however many messages come. */
const PAUSE_MS = 50;
const MAX_IDLE_MS = 60_000;
const MAX_STATUS_BYTES = 1024 * 1024;
