import { nameKey, type Pod } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import { backoffMs } from '../../lib/async/backoff';
import { linkedController } from '../../lib/async/linked-controller';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { ObjectRef, PodStatusUpdate } from '../../proto/gen/dhow/agent/v1/agent';
import { isStatusAsReported, type StatusIntake } from './status-intake';

export interface StatusKeeperDeps {
  readonly nodeName: string;
  readonly intake: Pick<StatusIntake, 'accept'>;
  readonly acknowledge: (pod: ObjectRef) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Entry {
  readonly update: PodStatusUpdate;
  readonly sizeBytes: number;
  /** Not to be stored before, on the monotonic clock. */
  dueMs: number;
  failureCount: number;
  /** The version of the pod that was found to say what was reported. */
  agreedVersion: string | undefined;
}

/**
 * What one node's agent says of its pods, for as long as its session lasts. A report is stored and
 * acknowledged; while the store is away it is tried again. It is remembered, and stored once more
 * whenever the stored status no longer says it: what others wrote over it, an agent has no reason
 * to send again.
 */
export class StatusKeeper {
  /** The latest report of each pod, by uid. */
  private readonly entries = new Map<string, Entry>();
  /** Those of them that are to be stored. */
  private readonly pending = new Set<Entry>();
  private pendingBytes = 0;
  /** Uids of pods of which a report is being stored: an older one must not come to lie over a newer. */
  private readonly storing = new Set<string>();
  private readonly alarm: Alarm;
  private roomMade: () => void = () => undefined;

  constructor(private readonly deps: StatusKeeperDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** Takes a report in the place of an earlier one of the same pod. */
  report(update: PodStatusUpdate): void {
    const { clock, log, nodeName } = this.deps;
    const sizeBytes = sizeOf(update);
    if (sizeBytes > MAX_STATUS_BYTES || update.uid === '') {
      const pod = nameKey(update).slice(0, MAX_LOGGED_LENGTH);
      log.warn({ node: nodeName, pod, sizeBytes }, 'dropped a pod status out of bounds');
      return;
    }
    this.unlist(this.entries.get(update.uid));
    const entry = {
      // A copy: the message that it came in may be large.
      update: { ...update, status: Buffer.from(update.status) },
      sizeBytes,
      dueMs: clock.monotonicMs(),
      failureCount: 0,
      agreedVersion: undefined,
    };
    this.entries.set(update.uid, entry);
    this.enlist(entry, entry.dueMs);
  }

  get isFull(): boolean {
    return this.pending.size >= MAX_PENDING || this.pendingBytes >= MAX_PENDING_BYTES;
  }

  /** Resolves when there is room for more reports, or `signal` aborts. */
  async whenRoom(signal: AbortSignal): Promise<void> {
    while (this.isFull && !signal.aborted) {
      using given = linkedController(signal);
      this.roomMade = () => given.abort();
      await this.deps.clock.sleep(MAX_IDLE_MS, given.signal);
    }
  }

  /** Compares what is stored with what was reported. `pods` are all of the node. */
  compare(pods: readonly Pod[]): void {
    const uids = new Set<string>();
    for (const { metadata, status } of pods) {
      const { uid = '', resourceVersion = '' } = metadata;
      uids.add(uid);
      const entry = this.entries.get(uid);
      if (entry === undefined || this.pending.has(entry)) continue;
      if (entry.agreedVersion === resourceVersion) continue;
      entry.agreedVersion = resourceVersion;
      if (isStatusAsReported(status, entry.update)) continue;
      this.enlist(entry, this.deps.clock.monotonicMs() + RESTORE_AFTER_MS);
    }
    for (const [uid, entry] of this.entries)
      if (!uids.has(uid) && !this.pending.has(entry)) this.entries.delete(uid);
  }

  /** Stores reports until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await using tasks = new TaskGroup(signal);
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      for (const entry of this.takeDue()) tasks.run((s) => this.store(entry, s));
      await this.alarm.sleep(this.idleMs(), tasks.signal, wakes);
    }
  }

  private takeDue(): Entry[] {
    const nowMs = this.deps.clock.monotonicMs();
    const due: Entry[] = [];
    for (const entry of this.pending) {
      if (this.storing.size >= MAX_STORING) break;
      if (this.storing.has(entry.update.uid) || entry.dueMs > nowMs) continue;
      this.storing.add(entry.update.uid);
      due.push(entry);
    }
    return due;
  }

  private idleMs(): number {
    if (this.storing.size >= MAX_STORING) return MAX_IDLE_MS;
    const waiting = [...this.pending].filter(({ update }) => !this.storing.has(update.uid));
    const dueMs = Math.min(...waiting.map((entry) => entry.dueMs));
    return Math.min(MAX_IDLE_MS, Math.max(0, dueMs - this.deps.clock.monotonicMs()));
  }

  private async store(entry: Entry, signal: AbortSignal): Promise<void> {
    const { intake, nodeName, clock, log, random } = this.deps;
    const { update } = entry;
    try {
      const pod = await intake.accept(nodeName, update, signal);
      entry.failureCount = 0;
      if (this.entries.get(update.uid) === entry) await this.settle(entry, pod);
    } catch (error) {
      if (signal.aborted) return;
      const fields = { node: nodeName, pod: nameKey(update), err: describeError(error) };
      log[entry.failureCount === 0 ? 'warn' : 'debug'](fields, 'pod status not stored yet');
      entry.dueMs = clock.monotonicMs() + backoffMs(entry.failureCount++, RETRY, random);
    } finally {
      this.storing.delete(update.uid);
      this.alarm.wake();
    }
  }

  private async settle(entry: Entry, pod: Pod | undefined): Promise<void> {
    this.unlist(entry);
    const { namespace, name, uid } = entry.update;
    if (pod === undefined) this.entries.delete(uid);
    else entry.agreedVersion = pod.metadata.resourceVersion;
    await this.deps.acknowledge({ namespace, name, uid });
  }

  private enlist(entry: Entry, dueMs: number): void {
    entry.dueMs = dueMs;
    this.pending.add(entry);
    this.pendingBytes += entry.sizeBytes;
    this.alarm.wake();
  }

  private unlist(entry: Entry | undefined): void {
    if (entry === undefined || !this.pending.delete(entry)) return;
    this.pendingBytes -= entry.sizeBytes;
    this.roomMade();
  }
}

const sizeOf = ({ namespace, name, uid, status }: PodStatusUpdate): number =>
  2 * (namespace.length + name.length + uid.length) + status.length;

/** What etcd takes of an object. */
const MAX_STATUS_BYTES = 1024 * 1024;
const MAX_LOGGED_LENGTH = 512;
const MAX_STORING = 32;
/** Reports taken and not stored yet; beyond it the session stops reading. */
const MAX_PENDING = 512;
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
const RETRY = { initialMs: 250, maxMs: 10_000 };
/** Whoever overwrites a status may do it again: no faster than this. */
const RESTORE_AFTER_MS = 500;
const MAX_IDLE_MS = 60_000;
