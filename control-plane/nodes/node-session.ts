import { status } from '@grpc/grpc-js';

import { onAbort } from '../../lib/async/on-abort';
import { ROW } from '../../api/assignment-rows';
import type { ApiObject, Node } from '../../api/types';
import { linkedController } from '../../lib/async/linked-controller';
import { TaskGroup } from '../../lib/async/task-group';
import { bundleHashOf } from '../../lib/certificate-bundle';
import { stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { podSpan, type Span } from '../../lib/tracing/tracing';
import type {
  Changes,
  OpenStream,
  PodStatusUpdate,
  ServerEndpoint,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import { ClockProbe } from './clock-skew';
import { changesOf, partsOf, snapshotOf } from './assignment-parts';
import { Assignments } from './assignments';
import type { NodesOptions, NodesServerDeps } from './deps';
import type { EventWriter } from '../../client/event-writer';
import { EventIntake } from './event-intake';
import { LeaseRenewer } from './lease-renewer';
import { MessageWriter, nextMessage, type MessageSink } from '../../lib/async/message-stream';
import { grpcError } from './node-identity';
import { MirrorKeeper } from './mirror-keeper';
import { NodeKeeper, type NodeKeeperDeps } from './node-keeper';
import type { NetworkRows } from './network-rows';
import type { NodeRegistrar } from './node-registrar';
import { CsiNodeKeeper } from './csi-node-keeper';
import type { CsiView } from './csi-view';
import type { NodeVolumes } from './node-volumes';
import { noteGrown } from './volume-growth';
import { podCidrsOf, type PeerView } from './peer-view';
import type { PodIndex } from './pod-index';
import type { PolicyRows } from './policies/policy-rows';
import { PodTokens } from './pod-tokens';
import { SilenceMeter } from './silence-meter';
import type { StatusIntake } from './status-intake';
import { StatusKeeper } from './status-keeper';

/** An agent's session as it comes in, over gRPC or whatever else carries it. */
export interface SessionStream {
  readonly call: MessageSink<SessionResponse>;
  readonly messages: AsyncIterator<SessionRequest, undefined>;
  /** The address from which the agent calls. */
  readonly peer: string;
}

export interface SessionDeps extends NodesServerDeps {
  readonly settings: NodesOptions;
  readonly podIndex: PodIndex;
  readonly nodeVolumes: NodeVolumes;
  readonly csi: CsiView;
  readonly peers: PeerView;
  readonly networkRows: NetworkRows;
  readonly policyRows: PolicyRows;
  readonly registrar: NodeRegistrar;
  readonly statuses: StatusIntake;
  readonly events: EventWriter;
}

/** What a pod's agent can do without its token, it begins when issuing one takes longer. */
const TOKENS_WAIT_MS = 50;
/** A session holds a part twice while it is being sent, and all may begin at once. */
const MAX_PART_BYTES = 1024 * 1024;
/** How long what all nodes are told is collected when it changes again and again. */
const NETWORK_BATCH_MS = 100;
/** Intervals without any message after which the agent counts as gone. */
const MISSED_HEARTBEATS_MAX = 4;

/** One agent's live connection, from after its registration until it ends. */
export class NodeSession {
  private readonly controller = new AbortController();
  private readonly assignments: Assignments;
  private readonly tokens: PodTokens;
  private readonly writer: MessageWriter<SessionResponse>;
  private readonly statuses: StatusKeeper;
  private readonly keeper: NodeKeeper;
  private readonly mirrors: MirrorKeeper;
  private readonly drivers: CsiNodeKeeper;
  private readonly events: EventIntake;
  private readonly log: Log;
  private readonly silence: SilenceMeter;
  private readonly clockProbe: ClockProbe;
  private wake: (() => void) | undefined;
  readonly signal = this.controller.signal;

  constructor(
    private readonly deps: SessionDeps,
    private readonly stream: SessionStream,
    private readonly node: Node,
    reported: Node['status'],
    private readonly number: bigint,
  ) {
    this.writer = new MessageWriter(stream.call, deps.clock, this.signal);
    this.log = deps.log.child({ node: this.name });
    this.tokens = new PodTokens({
      ...deps,
      nodeName: this.name,
      csiOrdersOf: (pod) => deps.csi.ordersOf(pod),
      onChange: () => {
        this.assignments.mark(ROW.tokens);
        this.wake?.();
      },
    });
    this.assignments = new Assignments({
      ...deps,
      tokens: this.tokens,
      nodeName: this.name,
      node: () => deps.nodes.get(this.name) ?? this.node,
      onUnsendable: (object, error) => this.noteUnsendable(object, error),
    });
    this.events = new EventIntake(deps.events, deps.clock);
    this.silence = new SilenceMeter(deps.clock, deps.settings.heartbeatIntervalMs);
    const leaseSeconds = Math.ceil((deps.settings.heartbeatIntervalMs * 4) / 1000);
    const lease = new LeaseRenewer(deps, this.name, leaseSeconds);
    const { nodes, registrar, clock } = deps;
    this.clockProbe = new ClockProbe(deps.clock);
    const acknowledge = () => this.acknowledge();
    const checkAddress: NodeKeeperDeps['checkAddress'] = (current, claimed, signal) =>
      registrar.checkAddress(current, claimed, stream.peer, signal);
    const keeperDeps = {
      nodes,
      registrar,
      checkAddress,
      lease,
      acknowledge,
      clock,
      log: this.log,
    };
    this.keeper = new NodeKeeper(keeperDeps, node, reported);
    this.mirrors = new MirrorKeeper({
      client: deps.client,
      podsOnNode: () => deps.podIndex.podsOn(this.name),
      node: () => deps.nodes.get(this.name) ?? this.node,
      clock,
      log: this.log,
    });
    this.drivers = new CsiNodeKeeper({
      client: deps.client,
      nodeName: this.name,
      ...{ clock, log: this.log },
    });
    this.statuses = new StatusKeeper({
      ...deps,
      nodeName: this.name,
      intake: deps.statuses,
      acknowledge: (pod) =>
        this.writer.write({ message: { $case: 'statusAck', value: { pods: [pod] } } }),
    });
  }

  get name(): string {
    return this.node.metadata.name;
  }

  private acknowledge(): Promise<void> {
    const authorities = bundleHashOf(this.deps.pki.caCertificate);
    const value = { probe: this.clockProbe.next(), authorities };
    return this.writer.write({ message: { $case: 'heartbeatAck', value } });
  }

  /** Ends the session; `run` then returns or throws `reason`. */
  close(reason?: Error): void {
    this.controller.abort(reason);
  }

  /** Serves until the agent leaves, `close` is called, or anything in it fails. */
  async run(): Promise<void> {
    const { clock, settings, podIndex, nodeVolumes, csi, peers } = this.deps;
    const { networkRows, policyRows } = this.deps;
    await this.writer.write(this.hello());
    const undo = [
      podIndex.onChange(this.name, (change) => {
        this.assignments.mark(change);
        this.wake?.();
        // What drivers want tokens for hangs on the claims.
        if (change === ROW.claims) this.tokens.podsChanged();
        if (change === ROW.pods) {
          this.tokens.podsChanged();
          this.mirrors.changed();
          this.compareStatuses();
        }
      }),
      nodeVolumes.onChange(this.name, () => {
        this.assignments.mark(ROW.volumes);
        this.tokens.podsChanged();
        this.wake?.();
      }),
      csi.onChange(this.name, (change) => {
        this.assignments.mark(change);
        if (change === ROW.csiDrivers) this.tokens.podsChanged();
        this.wake?.();
      }),
      peers.onPeerChange((nodeName) => {
        this.assignments.markPeer(nodeName);
        this.wake?.();
      }),
      networkRows.onChange((resource, key) => {
        this.assignments.markNetwork(resource, key);
        this.wake?.();
      }),
      policyRows.onChange(this.name, (resource, key) => {
        this.assignments.markPolicy(resource, key);
        this.wake?.();
      }),
      this.deps.servers?.onChange(() => this.tellServers()) ?? (() => undefined),
      peers.onNodeChange(this.name, () => {
        this.assignments.mark(ROW.nodes);
        this.wake?.();
        this.compareStatuses();
      }),
    ];
    try {
      await using tasks = new TaskGroup(this.signal);
      // One task's failure is the end of all: none may wait for a signal that does not come.
      onAbort(tasks.signal, () => this.close(asReason(tasks.signal.reason)));
      tasks.run((signal) => this.sendAssignments(signal));
      tasks.run((signal) => this.tokens.run(signal));
      tasks.run((signal) => this.watchSilence(signal, settings.heartbeatIntervalMs));
      tasks.run((signal) => this.statuses.run(signal));
      tasks.run((signal) => this.keeper.run(signal));
      tasks.run((signal) => this.mirrors.run(signal));
      tasks.run((signal) => this.drivers.run(signal));
      tasks.run((signal) => this.receive(signal));
      await tasks.wait();
      this.log.info({ session: String(this.number), at: clock.now() }, 'agent left');
    } finally {
      for (const unsubscribe of undo) unsubscribe();
      this.close();
    }
  }

  /** Asks the agent to call Attach for this stream. */
  openStream(request: OpenStream): Promise<void> {
    return this.writer.write({ message: { $case: 'openStream', value: request } });
  }

  private hello(): SessionResponse {
    const { clusterCidrs, heartbeatIntervalMs } = this.deps.settings;
    const podCidrs = [...podCidrsOf(this.node)];
    const value = {
      session: this.number,
      podCidrs,
      heartbeatIntervalMs,
      clusterCidrs: [...clusterCidrs],
      acknowledgesHeartbeats: true,
      servers: this.servers(),
    };
    return { message: { $case: 'hello', value } };
  }

  private servers(): ServerEndpoint[] {
    return (this.deps.servers?.live() ?? []).map(({ agents: { host, port } }) => ({ host, port }));
  }

  /** An agent that is slow to take it hears of it as soon as it does. */
  private tellServers(): void {
    const servers = this.servers();
    this.writer.write({ message: { $case: 'servers', value: { servers } } }).catch(() => undefined);
  }

  /** A snapshot first, then what changed, computed only when the agent has taken what came before. */
  private async sendAssignments(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    let networkAtMs = -Infinity;
    const wakeUp = () => this.wake?.();
    onAbort(signal, wakeUp);
    while (!signal.aborted) {
      if (!this.assignments.isMarked) await new Promise<void>((resolve) => (this.wake = resolve));
      // Let changes that arrive in the same turn go out together.
      await new Promise((resolve) => setImmediate(resolve));
      await this.tokens.whenIssued(TOKENS_WAIT_MS, signal);
      await this.collect(networkAtMs + NETWORK_BATCH_MS, signal);
      if (this.assignments.isNetworkMarked) networkAtMs = this.deps.clock.monotonicMs();
      const changes = this.assignments.take();
      const spans = this.deps.tracing === undefined ? NO_SPANS : this.sendingSpans(changes);
      const parts = partsOf(changes, MAX_PART_BYTES);
      for (const message of isFirst ? snapshotOf(parts) : parts.map(changesOf))
        await this.writer.write({ message });
      for (const span of spans) span[Symbol.dispose]();
      isFirst = false;
    }
  }

  private sendingSpans({ rows }: Changes): readonly Span[] {
    const attributes = { 'k8s.node.name': this.name };
    return rows.flatMap(({ key, traceparent }) =>
      traceparent === undefined
        ? []
        : (podSpan(this.deps.tracing, key, 'Send assignment', () => ({ attributes })) ?? []),
    );
  }

  /** The first change of the network goes out at once, what follows with what comes meanwhile. */
  private async collect(untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    const waitMs = untilMs - clock.monotonicMs();
    if (waitMs <= 0 || this.assignments.isUrgent) return;
    using woken = linkedController(signal);
    this.wake = () => {
      if (this.assignments.isUrgent) woken.abort();
    };
    await clock.sleep(waitMs, woken.signal);
  }

  private noteUnsendable(object: ApiObject, error: unknown): void {
    const { kind, apiVersion, metadata } = object;
    const { namespace = '', name, uid } = metadata;
    const message = `cannot be sent to node ${this.name}: ${describeError(error)}`;
    this.log.error({ kind, namespace, name, err: error }, 'object not sent to its node');
    const involvedObject = { kind, apiVersion, namespace, name, uid };
    const event = { involvedObject, type: 'Warning', reason: 'FailedAssignment', message };
    this.events.accept(this.name, Buffer.from(stringifyJson(event)));
  }

  /** While the node itself is not as its agent says, its pods are not either, and rightly so. */
  private compareStatuses(): void {
    if (this.keeper.isAsReported) this.statuses.compare(this.deps.podIndex.podsOn(this.name));
  }

  private async watchSilence(signal: AbortSignal, intervalMs: number): Promise<void> {
    const { clock } = this.deps;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      this.silence.tick();
      if (this.silence.silentMs > intervalMs * MISSED_HEARTBEATS_MAX)
        throw grpcError(status.DEADLINE_EXCEEDED, 'the agent has fallen silent');
    }
  }

  private async receive(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.silence.listen();
      const next = await nextMessage(this.stream.messages, signal);
      if (next.done === true) break;
      this.silence.heard();
      await this.handle(next.value, signal);
    }
    this.close();
  }

  private async handle({ message }: SessionRequest, signal: AbortSignal): Promise<void> {
    switch (message?.$case) {
      case 'statuses':
        if (message.value.session === this.number)
          await this.takeStatuses(message.value.updates, signal);
        return;
      case 'nodeStatus':
        if (message.value.session === this.number) this.keeper.report(message.value);
        return;
      case 'heartbeat':
        if (message.value.session === this.number)
          this.keeper.beat(this.clockProbe.skewOf(message.value.clock));
        return;
      case 'events':
        for (const event of message.value.events) this.events.accept(this.name, event);
        return;
      case 'foldersRemoved':
        if (message.value.session === this.number)
          await this.deps.nodeVolumes.foldersRemoved(this.name, message.value.uids, signal);
        return;
      case 'volumesGrown':
        if (message.value.session === this.number)
          await noteGrown(this.deps, this.name, message.value.volumes, signal);
        return;
      case 'staticPods':
        if (message.value.session === this.number) this.mirrors.report(message.value.pods);
        return;
      case 'csiDrivers':
        if (message.value.session === this.number) this.drivers.report(message.value.drivers);
        return;
      case 'hello':
        throw grpcError(status.INVALID_ARGUMENT, 'a session has one hello');
      case undefined:
    }
  }

  private async takeStatuses(
    updates: readonly PodStatusUpdate[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const update of updates) {
      await this.statuses.whenRoom(signal);
      this.statuses.report(update);
    }
  }
}

const NO_SPANS: readonly Span[] = [];

const asReason = (reason: unknown): Error | undefined =>
  reason instanceof Error ? reason : undefined;
