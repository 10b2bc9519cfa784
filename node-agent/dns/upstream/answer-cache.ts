import type { UpstreamAnswer } from './upstream-answer';

export interface CachedAnswer {
  readonly answer: UpstreamAnswer;
  readonly ageMs: number;
  /** It is past its time: to be told only when nothing better is to be had. */
  readonly isStale: boolean;
}

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly positiveMaxMs: number;
  readonly negativeMaxMs: number;
  /** How long beyond its time an answer is kept: RFC 8767. */
  readonly staleMs: number;
}

interface Entry {
  readonly answer: UpstreamAnswer;
  readonly storedMs: number;
  readonly lifeMs: number;
  readonly bytes: number;
}

/** Answers of upstreams, of a bounded number and size: what was not asked for longest goes first. */
export class AnswerCache {
  private readonly entries = new Map<string, Entry>();
  private byteCount = 0;

  constructor(private readonly limits: CacheLimits) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: string, nowMs: number): CachedAnswer | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = nowMs - entry.storedMs;
    if (ageMs > entry.lifeMs + this.limits.staleMs) {
      this.delete(key, entry);
      return undefined;
    }
    this.entries.delete(key);
    this.entries.set(key, entry);
    return { answer: entry.answer, ageMs, isStale: ageMs >= entry.lifeMs };
  }

  /** Does nothing with an answer that must not be kept. */
  put(key: string, answer: UpstreamAnswer, nowMs: number): void {
    const lifeMs = this.lifeOf(answer);
    const bytes = ENTRY_BYTES + key.length + answer.records.length + 16 * answer.ends.length;
    if (lifeMs <= 0 || bytes > this.limits.bytes / 8) return;
    const before = this.entries.get(key);
    if (before !== undefined) this.delete(key, before);
    this.entries.set(key, { answer, storedMs: nowMs, lifeMs, bytes });
    this.byteCount += bytes;
    for (const [oldest, entry] of this.entries) {
      if (this.entries.size <= this.limits.entries && this.byteCount <= this.limits.bytes) return;
      this.delete(oldest, entry);
    }
  }

  private lifeOf({ ttlSeconds = 0, rcode, answerCount, isTruncated }: UpstreamAnswer): number {
    if (isTruncated || (rcode !== NOERROR && rcode !== NXDOMAIN)) return 0;
    const isPositive = rcode === NOERROR && answerCount > 0;
    const { positiveMaxMs, negativeMaxMs } = this.limits;
    return Math.min(ttlSeconds * 1000, isPositive ? positiveMaxMs : negativeMaxMs);
  }

  private delete(key: string, { bytes }: Entry): void {
    this.entries.delete(key);
    this.byteCount -= bytes;
  }
}

const NOERROR = 0;
const NXDOMAIN = 3;
/** Roughly, of what holds an entry together. */
const ENTRY_BYTES = 400;
