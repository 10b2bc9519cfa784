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
 * it was later than `LATE_MS`. While nothing begins and the process has little to do, it looks every
 * `CALM_INTERVAL_MS` only: to wake so often would cost an idle agent more than all else that it does.
 */
export class EventLoopMonitor implements Disposable {
  private readonly counts = BOUNDS_MS.map(() => 0);
  private sumMs = 0;
  private count = 0;
  private dueMs = 0;
  private quietCount = 0;
  /** Since the last look. */
  private hasBegun = false;
  private used: { readonly cpuMs: number; readonly atMs: number };
  private callOff: () => void = () => undefined;

  constructor(private readonly deps: EventLoopMonitorDeps) {
    deps.activities.onBegin = () => this.watchClosely();
    this.used = { cpuMs: cpuMs(), atMs: deps.clock.monotonicMs() };
    this.sampleIn(INTERVAL_MS);
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
    this.deps.activities.onBegin = () => undefined;
    this.callOff();
  }

  private get isCalm(): boolean {
    return this.quietCount >= QUIET_COUNT;
  }

  private watchClosely(): void {
    this.hasBegun = true;
    if (!this.isCalm) return;
    this.quietCount = 0;
    this.callOff();
    this.sampleIn(INTERVAL_MS);
  }

  private sampleIn(ms: number): void {
    const { clock } = this.deps;
    this.dueMs = clock.monotonicMs() + ms;
    this.callOff = clock.after(ms, () => {
      this.sample();
      this.quietCount = this.hasBegun || this.wasBusy() ? 0 : this.quietCount + 1;
      this.hasBegun = false;
      this.sampleIn(this.isCalm ? CALM_INTERVAL_MS : INTERVAL_MS);
    });
  }

  private sample(): void {
    const lagMs = Math.max(0, this.deps.clock.monotonicMs() - this.dueMs);
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

  /**
   * Whether there was much to do since it was asked last, named or not. To ask costs a system call, so
   * that nobody does while things begin.
   */
  private wasBusy(): boolean {
    const before = this.used;
    this.used = { cpuMs: cpuMs(), atMs: this.deps.clock.monotonicMs() };
    return this.used.cpuMs - before.cpuMs > (this.used.atMs - before.atMs) * BUSY;
  }
}

/** What this process has used of processors. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const INTERVAL_MS = 50;
/** A stall that lasts longer is seen, whoever makes it. */
const CALM_INTERVAL_MS = 5_000;
/** A burst of work ends in less; each look costs a tenth of what the start of a container does. */
const QUIET_COUNT = 3;
/** Of one processor. By its own time: a loop that others keep from running has no more to do. */
const BUSY = 0.1;
const LATE_MS = 100;
const NAMES_MAX = 8;
const BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
