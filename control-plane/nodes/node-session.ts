import { status, type ServerDuplexStream } from '@grpc/grpc-js';

import type { ApiObject, Node, Pod } from '../../api/types';
import { Semaphore } from '../../lib/async/semaphore';
import { TaskGroup } from '../../lib/async/task-group';
import { describeError, type Log } from '../../lib/log';
import type {
  OpenStream,
  NodeStatus,
  PodStatusUpdate,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import { parseObject } from './agent-json';
import { deltaOf, partsOf, snapshotOf } from './assignment-parts';
import { assignmentsOf, SentAssignments, type NodeAssignments } from './assignments';
import { IMAGE_LAYERS_ANNOTATION } from '../../api/image-layers';
import type { NodesOptions, NodesServerDeps, ObjectView } from './deps';
import type { EventIntake } from './event-intake';
import { LeaseRenewer } from './lease-renewer';
import { MessageWriter, nextMessage } from '../../lib/async/message-stream';
import { grpcError } from './node-identity';
import type { NodeRegistrar } from './node-registrar';
import type { PeerView } from './peer-view';
import type { PodIndex } from './pod-index';
import { SilenceMeter } from './silence-meter';
import type { StatusIntake } from './status-intake';

export type SessionStream = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface SessionDeps extends NodesServerDeps {
  readonly settings: NodesOptions;
  readonly podIndex: PodIndex;
  readonly peers: PeerView;
  readonly registrar: NodeRegistrar;
  readonly statuses: StatusIntake;
  readonly events: EventIntake;
}

/** Well below what one gRPC message may hold. */
const MAX_PART_BYTES = 8 * 1024 * 1024;
const CONCURRENT_STATUS_WRITES = 32;
/** Statuses taken from the agent and not stored yet; beyond it the session stops reading. */
const MAX_PENDING_STATUSES = 512;
/** Intervals without any message after which the agent counts as gone. */
const MISSED_HEARTBEATS_MAX = 4;

/** One agent's live connection, from after its registration until it ends. */
export class NodeSession {
  private readonly controller = new AbortController();
  private readonly sent = new SentAssignments();
  private readonly writer: MessageWriter<SessionResponse>;
  private readonly lease: LeaseRenewer;
  private readonly statusSlots = new Semaphore(CONCURRENT_STATUS_WRITES);
  private readonly log: Log;
  private pendingCount = 0;
  private readonly silence: SilenceMeter;
  private isDirty = true;
  private wake: (() => void) | undefined;
  private reported: Node['status'];
  readonly signal = this.controller.signal;

  constructor(
    private readonly deps: SessionDeps,
    private readonly stream: {
      readonly call: SessionStream;
      readonly messages: AsyncIterator<SessionRequest, undefined>;
    },
    private node: Node,
    private readonly number: bigint,
  ) {
    this.writer = new MessageWriter(stream.call, deps.clock, this.signal);
    const leaseSeconds = Math.ceil((deps.settings.heartbeatIntervalMs * 4) / 1000);
    this.lease = new LeaseRenewer(deps, this.name, leaseSeconds);
    this.log = deps.log.child({ node: this.name });
    this.silence = new SilenceMeter(deps.clock, deps.settings.heartbeatIntervalMs);
    this.reported = node.status;
  }

  get name(): string {
    return this.node.metadata.name;
  }

  /** Ends the session; `run` then returns or throws `reason`. */
  close(reason?: Error): void {
    this.controller.abort(reason);
  }

  /** Serves until the agent leaves, `close` is called, or either direction breaks. */
  async run(): Promise<void> {
    const { clock, settings } = this.deps;
    await this.lease.renew(this.signal);
    await this.writer.write(this.hello());
    const undo = [
      this.deps.podIndex.onChange(this.name, () => this.markDirty()),
      this.deps.peers.onChange(() => this.markDirty()),
      watchOne(this.deps.nodes, this.name, () => this.markDirty()),
      watchAll(this.deps.secrets, () => this.markDirty()),
      watchAll(this.deps.configMaps, () => this.markDirty()),
    ];
    try {
      await using tasks = new TaskGroup(this.signal);
      tasks.run((signal) => this.sendAssignments(signal));
      tasks.run((signal) => this.watchSilence(signal, settings.heartbeatIntervalMs));
      tasks.run(() => this.receive(tasks));
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
    const { clusterCidr, heartbeatIntervalMs } = this.deps.settings;
    const podCidr = this.node.spec.podCIDR ?? '';
    const value = { session: this.number, podCidr, heartbeatIntervalMs, clusterCidr };
    return { message: { $case: 'hello', value } };
  }

  private markDirty(): void {
    this.isDirty = true;
    this.wake?.();
  }

  /** A snapshot first, then what changed, computed only when the agent has taken what came before. */
  private async sendAssignments(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    const wakeUp = () => this.wake?.();
    signal.addEventListener('abort', wakeUp);
    while (!signal.aborted) {
      if (!this.isDirty) await new Promise<void>((resolve) => (this.wake = resolve));
      // Let changes that arrive in the same turn go out together.
      await new Promise((resolve) => setImmediate(resolve));
      this.isDirty = false;
      const parts = partsOf(this.sent.diff(this.wanted()), MAX_PART_BYTES);
      for (const message of isFirst ? snapshotOf(parts) : parts.map(deltaOf))
        await this.writer.write({ message });
      isFirst = false;
    }
  }

  private wanted(): NodeAssignments {
    const { podIndex, secrets, configMaps, peers } = this.deps;
    const pods: readonly Pod[] = podIndex.podsOn(this.name);
    const find = {
      secret: (key: string) => secrets.get(key),
      configMap: (key: string) => configMaps.get(key),
    };
    return assignmentsOf(pods, find, peers.peersOf(this.name), this.current());
  }

  private async watchSilence(signal: AbortSignal, intervalMs: number): Promise<void> {
    const { clock } = this.deps;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      this.silence.tick();
      if (this.silence.silentMs > intervalMs * MISSED_HEARTBEATS_MAX)
        this.close(grpcError(status.DEADLINE_EXCEEDED, 'the agent has fallen silent'));
    }
  }

  private async receive(tasks: TaskGroup): Promise<void> {
    for (;;) {
      this.silence.listen();
      const next = await nextMessage(this.stream.messages, this.signal);
      if (next.done === true) break;
      this.silence.heard();
      await this.handle(next.value, tasks);
    }
    this.close();
  }

  private async handle({ message }: SessionRequest, tasks: TaskGroup): Promise<void> {
    switch (message?.$case) {
      case 'statuses':
        if (message.value.session === this.number)
          await this.takeStatuses(message.value.updates, tasks);
        return;
      case 'nodeStatus':
        if (message.value.session === this.number) await this.takeNodeStatus(message.value);
        return;
      case 'heartbeat':
        if (message.value.session === this.number) tasks.run((signal) => this.beat(signal));
        return;
      case 'events':
        for (const event of message.value.events) this.deps.events.accept(this.name, event);
        return;
      case 'hello':
        throw grpcError(status.INVALID_ARGUMENT, 'a session has one hello');
      case undefined:
    }
  }

  private async takeStatuses(updates: readonly PodStatusUpdate[], tasks: TaskGroup): Promise<void> {
    for (const update of updates) {
      while (this.pendingCount >= MAX_PENDING_STATUSES && !this.signal.aborted)
        await this.statusSlots.use(() => Promise.resolve());
      this.pendingCount++;
      tasks.run((signal) => this.takeStatus(update, signal));
    }
  }

  private async takeStatus(update: PodStatusUpdate, signal: AbortSignal): Promise<void> {
    try {
      await this.statusSlots.use(() => this.deps.statuses.accept(this.name, update, signal));
    } catch (error) {
      // Not acknowledged: the agent sends it again in the next session, which is soon.
      throw grpcError(status.UNAVAILABLE, `cannot store a pod status: ${describeError(error)}`);
    } finally {
      this.pendingCount--;
    }
    const { namespace, name, uid } = update;
    const value = { pods: [{ namespace, name, uid }] };
    await this.writer.write({ message: { $case: 'statusAck', value } });
  }

  private async takeNodeStatus(report: NodeStatus): Promise<void> {
    const reported = parseObject<Node['status']>(report.status);
    if (reported === undefined)
      throw grpcError(status.INVALID_ARGUMENT, 'node status is not a JSON object');
    this.reported = reported;
    await this.storeNodeStatus();
    await this.storeImageLayers(report.imageLayers);
  }

  private async storeImageLayers(imageLayers: string): Promise<void> {
    const known = this.current().metadata.annotations?.[IMAGE_LAYERS_ANNOTATION];
    if (imageLayers === '' || imageLayers === known) return;
    try {
      this.node = await this.deps.registrar.writeImageLayers(this.name, imageLayers, this.signal);
    } catch (error) {
      // The scheduler then goes by the sizes in the status.
      if (!this.signal.aborted) this.log.warn({ err: describeError(error) }, 'layers not stored');
    }
  }

  private async storeNodeStatus(): Promise<void> {
    try {
      this.node = await this.deps.registrar.writeStatus(this.current(), this.reported, this.signal);
    } catch (error) {
      if (!this.signal.aborted)
        this.log.warn({ err: describeError(error) }, 'node status not stored');
    }
  }

  private current(): Node {
    return this.deps.nodes.get(this.name) ?? this.node;
  }

  private async beat(signal: AbortSignal): Promise<void> {
    try {
      await this.lease.renew(signal);
    } catch (error) {
      this.log.warn({ err: describeError(error) }, 'lease not renewed');
    }
    const stored = this.deps.nodes.get(this.name);
    if (stored === undefined)
      throw grpcError(status.UNAVAILABLE, `node "${this.name}" was deleted: register again`);
    if (readyOf(stored.status) !== readyOf(this.reported)) await this.storeNodeStatus();
  }
}

const readyOf = ({ conditions }: Node['status']): string | undefined =>
  conditions?.find(({ type }) => type === 'Ready')?.status;

/** Any change matters only when the diff says so: computing it is cheaper than tracking who uses what. */
const watchAll = <T extends ApiObject>(view: ObjectView<T>, listener: () => void): (() => void) =>
  view.subscribe({ onAdd: listener, onUpdate: listener, onDelete: listener });

/** Labels and taints of the node: its agent admits pods by them. */
const watchOne = (view: ObjectView<Node>, name: string, listener: () => void): (() => void) => {
  const note = ({ metadata }: Node): void => {
    if (metadata.name === name) listener();
  };
  return view.subscribe({ onAdd: note, onUpdate: note, onDelete: note });
};
