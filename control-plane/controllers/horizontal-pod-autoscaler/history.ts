/** What one autoscaler was told and did of late, by the monotonic clock; the oldest first. */
export interface History {
  readonly recommendations: readonly Entry[];
  readonly added: readonly Entry[];
  readonly removed: readonly Entry[];
}

interface Entry {
  readonly replicas: number;
  readonly atMs: number;
}

/**
 * Of one that is seen for the first time, after a start of the server too: what is there now counts as
 * recommended, so that nothing is taken away before its window has passed.
 */
export const firstHistory = (replicas: number, nowMs: number): History => ({
  recommendations: [{ replicas, atMs: nowMs }],
  added: [],
  removed: [],
});

/** With what the metrics say now, and without what is older than `memoryMs`. */
export const recommended = (
  history: History,
  replicas: number,
  nowMs: number,
  memoryMs: number,
): History => ({
  ...pruned(history, nowMs - memoryMs),
  recommendations: bounded([
    ...pruned(history, nowMs - memoryMs).recommendations,
    { replicas, atMs: nowMs },
  ]),
});

export const rescaled = (history: History, from: number, to: number, nowMs: number): History => {
  const entry = { replicas: Math.abs(to - from), atMs: nowMs };
  return to > from
    ? { ...history, added: bounded([...history.added, entry]) }
    : { ...history, removed: bounded([...history.removed, entry]) };
};

const pruned = (history: History, beginMs: number): History => {
  const young = (list: readonly Entry[]) => list.filter(({ atMs }) => atMs >= beginMs);
  const { recommendations, added, removed } = history;
  return { recommendations: young(recommendations), added: young(added), removed: young(removed) };
};

const bounded = (list: readonly Entry[]): readonly Entry[] => list.slice(-ENTRIES_MAX);

/** Several times what the longest window holds, one each 15 s. */
const ENTRIES_MAX = 1024;
