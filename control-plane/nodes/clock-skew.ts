import type { ConditionInput } from '../../api/pods';
import type { NodeCondition } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { ClockReading } from '../../proto/gen/dhow/agent/v1/agent';

/** How far an agent's wall clock is ahead of ours; behind when negative. */
export interface ClockSkew {
  readonly skewMs: number;
  /** The true skew is no further from `skewMs` than this: half of the round trip. */
  readonly boundMs: number;
}

/**
 * Compares an agent's wall clock with ours. Each acknowledgement is a probe; the next heartbeat tells
 * where the agent's clock stands and how long it had the probe, so that what remains of the time in
 * between was spent on the way. Monotonic time measures it, on either side.
 */
export class ClockProbe {
  private number = 0n;
  private sentAtMs = 0;
  /** One probe is one measurement, however often an agent answers it. */
  private isAnswered = true;

  constructor(private readonly clock: Clock) {}

  /** The number of a probe that is sent now. */
  next(): bigint {
    this.sentAtMs = this.clock.monotonicMs();
    this.isAnswered = false;
    return ++this.number;
  }

  /** Undefined for what answers no probe, or another than the last, or cannot be. */
  skewOf(reading: ClockReading | undefined): ClockSkew | undefined {
    if (reading === undefined || this.isAnswered || reading.probe !== this.number) return undefined;
    this.isAnswered = true;
    const { heldMs, wallMs } = reading;
    const passedMs = this.clock.monotonicMs() - this.sentAtMs;
    const isPossible =
      heldMs >= 0 && heldMs <= passedMs * CLOCK_RATE_MAX + 1 && Math.abs(wallMs) <= WALL_MS_MAX;
    if (!isPossible) return undefined;
    const boundMs = Math.max(0, passedMs - heldMs) / 2;
    return { skewMs: wallMs - (this.clock.now() - boundMs), boundMs };
  }
}

/**
 * Pure: the condition that a measurement leads to; undefined where it leads to none other than is
 * `stored`. Inside its bound the measurement says nothing either way: then what was known stays.
 * `toldMs` is the skew that the stored condition tells of.
 */
export const skewCondition = (
  stored: NodeCondition | undefined,
  { skewMs, boundMs }: ClockSkew,
  toldMs: number | undefined,
): ConditionInput | undefined => {
  const offMs = Math.abs(skewMs);
  if (offMs - boundMs > SKEW_MS_MAX) {
    const isTold = toldMs !== undefined && Math.abs(skewMs - toldMs) < NEWS_MS + boundMs;
    if (stored?.status === 'True' && isTold) return undefined;
    const direction = skewMs > 0 ? 'ahead of' : 'behind';
    const message =
      `the clock of this node is ${seconds(offMs)} ${direction} the server's, ` +
      `measured to within ${Math.max(1, Math.ceil(boundMs / 100)) / 10} s`;
    return { type: CLOCK_SKEWED, status: 'True', reason: 'ClockIsOff', message };
  }
  if (offMs + boundMs > SKEW_MS_MAX || stored?.status === 'False') return undefined;
  const message = `the clock of this node is within ${seconds(SKEW_MS_MAX)} of the server's`;
  return { type: CLOCK_SKEWED, status: 'False', reason: 'ClockAgrees', message };
};

/** Tenths below a minute, where a measurement is worth them. */
const seconds = (ms: number): string =>
  ms >= 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 100) / 10} s`;

/** The node condition: its clock and the server's differ by more than `SKEW_MS_MAX`. */
export const CLOCK_SKEWED = 'ClockSkewed';
const SKEW_MS_MAX = 5000;
/** A change of the skew that is worth a write. */
const NEWS_MS = 1000;
/** Monotonic clocks of two machines run apart by a few hundred parts in a million at most. */
const CLOCK_RATE_MAX = 1.001;
/** What a date can hold: 285,000 years. */
const WALL_MS_MAX = 8.64e15;
