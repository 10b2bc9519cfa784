import type { Activities } from './activities';
import type { Clock } from './clock';
import type { Log } from './log';

export interface EventLoopMonitorDeps {
  readonly log: Log;
  readonly activities: Activities;
  readonly clock: Clock;
}

/** Cumulative counts by upper bound in seconds, as Prometheus has histograms. */
export interface LagHistogram {
  readonly buckets: readonly (readonly [upToSeconds: number, count: number])[];
  readonly sumSeconds: number;
  readonly count: number;
}

/**
 * Measures how late the event loop runs what is due, 20 times a second, and says who was at work when
 * it was later than `LATE_MS`. Its own timer keeps no process alive.
 */
export class EventLoopMonitor implements Disposable {
  private readonly counts = BOUNDS_MS.map(() => 0);
  private sumMs = 0;
  private count = 0;
  private dueMs: number;
  private readonly stopped = new AbortController();

  constructor(private readonly deps: EventLoopMonitorDeps) {
    this.dueMs = deps.clock.monotonicMs() + INTERVAL_MS;
    void this.run();
  }

  get histogram(): LagHistogram {
    let below = 0;
    return {
      buckets: BOUNDS_MS.map((bound, i) => [bound / 1000, (below += this.counts[i] ?? 0)] as const),
      sumSeconds: this.sumMs / 1000,
      count: this.count,
    };
  }

  [Symbol.dispose](): void {
    this.stopped.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    for (;;) {
      await this.deps.clock.sleep(INTERVAL_MS, signal);
      if (signal.aborted) return;
      this.sample();
    }
  }

  private sample(): void {
    const nowMs = this.deps.clock.monotonicMs();
    const lagMs = Math.max(0, nowMs - this.dueMs);
    this.dueMs = nowMs + INTERVAL_MS;
    this.sumMs += lagMs;
    this.count++;
    const bucket = BOUNDS_MS.findIndex((bound) => lagMs <= bound);
    if (bucket >= 0) this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    const { activities, log } = this.deps;
    if (lagMs > LATE_MS)
      log.warn(
        {
          lagMs: Math.round(lagMs),
          during: activities.names(NAMES_MAX),
          activityCount: activities.size,
        },
        'event loop was late',
      );
    activities.forgetEnded();
  }
}

const INTERVAL_MS = 50;
const LATE_MS = 100;
const NAMES_MAX = 8;
const BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
