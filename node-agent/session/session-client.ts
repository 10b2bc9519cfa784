import { status } from '@grpc/grpc-js';

import { Alarm } from '../../lib/async/alarm';
import { backoffMs } from '../../lib/async/backoff';
import { TaskGroup } from '../../lib/async/task-group';
import type { NodeReport } from '../node/node-reporter';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type {
  AgentHello,
  Changes,
  ClockReading,
  OpenStream,
  Row,
  ServerHello,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import type { EventOutbox } from '../outbox/event-outbox';
import type { PluginRegistry } from '../csi/plugin-registry';
import type { VolumeGrower } from '../csi/volume-grower';
import type { FolderRemover } from '../volumes/folder-remover';
import type { StaticPods } from '../static-pods/static-pods';
import type { StatusOutbox } from '../outbox/status-outbox';
import type { MessageStream, Transport } from './transport';
import { linkedController } from '../../lib/async/linked-controller';
import { firstWithin, nextMessage } from '../../lib/async/message-stream';

export interface SessionHandlers {
  onHello(hello: ServerHello): void;
  /** All rows that there are. */
  onSnapshot(rows: readonly Row[]): void;
  onChanges(changes: Changes): void;
  onOpenStream(request: OpenStream): void;
}

export interface SessionClientDeps {
  readonly transport: Transport;
  readonly hello: () => Promise<AgentHello>;
  /** The server knows this node's certificate no more. @throws Error when there is no way back */
  readonly joinAgain: () => Promise<void>;
  /** Told with each acknowledgement which authorities the server trusts, by a hash. */
  readonly noteAuthorities?: ((hash: string) => void) | undefined;
  readonly handlers: SessionHandlers;
  readonly statuses: StatusOutbox;
  readonly events: EventOutbox;
  /** The node's status when it changed since the last call, as JSON. */
  readonly changedNodeReport: () => Promise<NodeReport | undefined>;
  /** Folders that are to be announced as removed. */
  readonly folders: Pick<FolderRemover, 'onRemoved' | 'takeRemoved'>;
  readonly grower: Pick<VolumeGrower, 'onGrown' | 'takeGrown'>;
  /** The node's own pods, for the server to show. */
  readonly statics: Pick<StaticPods, 'version' | 'toMirror' | 'onChanged'>;
  /** The CSI drivers of the node. */
  readonly plugins: Pick<PluginRegistry, 'version' | 'toReport' | 'onChanged'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

type SessionStream = MessageStream<SessionRequest, SessionResponse>;

const RECONNECT_BACKOFF = { initialMs: 200, maxMs: 10_000 };
/** A session that lasted this long was a good one: reconnect as if for the first time. */
const GOOD_SESSION_MS = 30_000;
const HELLO_TIMEOUT_MS = 30_000;
/** Where another server may be quicker. When none has been, each gets its time. */
const HELLO_AMONG_SEVERAL_MS = 4_000;
const SPREAD_MS = 1_000;
/** A server that says nothing for this long, nor for so many heartbeats, has lost the session. */
const SERVER_SILENCE_MAX_MS = 45_000;
const MISSED_ACKS_MAX = 6;
const MAX_UPDATES_PER_MESSAGE = 100;
/** Timers take no longer time than about 24 days. */
const MAX_IDLE_MS = 3_600_000;

/** Keeps a session with the server for as long as the agent lives. */
export class SessionClient {
  /** Of who sends. */
  private readonly alarm: Alarm;
  private readonly heart: Alarm;
  private isLive = false;
  private lastHeardMs = 0;
  /** The last acknowledgement that asks for the clock, and when it came. */
  private probe: { readonly number: bigint; readonly atMs: number } | undefined;

  constructor(private readonly deps: SessionClientDeps) {
    this.alarm = new Alarm(deps.clock);
    this.heart = new Alarm(deps.clock);
    const wake = () => this.alarm.wake();
    deps.statuses.onWaiting(wake);
    deps.events.onWaiting(wake);
    deps.folders.onRemoved(wake);
    deps.grower.onGrown(wake);
    deps.statics.onChanged(wake);
    deps.plugins.onChanged(wake);
  }

  get isConnected(): boolean {
    return this.isLive;
  }

  /** Sends the next heartbeat, and with it a changed node status, at once. */
  nudge(): void {
    this.heart.wake();
  }

  /** Connects again and again until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.deps;
    for (let failures = 0; !signal.aborted; failures++) {
      const startedMs = clock.monotonicMs();
      const failure = await this.session(signal).catch((error: unknown) => error ?? 'unknown');
      this.isLive = false;
      if (aborted(signal)) return;
      const reason = failure === undefined ? 'the server ended it' : describeError(failure);
      if (clock.monotonicMs() - startedMs > GOOD_SESSION_MS) failures = 0;
      log.warn({ reason }, 'session ended, connecting again');
      if (isUnknownToServer(failure)) await this.joinAgain();
      await clock.sleep(this.pauseMs(failures), signal);
    }
  }

  /** Goes on to the next server, if there is one: all agents of a server come at once, so each when it likes. */
  private pauseMs(failures: number): number {
    const { random, transport } = this.deps;
    const { servers } = transport;
    servers?.failed();
    if (servers?.hasFresh === true) return random.next() * SPREAD_MS;
    return backoffMs(servers?.rounds(failures) ?? failures, RECONNECT_BACKOFF, random);
  }

  private async joinAgain(): Promise<void> {
    try {
      await this.deps.joinAgain();
      this.deps.log.info({}, 'joined the cluster again');
    } catch (error) {
      this.deps.log.warn({ err: describeError(error) }, 'not joined again');
    }
  }

  private async session(signal: AbortSignal): Promise<void> {
    using controller = linkedController(signal);
    const stream = this.deps.transport.openSession(controller.signal);
    try {
      await stream.write({ message: { $case: 'hello', value: await this.deps.hello() } });
      const hello = await this.firstMessage(stream);
      const { servers } = this.deps.transport;
      servers?.succeeded();
      servers?.learn(hello.servers);
      this.deps.statuses.restart();
      this.probe = undefined;
      this.deps.handlers.onHello(hello);
      this.isLive = true;
      this.deps.log.info({ session: String(hello.session) }, 'connected to the server');
      await using tasks = new TaskGroup(controller.signal);
      tasks.run((s) => this.send(stream, hello.session, s));
      tasks.run((s) => this.beat(stream, hello, s));
      tasks.run((s) => this.watchServer(hello, s));
      tasks.run(async (s) => {
        await this.receive(stream, s);
        controller.abort();
      });
      await tasks.wait();
    } finally {
      stream.end();
      stream.cancel();
    }
  }

  private async firstMessage(stream: SessionStream): Promise<ServerHello> {
    const { transport, clock } = this.deps;
    const isAlone = transport.servers?.hasFresh !== true || !transport.servers.hasSeveral;
    const limitMs = isAlone ? HELLO_TIMEOUT_MS : HELLO_AMONG_SEVERAL_MS;
    const first = await firstWithin(stream.messages, limitMs, clock);
    const message = first?.message;
    if (message?.$case !== 'hello') throw new Error('the server did not say hello');
    return message.value;
  }

  private readClock(): ClockReading | undefined {
    const { probe } = this;
    if (probe === undefined || probe.number === 0n) return undefined;
    const { clock } = this.deps;
    return {
      probe: probe.number,
      heldMs: clock.monotonicMs() - probe.atMs,
      wallMs: clock.now(),
    };
  }

  /** A stream can be alive while the session behind it is not: then only a new one helps. */
  private async watchServer(hello: ServerHello, signal: AbortSignal): Promise<void> {
    if (!hello.acknowledgesHeartbeats) return;
    const { clock } = this.deps;
    const limitMs = Math.max(SERVER_SILENCE_MAX_MS, MISSED_ACKS_MAX * hello.heartbeatIntervalMs);
    this.lastHeardMs = clock.monotonicMs();
    while (!signal.aborted) {
      const silentMs = clock.monotonicMs() - this.lastHeardMs;
      if (silentMs >= limitMs) throw new Error('the server has fallen silent');
      await clock.sleep(limitMs - silentMs, signal);
    }
  }

  private async receive(stream: SessionStream, signal: AbortSignal): Promise<void> {
    const { handlers, statuses } = this.deps;
    // A session has one snapshot, in parts.
    const snapshot: Row[] = [];
    for (;;) {
      // A task that fails must not wait for a stream that has nothing to say.
      const next = await nextMessage(stream.messages, signal);
      if (next.done === true) return;
      this.lastHeardMs = this.deps.clock.monotonicMs();
      const { message } = next.value;
      switch (message?.$case) {
        case 'snapshot':
          for (const row of message.value.rows) snapshot.push(row);
          if (!message.value.partial) handlers.onSnapshot(snapshot.splice(0));
          break;
        case 'changes':
          handlers.onChanges(message.value);
          break;
        case 'statusAck':
          for (const { uid } of message.value.pods) statuses.acknowledge(uid);
          break;
        case 'openStream':
          handlers.onOpenStream(message.value);
          break;
        case 'heartbeatAck':
          this.probe = { number: message.value.probe, atMs: this.lastHeardMs };
          this.deps.noteAuthorities?.(message.value.authorities);
          break;
        case 'servers':
          this.deps.transport.servers?.learn(message.value.servers);
          break;
        case 'hello':
        case undefined:
      }
    }
  }

  /** Statuses and events, as soon as they are due and the stream has room. */
  private async send(stream: SessionStream, session: bigint, signal: AbortSignal): Promise<void> {
    const { statuses, events, folders, grower, statics, plugins } = this.deps;
    let told = -1;
    let driversTold = -1;
    while (!signal.aborted) {
      // Who calls while this writes is heard as well.
      const { wakes } = this.alarm;
      const { version } = statics;
      const pods = version === told ? undefined : statics.toMirror();
      told = version;
      if (pods !== undefined)
        await stream.write({ message: { $case: 'staticPods', value: { session, pods } } });
      const drivers = plugins.version === driversTold ? undefined : plugins.toReport();
      driversTold = plugins.version;
      if (drivers !== undefined)
        await stream.write({ message: { $case: 'csiDrivers', value: { session, drivers } } });
      const updates = statuses.take(MAX_UPDATES_PER_MESSAGE);
      if (updates.length > 0)
        await stream.write({ message: { $case: 'statuses', value: { session, updates } } });
      const taken = events.take(MAX_UPDATES_PER_MESSAGE);
      if (taken.length > 0)
        await stream.write({ message: { $case: 'events', value: { events: taken } } });
      const uids = [...folders.takeRemoved(MAX_UPDATES_PER_MESSAGE)];
      if (uids.length > 0)
        await stream.write({ message: { $case: 'foldersRemoved', value: { session, uids } } });
      const volumes = [...grower.takeGrown(MAX_UPDATES_PER_MESSAGE)];
      if (volumes.length > 0)
        await stream.write({ message: { $case: 'volumesGrown', value: { session, volumes } } });
      const isMore = uids.length === MAX_UPDATES_PER_MESSAGE;
      const idleMs = isMore ? 0 : Math.min(statuses.idleMs(), events.idleMs(), MAX_IDLE_MS);
      if (idleMs > 0) await this.alarm.sleep(idleMs, signal, wakes);
    }
  }

  private async beat(
    stream: SessionStream,
    hello: ServerHello,
    signal: AbortSignal,
  ): Promise<void> {
    const intervalMs = Math.max(100, hello.heartbeatIntervalMs);
    // The hello was the first sign of life.
    for (let isDue = false; !aborted(signal); isDue = true) {
      const { wakes } = this.heart;
      if (isDue) await this.tellNode(stream, hello.session);
      await this.heart.sleep(intervalMs, signal, wakes);
    }
  }

  private async tellNode(stream: SessionStream, session: bigint): Promise<void> {
    const clock = this.readClock();
    await stream.write({ message: { $case: 'heartbeat', value: { session, clock } } });
    const report = await this.deps.changedNodeReport();
    if (report !== undefined)
      await stream.write({ message: { $case: 'nodeStatus', value: { session, ...report } } });
  }
}

const isUnknownToServer = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === status.UNAUTHENTICATED;

// Behind a call, so that the compiler does not take an earlier look for the present one.
const aborted = (signal: AbortSignal): boolean => signal.aborted;
