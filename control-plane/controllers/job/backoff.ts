/** Upstream's waits before a failed pod is replaced: 10 s, 20 s, 40 s, ..., 10 minutes. */
export const replacementDelayMs = (failureCount: number): number =>
  failureCount <= 0
    ? 0
    : Math.min(DELAY_MAX_MS, DELAY_MS * 2 ** Math.min(failureCount - 1, DOUBLINGS_MAX));

/** Failures beyond so many in a row wait no longer. */
export const FAILURES_THAT_MATTER = 8;

const DELAY_MS = 10_000;
const DELAY_MAX_MS = 10 * 60_000;
const DOUBLINGS_MAX = 30;
