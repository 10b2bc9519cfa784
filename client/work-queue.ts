import { onAbort } from '../lib/async/on-abort';
import type { Resource } from '../api/resources';
import type { ApiObject } from '../api/types';
import { backoffMs, type BackoffOptions } from '../lib/async/backoff';
import { TaskGroup } from '../lib/async/task-group';
import type { Clock } from '../lib/clock';
import type { Log } from '../lib/log';
import type { Random } from '../lib/random';
import { isLasting, type FaultReporter } from './object-faults';

export interface WorkQueueDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of objects whose keys keep failing. */
  readonly faults?: FaultReporter;
}

export interface WorkQueueOptions {
  /** The object that a key stands for, to name it when its key keeps failing. */
  readonly subjectOf: (key: string) => Subject | undefined;
  readonly backoff?: BackoffOptions;
}

interface Subject {
  readonly resource: Resource;
  readonly object: ApiObject;
}

/** Brings one key to its desired state. A rejection puts the key back with backoff. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<void>;

/** When a key that is not waiting is added next. */
interface Timer {
  readonly dueMs: number;
  /** After a failure: until then the key is not worked on, whoever adds it. */
  readonly isBackoff: boolean;
  readonly stop: AbortController;
}

/**
 * Keys to reconcile.
 *
 *     add ──► waiting ──► working ──success──► (gone)
 *                ▲           │ └─added meanwhile──► waiting
 *        due     │           └─failure──► backing off: an add changes nothing
 *     addAfter ──┴──────────────────────────┘ due
 *
 * A key is never worked on twice at a time. One that failed keeps its backoff whoever adds it, for
 * the add may come from the very write that the failed attempt made. The set of keys is bounded by
 * the set of objects.
 */
export class WorkQueue {
  private readonly waiting = new Set<string>();
  private readonly working = new Set<string>();
  private readonly again = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly timers = new Map<string, Timer>();
  private wakeups: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly deps: WorkQueueDeps,
    private readonly options: WorkQueueOptions,
  ) {}

  add(key: string): void {
    if (this.timers.get(key)?.isBackoff === true) return;
    if (this.working.has(key)) this.again.add(key);
    else this.waiting.add(key);
    this.wakeups.shift()?.();
  }

  /**
   * Adds the key after `ms`, unless it comes up earlier: of several due times the earliest counts. A
   * time beyond a day counts as a day; the reconciler finds then that it is early, and asks again.
   */
  addAfter(key: string, ms: number): void {
    const known = this.timers.get(key);
    // A key that backs off is worked on when that ends, and asks again then.
    if (known?.isBackoff === true) return;
    const delayMs = Math.min(ms, DELAY_MAX_MS);
    if (known !== undefined && known.dueMs <= this.deps.clock.monotonicMs() + delayMs) return;
    this.schedule(key, delayMs, false);
  }

  get size(): number {
    return this.waiting.size + this.working.size;
  }

  /** Works until `signal` aborts, at most `workers` keys at a time. */
  async run(reconcile: Reconcile, workers: number, signal: AbortSignal): Promise<void> {
    await using group = new TaskGroup(signal);
    onAbort(signal, () => this.stop());
    for (let i = 0; i < workers; i++) group.run((groupSignal) => this.work(reconcile, groupSignal));
    await group.wait();
  }

  private stop(): void {
    for (const { stop } of this.timers.values()) stop.abort();
    this.timers.clear();
    for (const wake of this.wakeups.splice(0)) wake();
  }

  /** Replaces whatever was due for the key. */
  private schedule(key: string, delayMs: number, isBackoff: boolean): void {
    this.timers.get(key)?.stop.abort();
    const stop = new AbortController();
    // Not a number, as from a time that cannot be read, must not mean at once: that would spin.
    const ms = Number.isNaN(delayMs) ? DELAY_MAX_MS : Math.max(0, delayMs);
    this.timers.set(key, { dueMs: this.deps.clock.monotonicMs() + ms, isBackoff, stop });
    void this.deps.clock.sleep(ms, stop.signal).then(() => {
      if (stop.signal.aborted) return;
      this.timers.delete(key);
      this.add(key);
    });
  }

  private async work(reconcile: Reconcile, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = this.take();
      if (key === undefined) {
        await new Promise<void>((resolve) => this.wakeups.push(resolve));
        continue;
      }
      await this.runOne(key, reconcile, signal);
    }
  }

  private take(): string | undefined {
    const { value } = this.waiting.values().next();
    if (value === undefined) return undefined;
    this.waiting.delete(value);
    this.working.add(value);
    return value;
  }

  private async runOne(key: string, reconcile: Reconcile, signal: AbortSignal): Promise<void> {
    try {
      await reconcile(key, signal);
      this.failures.delete(key);
    } catch (error) {
      if (!signal.aborted) this.retryLater(key, error);
    } finally {
      this.working.delete(key);
      if (this.again.delete(key)) this.add(key);
    }
  }

  private retryLater(key: string, error: unknown): void {
    const failures = this.failures.get(key) ?? 0;
    this.failures.set(key, failures + 1);
    const ms = backoffMs(failures, this.options.backoff ?? BACKOFF, this.deps.random);
    // The first failures are mostly lost races on resourceVersion, which the retry settles.
    const level = failures < 3 ? 'debug' : 'warn';
    this.deps.log[level]({ queue: this.name, key, err: error, retryInMs: ms }, 'reconcile failed');
    this.schedule(key, ms, true);
    if (failures >= FAILURES_BEFORE_REPORT && isLasting(error)) this.reportFault(key, error);
  }

  private reportFault(key: string, error: unknown): void {
    const subject = this.options.subjectOf(key);
    if (subject !== undefined) this.deps.faults?.report({ consumer: this.name, ...subject, error });
  }
}

const BACKOFF: BackoffOptions = { initialMs: 20, maxMs: 60_000 };
const FAILURES_BEFORE_REPORT = 2;
/** Longer timers would end at once: the platform's counts milliseconds in 31 bits. */
const DELAY_MAX_MS = 24 * 60 * 60 * 1000;
