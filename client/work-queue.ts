import { backoffMs, type BackoffOptions } from '../lib/async/backoff';
import { TaskGroup } from '../lib/async/task-group';
import type { Clock } from '../lib/clock';
import type { Log } from '../lib/log';
import type { Random } from '../lib/random';

export interface WorkQueueDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Brings one key to its desired state. A rejection puts the key back with backoff. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<void>;

/**
 * Keys to reconcile. A key that is waiting is not added twice; one that is being worked on and is
 * added meanwhile runs once more afterwards, never twice at a time. The set of keys is bounded by
 * the set of objects.
 */
export class WorkQueue {
  private readonly waiting = new Set<string>();
  private readonly working = new Set<string>();
  private readonly again = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly timers = new Map<string, AbortController>();
  private wakeups: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly deps: WorkQueueDeps,
    private readonly backoff: BackoffOptions = { initialMs: 20, maxMs: 60_000 },
  ) {}

  add(key: string): void {
    if (this.working.has(key)) this.again.add(key);
    else this.waiting.add(key);
    this.wakeups.shift()?.();
  }

  /** Adds the key after `ms`; an earlier delayed add of the same key is replaced. */
  addAfter(key: string, ms: number): void {
    this.timers.get(key)?.abort();
    const timer = new AbortController();
    this.timers.set(key, timer);
    void this.deps.clock.sleep(ms, timer.signal).then(() => {
      if (timer.signal.aborted) return;
      this.timers.delete(key);
      this.add(key);
    });
  }

  get size(): number {
    return this.waiting.size + this.working.size;
  }

  /** Works until `signal` aborts, at most `workers` keys at a time. */
  async run(reconcile: Reconcile, workers: number, signal: AbortSignal): Promise<void> {
    await using group = new TaskGroup(signal);
    signal.addEventListener('abort', () => this.stop(), { once: true });
    for (let i = 0; i < workers; i++) group.run((groupSignal) => this.work(reconcile, groupSignal));
    await group.wait();
  }

  private stop(): void {
    for (const timer of this.timers.values()) timer.abort();
    this.timers.clear();
    for (const wake of this.wakeups.splice(0)) wake();
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
    const ms = backoffMs(failures, this.backoff, this.deps.random);
    // The first failures are mostly lost races on resourceVersion, which the retry settles.
    const level = failures < 3 ? 'debug' : 'warn';
    this.deps.log[level]({ queue: this.name, key, err: error, retryInMs: ms }, 'reconcile failed');
    this.addAfter(key, ms);
  }
}
