import type { Random } from '../random';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Growth per attempt. Default 2. */
  readonly factor?: number;
  /** Share of the delay that is random, 0 to 1. Default 0.5: half fixed, half drawn. */
  readonly jitter?: number;
}

/** The delay before retry number `attempt` (0 first): capped exponential with jitter. */
export const backoffMs = (
  attempt: number,
  { initialMs, maxMs, factor = 2, jitter = 0.5 }: BackoffOptions,
  random: Random,
): number => {
  const fullMs = Math.min(maxMs, initialMs * factor ** Math.min(attempt, 64));
  return fullMs * (1 - jitter) + fullMs * jitter * random.next();
};
