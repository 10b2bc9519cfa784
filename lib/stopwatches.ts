import type { Clock } from './clock';

/**
 * Times of events on this machine that are known by a wall-clock stamp only (they happened before
 * this process began, or another process wrote them down), as monotonic times. Each is brought over
 * once, when it is first asked for; whoever sets the wall clock afterwards changes nothing. A stamp
 * from the future, and one that is no time at all, counts as now: a wait that begins with it lasts as long as it should, never longer.
 */
export class Stopwatches {
  private readonly startedMs = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** When the event `key`, stamped `stampMs` on this machine's wall clock, was: in monotonic ms. */
  startOf(key: string, stampMs: number): number {
    const known = this.startedMs.get(key);
    if (known !== undefined) return known;
    const agoMs = Math.max(0, this.clock.now() - stampMs) || 0;
    const startMs = this.clock.monotonicMs() - agoMs;
    this.startedMs.set(key, startMs);
    return startMs;
  }

  /** Drops all but these. Without it they stay as long as this object. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.startedMs.keys()) if (!keys.has(key)) this.startedMs.delete(key);
  }
}
