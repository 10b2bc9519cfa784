import { onAbort } from '../../lib/async/on-abort';
import { ApiError } from '../../api/errors';
import type { BudgetedLog, HistoryBudget } from './history-budget';

export interface EventLogLimits {
  readonly eventCountMax: number;
  readonly bytesMax: number;
  /** Older entries are forgotten with the next one. Default: as old as they get. */
  readonly ageMsMax?: number;
  /** What this log and others may take up together. */
  readonly budget?: HistoryBudget;
}

/**
 * The recent history of one resource, read by any number of readers at their own pace. Readers
 * hold a position, not a queue: one that falls behind what the log keeps is ended with `Expired`.
 */
export class EventLog<E> implements BudgetedLog {
  private entries: Entry<E>[] = [];
  /** Number of the first entry since the log began; positions are absolute. */
  private base = 0;
  private head = 0;
  private bytes = 0;
  private epoch = 0;
  private isClosed = false;
  private readonly sleepers = new Set<() => void>();
  private lastBatch: Batch<E> | undefined;

  constructor(
    private startVersion: number,
    private readonly limits: EventLogLimits = DEFAULT_LIMITS,
  ) {
    limits.budget?.join(this);
  }

  /** `bytes` is what the event keeps in memory, `nowMs` monotonic. */
  append(version: number, event: E, bytes: number, nowMs = 0): void {
    if (this.isClosed) return;
    const { eventCountMax, bytesMax, ageMsMax = Infinity, budget } = this.limits;
    const kept = bytes + ENTRY_BYTES;
    this.entries.push({ version, event, bytes: kept, atMs: nowMs });
    this.bytes += kept;
    budget?.add(kept);
    const isTooMuch = () =>
      this.length > eventCountMax ||
      this.bytes > bytesMax ||
      nowMs - this.entryAt(this.base).atMs > ageMsMax;
    while (this.length > 1 && isTooMuch()) this.dropFirst();
    this.wakeReaders();
  }

  /** The last entry is kept: a reader may be about to take it. */
  get oldestMs(): number | undefined {
    return this.length > 1 ? this.entryAt(this.base).atMs : undefined;
  }

  dropOldest(): void {
    this.dropFirst();
  }

  /** Forgets everything up to and with `version`. */
  compact(version: number): void {
    while (this.length > 0 && this.entryAt(this.base).version <= version) this.dropFirst();
    this.startVersion = Math.max(this.startVersion, version);
  }

  /** Starts a new history after `version`: every reader of the old one is ended with `Expired`. */
  reset(version: number): void {
    this.base += this.length;
    this.entries = [];
    this.lastBatch = undefined;
    this.head = 0;
    this.limits.budget?.add(-this.bytes);
    this.bytes = 0;
    this.startVersion = version;
    this.epoch++;
    this.wakeReaders();
  }

  /** Ends every reader, and takes up nothing any more. */
  close(): void {
    this.isClosed = true;
    this.reset(this.startVersion);
    this.limits.budget?.leave(this);
    this.wakeReaders();
  }

  /** Events after `fromVersion`, until `signal` aborts. @throws Expired */
  async *read(fromVersion: number, signal: AbortSignal): AsyncGenerator<E, void> {
    for await (const events of this.readBatches(fromVersion, signal)) yield* events;
  }

  /**
   * The same, as many together as there are, up to some 100 KB. Readers at one position get one array,
   * so that they can share what they make of it. `turn` is awaited between the news of an event and
   * the reading: what comes meanwhile is of the same batch. @throws Expired
   */
  async *readBatches(
    fromVersion: number,
    signal: AbortSignal,
    turn?: () => Promise<void>,
  ): AsyncGenerator<readonly E[], void> {
    if (fromVersion < this.startVersion) throw expired(fromVersion, this.startVersion);
    const epoch = this.epoch;
    let position = this.positionAfter(fromVersion);
    let version = fromVersion;
    while (!signal.aborted && !this.isClosed) {
      if (this.epoch !== epoch || position < this.base) throw expired(version, this.startVersion);
      if (position === this.base + this.length) {
        await this.nextEvent(signal);
        await turn?.();
        continue;
      }
      const batch = this.batchAt(position);
      position = batch.end;
      // A reader may begin in the future of a log that is behind.
      const events = batch.firstVersion > version ? batch.events : this.after(version, batch);
      if (events.length === 0) continue;
      version = batch.lastVersion;
      yield events;
    }
  }

  /** The events that are kept of those after `version`; undefined when some are not. */
  since(version: number): readonly E[] | undefined {
    if (version < this.startVersion) return undefined;
    const from = this.positionAfter(version);
    return this.entries.slice(this.head + from - this.base).map(({ event }) => event);
  }

  private batchAt(start: number): Batch<E> {
    const end = this.base + this.length;
    const { lastBatch } = this;
    // What was appended since may wait for the next batch: the others at this position got this one.
    if (lastBatch?.start === start && (lastBatch.isFull || lastBatch.end === end)) return lastBatch;
    const events: E[] = [];
    let bytes = 0;
    let position = start;
    let isFull = false;
    while (position < end && !isFull) {
      const entry = this.entryAt(position++);
      events.push(entry.event);
      bytes += entry.bytes;
      isFull = bytes >= BATCH_BYTES || events.length >= BATCH_COUNT_MAX;
    }
    const firstVersion = this.entryAt(start).version;
    const lastVersion = this.entryAt(position - 1).version;
    return (this.lastBatch = { start, end: position, events, firstVersion, lastVersion, isFull });
  }

  private after(version: number, { start, events }: Batch<E>): readonly E[] {
    return events.filter((_event, i) => this.entryAt(start + i).version > version);
  }

  private get length(): number {
    return this.entries.length - this.head;
  }

  private entryAt(position: number): Entry<E> {
    return this.entries[this.head + position - this.base] as Entry<E>;
  }

  private positionAfter(version: number): number {
    let low = this.base;
    let high = this.base + this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entryAt(middle).version <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private dropFirst(): void {
    this.lastBatch = undefined;
    const dropped = this.entryAt(this.base);
    (this.entries as unknown[])[this.head] = undefined;
    this.bytes -= dropped.bytes;
    this.limits.budget?.add(-dropped.bytes);
    this.startVersion = Math.max(this.startVersion, dropped.version);
    this.base++;
    this.head++;
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
  }

  private nextEvent(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.sleepers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.sleepers.add(wake);
      onAbort(signal, wake);
    });
  }

  private wakeReaders(): void {
    for (const wake of [...this.sleepers]) wake();
  }
}

interface Entry<E> {
  readonly version: number;
  readonly event: E;
  readonly bytes: number;
  readonly atMs: number;
}

interface Batch<E> {
  /** Positions: of the first entry, and after the last. */
  readonly start: number;
  readonly end: number;
  readonly events: readonly E[];
  readonly firstVersion: number;
  readonly lastVersion: number;
  readonly isFull: boolean;
}

/** Small enough that many slow readers may each hold one. */
const BATCH_BYTES = 128 * 1024;
const BATCH_COUNT_MAX = 256;
/** The entry, the event and the objects in it, without their content. */
const ENTRY_BYTES = 512;
const DEFAULT_LIMITS: EventLogLimits = { eventCountMax: 65_536, bytesMax: 64 * 1024 * 1024 };

/** The message kubectl and client-go know for a watch that starts too far back. */
export const expired = (version: number, oldest: number): ApiError =>
  new ApiError('Expired', `too old resource version: ${version} (${oldest})`);
