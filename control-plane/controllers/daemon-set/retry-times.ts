import type { Clock } from '../../../lib/clock';

interface Retry {
  readonly delayMs: number;
  readonly sinceMs: number;
}

/**
 * When what has failed may be tried again: later each time, and forgotten by who does not fail for long.
 * Counted on this process's monotonic clock. Source: client-go, flowcontrol.Backoff.
 */
export class RetryTimes {
  private readonly retries = new Map<string, Retry>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: { readonly initialMs: number; readonly maxMs: number },
  ) {}

  /** How long there is to wait; 0 for what may be tried now. */
  restMs(key: string): number {
    const known = this.retries.get(key);
    return known === undefined
      ? 0
      : Math.max(0, known.sinceMs + known.delayMs - this.clock.monotonicMs());
  }

  /** It is tried now: the next time has to wait. */
  note(key: string): void {
    const { initialMs, maxMs } = this.limits;
    const sinceMs = this.clock.monotonicMs();
    for (const [each, retry] of this.retries)
      if (sinceMs - retry.sinceMs > 2 * maxMs) this.retries.delete(each);
    const known = this.retries.get(key);
    const delayMs = known === undefined ? initialMs : Math.min(maxMs, known.delayMs * 2);
    this.retries.set(key, { delayMs, sinceMs });
  }

  /** Forgets all keys that begin with this. */
  forget(prefix: string): void {
    for (const key of this.retries.keys()) if (key.startsWith(prefix)) this.retries.delete(key);
  }
}
