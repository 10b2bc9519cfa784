import type { Clock } from '../lib/clock';

interface Bucket {
  tokens: number;
  readonly atMs: number;
}

/**
 * Bounds how much is said of one subject by one source: a burst, then one every five minutes. The
 * figures are those of upstream's EventSourceObjectSpamFilter. The least recently used of more than
 * `SUBJECTS_MAX` subjects are forgotten, and begin anew.
 */
export class SpamFilter {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly clock: Clock) {}

  /** May one more be said now? It counts as said. */
  admits(subject: string): boolean {
    const nowMs = this.clock.monotonicMs();
    const tokens = this.tokensOf(subject, nowMs);
    const isAdmitted = tokens >= 1;
    this.buckets.delete(subject);
    this.buckets.set(subject, { tokens: isAdmitted ? tokens - 1 : tokens, atMs: nowMs });
    if (this.buckets.size > SUBJECTS_MAX) this.forgetOldest();
    return isAdmitted;
  }

  private tokensOf(subject: string, nowMs: number): number {
    const known = this.buckets.get(subject);
    if (known === undefined) return BURST;
    return Math.min(BURST, known.tokens + (nowMs - known.atMs) / MS_PER_TOKEN);
  }

  private forgetOldest(): void {
    const { value } = this.buckets.keys().next();
    if (value !== undefined) this.buckets.delete(value);
  }
}

const BURST = 25;
const MS_PER_TOKEN = 5 * 60_000;
const SUBJECTS_MAX = 4096;
