import { Alarm } from '../../../lib/async/alarm';
import { backoffMs } from '../../../lib/async/backoff';
import { TaskGroup } from '../../../lib/async/task-group';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import { Event_EventType, type Event } from '../../../proto/gen/etcd/kv';
import type { EtcdConnection } from './connection';
import { rangeUnder, SERVERS_PREFIX } from './keys';
import { grantLease, revokeLease } from './leader-key';
import { listRange } from './list-range';
import { deleteOp, isCreatedAt, isModifiedAt, putOp } from './operations';
import {
  decodeRow,
  encodeHolder,
  encodeServer,
  nameOfRow,
  nodeKey,
  serverKey,
  type ServerRecord,
  type ServerSelf,
} from './server-record';
import { watchRange } from './watch-range';

/** Which servers a cluster has, and which of them has the session of a node. */
export interface Servers {
  /** This one. */
  readonly id: string;
  /** Those that live, by identity; this one once it has said so. */
  live(): readonly ServerRecord[];
  /** The server that has the node's session, if one has that is known to live. */
  holderOf(nodeName: string): ServerRecord | undefined;
  /** How many nodes have their session at a server. */
  nodeCountOf(id: string): number;
  /**
   * This server has the node's session from now on, until it is disposed of. `onLost` is called when
   * another server has it since.
   */
  hold(nodeName: string, onLost: () => void): Disposable;
  /** Called when other servers live than before; returns the undo. */
  onChange(listener: () => void): () => void;
}

export interface ServerRegistryDeps {
  readonly connection: EtcdConnection;
  readonly id: string;
  readonly instance: string;
  /** How long a server that etcd does not hear from counts among those that live. */
  readonly leaseSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Held {
  readonly onLost: () => void;
  /** Of the row as this server wrote it; undefined while that is still to be done. */
  revision: number | undefined;
  /** The lease under which it was written has run out: it must not be taken from whoever has it now. */
  isOld: boolean;
}

interface Holder {
  readonly serverId: string;
  readonly revision: number;
}

/**
 * The servers that share an etcd, each with a row under a lease of its own, which goes when the server does;
 * and under the same lease a row for each node whose session it has. All of it is known to each server at
 * all times; while etcd does not answer, what was known last is.
 */
export class ServerRegistry implements Servers {
  private self: ServerRecord | undefined;
  private isSelfWritten = false;
  private readonly known = new Map<string, ServerRecord>();
  private readonly holders = new Map<string, Holder>();
  private readonly held = new Map<string, Held>();
  /** Nodes whose rows are to be written, and rows to be deleted with the revisions they have. */
  private readonly toWrite = new Set<string>();
  private readonly toDelete = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  private readonly alarm: Alarm;
  private hasTwin = false;

  constructor(private readonly deps: ServerRegistryDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  get id(): string {
    return this.deps.id;
  }

  live(): readonly ServerRecord[] {
    return [...this.known.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  holderOf(nodeName: string): ServerRecord | undefined {
    const holder = this.holders.get(nodeName);
    return holder && this.known.get(holder.serverId);
  }

  nodeCountOf(id: string): number {
    let count = 0;
    for (const { serverId } of this.holders.values()) if (serverId === id) count++;
    return count;
  }

  /** From now on it is one of those that live. */
  announce(self: ServerSelf): void {
    const { id, instance } = this.deps;
    this.self = { ...self, id, instance };
    this.isSelfWritten = false;
    this.alarm.wake();
  }

  hold(nodeName: string, onLost: () => void): Disposable {
    const held: Held = { onLost, revision: undefined, isOld: false };
    this.held.set(nodeName, held);
    this.toWrite.add(nodeName);
    this.toDelete.delete(nodeName);
    this.alarm.wake();
    return {
      [Symbol.dispose]: () => {
        // The next session of the node may have begun.
        if (this.held.get(nodeName) !== held) return;
        this.held.delete(nodeName);
        this.toWrite.delete(nodeName);
        if (held.revision === undefined) return;
        this.toDelete.set(nodeName, held.revision);
        this.alarm.wake();
      },
    };
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Until `signal` aborts; then the rows of this server go at once, if etcd answers. */
  async run(signal: AbortSignal): Promise<void> {
    await using tasks = new TaskGroup(signal);
    tasks.run((each) => this.keep(each));
    tasks.run((each) => this.follow(each));
    await tasks.wait();
  }

  private async keep(signal: AbortSignal): Promise<void> {
    const { connection, clock, log, leaseSeconds } = this.deps;
    for (let failureCount = 0; !signal.aborted;) {
      try {
        const lease = await grantLease(connection, leaseSeconds, signal);
        failureCount = 0;
        this.beginAnew();
        await this.keepUnder(lease, signal);
        if (hasAborted(signal)) await this.release(lease);
      } catch (error) {
        if (hasAborted(signal)) return;
        log.debug({ err: describeError(error) }, 'cannot say yet that this server lives');
        await clock.sleep(backoffMs(failureCount++, RETRY, systemRandom), signal);
      }
    }
  }

  /** What was written under an earlier lease is gone, or will be. */
  private beginAnew(): void {
    this.isSelfWritten = false;
    this.toDelete.clear();
    for (const [nodeName, held] of this.held) {
      held.isOld ||= held.revision !== undefined;
      held.revision = undefined;
      this.toWrite.add(nodeName);
    }
  }

  /** Returns when the lease has run out. What cannot be written now is tried again meanwhile. */
  private async keepUnder(lease: bigint, signal: AbortSignal): Promise<void> {
    const { connection, clock, log, leaseSeconds } = this.deps;
    const everyMs = (leaseSeconds * 1000) / RENEWALS;
    let renewAtMs = clock.monotonicMs() + everyMs;
    for (let failureCount = 0; !signal.aborted;) {
      const { wakes } = this.alarm;
      try {
        if (clock.monotonicMs() >= renewAtMs) {
          if ((await connection.keepAlive(lease)) <= 0) return;
          renewAtMs = clock.monotonicMs() + everyMs;
        }
        await this.write(lease, signal);
        failureCount = 0;
        const leftMs = renewAtMs - clock.monotonicMs();
        if (leftMs > 0) await this.alarm.sleep(leftMs, signal, wakes);
      } catch (error) {
        if (hasAborted(signal)) return;
        connection.replaced.throwIfAborted();
        log.debug(
          { err: describeError(error) },
          'what servers are to know of this one is not written',
        );
        await clock.sleep(backoffMs(failureCount++, RETRY, systemRandom), signal);
      }
    }
  }

  private async write(lease: bigint, signal: AbortSignal): Promise<void> {
    const { self } = this;
    if (self !== undefined && !this.isSelfWritten) {
      await this.transact(
        { compare: [], put: [serverKey(self.id), encodeServer(self), lease] },
        signal,
      );
      this.isSelfWritten = this.self === self;
    }
    while (!signal.aborted && this.toWrite.size + this.toDelete.size > 0) {
      const work = [
        ...[...this.toWrite].map((name) => () => this.writeNode(name, lease, signal)),
        ...[...this.toDelete].map(
          ([name, revision]) =>
            () =>
              this.deleteNode(name, revision, signal),
        ),
      ];
      await Promise.all(work.slice(0, CONCURRENT_WRITES).map((each) => each()));
    }
  }

  private async writeNode(nodeName: string, lease: bigint, signal: AbortSignal): Promise<void> {
    const held = this.held.get(nodeName);
    if (held === undefined) {
      this.toWrite.delete(nodeName);
      return;
    }
    const key = nodeKey(nodeName);
    const compare = held.isOld ? [isCreatedAt(key, 0)] : [];
    const put = [key, encodeHolder(this.id), lease] as const;
    const revision = await this.transact({ compare, put }, signal);
    if (this.held.get(nodeName) !== held) {
      // Another session of the node began meanwhile, and is still to be written; or this one ended.
      if (revision !== undefined && !this.held.has(nodeName)) this.toDelete.set(nodeName, revision);
      return;
    }
    this.toWrite.delete(nodeName);
    if (revision === undefined) {
      held.onLost();
      return;
    }
    held.revision = revision;
    this.checkHolder(nodeName);
  }

  private async deleteNode(nodeName: string, revision: number, signal: AbortSignal): Promise<void> {
    const key = nodeKey(nodeName);
    await this.transact({ compare: [isModifiedAt(key, revision)], remove: key }, signal);
    if (this.toDelete.get(nodeName) === revision) this.toDelete.delete(nodeName);
  }

  /** Returns its revision; undefined where what is compared is otherwise. */
  private async transact(
    {
      compare,
      put,
      remove,
    }: {
      readonly compare: ReturnType<typeof isCreatedAt>[];
      readonly put?: readonly [key: Buffer, value: Buffer, lease: bigint];
      readonly remove?: Buffer;
    },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const success = [
      ...(put === undefined ? [] : [putOp(...put)]),
      ...(remove === undefined ? [] : [deleteOp(remove)]),
    ];
    const { succeeded, header } = await this.deps.connection.callKv(
      (kv) => kv.txn.bind(kv),
      { compare, success, failure: [] },
      signal,
    );
    return succeeded ? (header?.revision ?? 0) : undefined;
  }

  private async release(lease: bigint): Promise<void> {
    const { connection, clock } = this.deps;
    using late = timedController(clock, RELEASE_MS);
    await revokeLease(connection, lease, late.signal).catch(() => undefined);
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { connection, clock, log } = this.deps;
    const range = rangeUnder(SERVERS_PREFIX);
    const watching = { ...this.deps, trustsProgress: false, hasChangedSince: async () => false };
    for (let failureCount = 0; !signal.aborted;) {
      try {
        const { keyValues, revision } = await listRange(connection, range, signal);
        failureCount = 0;
        this.known.clear();
        this.holders.clear();
        for (const kv of keyValues) this.take({ type: Event_EventType.PUT, kv, prevKv: undefined });
        this.changed();
        for await (const item of watchRange(watching, range, revision + 1, signal)) {
          if (item.type !== 'revision') continue;
          const tellings = item.events.map((event) => this.take(event));
          if (tellings.includes('server')) this.changed();
        }
      } catch (error) {
        if (hasAborted(signal)) return;
        log.debug({ err: describeError(error) }, 'the servers of the cluster are read again');
        await clock.sleep(backoffMs(failureCount++, RETRY, systemRandom), signal);
      }
    }
  }

  /** Returns what it is of. */
  private take({ type, kv }: Event): 'server' | 'node' | undefined {
    const name = kv === undefined ? undefined : nameOfRow(kv.key);
    if (kv === undefined || name === undefined) return undefined;
    const row = type === Event_EventType.PUT ? decodeRow(kv) : undefined;
    if (name.type === 'server') {
      this.known.delete(name.id);
      if (row?.type === 'server' && this.known.size < SERVERS_MAX) {
        this.known.set(name.id, row.record);
        this.lookForTwin(row.record);
      }
      return 'server';
    }
    this.holders.delete(name.nodeName);
    if (row?.type === 'node') {
      this.holders.set(name.nodeName, { serverId: row.serverId, revision: kv.modRevision });
      this.checkHolder(name.nodeName);
    }
    return 'node';
  }

  /** The newest row of a node is right. */
  private checkHolder(nodeName: string): void {
    const [held, holder] = [this.held.get(nodeName), this.holders.get(nodeName)];
    if (held?.revision === undefined || holder === undefined || holder.serverId === this.id) return;
    if (holder.revision > held.revision) held.onLost();
  }

  private lookForTwin({ id, instance, hostName }: ServerRecord): void {
    if (id !== this.id || instance === this.deps.instance || !this.isSelfWritten) return;
    if (!this.hasTwin)
      this.deps.log.error(
        { server: id, hostName },
        'another server has this server-id: remove the file from the data folder of one of both',
      );
    this.hasTwin = true;
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Of a lease, before it runs out. */
const RENEWALS = 3;
const RETRY = { initialMs: 50, maxMs: 2_000 };
const RELEASE_MS = 1_000;
const CONCURRENT_WRITES = 64;
/** More than anybody runs: what an etcd holds besides is not followed. */
const SERVERS_MAX = 64;
