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
    if (fromVersion < this.startVersion) throw expired(fromVersion, this.startVersion);
    const epoch = this.epoch;
    let position = this.positionAfter(fromVersion);
    let version = fromVersion;
    while (!signal.aborted && !this.isClosed) {
      if (this.epoch !== epoch || position < this.base) throw expired(version, this.startVersion);
      if (position === this.base + this.length) {
        await this.nextEvent(signal);
        continue;
      }
      const entry = this.entryAt(position++);
      // A reader may begin in the future of a log that is behind.
      if (entry.version <= version) continue;
      version = entry.version;
      yield entry.event;
    }
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

/** The entry, the event and the objects in it, without their content. */
const ENTRY_BYTES = 512;
const DEFAULT_LIMITS: EventLogLimits = { eventCountMax: 65_536, bytesMax: 64 * 1024 * 1024 };

/** The message kubectl and client-go know for a watch that starts too far back. */
export const expired = (version: number, oldest: number): ApiError =>
  new ApiError('Expired', `too old resource version: ${version} (${oldest})`);
