import {
  amountOf,
  pressureOf,
  resourceOf,
  type NodePressure,
  type Signal,
  type Threshold,
} from './thresholds';

/** What one signal says: bytes, inodes or processes. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

/** A signal that cannot be read is absent: nothing is decided by it. */
export type Observations = Partial<Readonly<Record<Signal, Observation>>>;

/** What was seen before. Times are monotonic. */
export interface PressureState {
  /** Met for as long as they ask, and not relieved since by what they want reclaimed. */
  readonly met: readonly Threshold[];
  readonly metSinceMs: ReadonlyMap<Threshold, number>;
  readonly pressureSeenMs: ReadonlyMap<NodePressure, number>;
}

export const NO_PRESSURE: PressureState = {
  met: [],
  metSinceMs: new Map(),
  pressureSeenMs: new Map(),
};

/** Pure: thresholds that what there is does not reach. */
export const unmetBy = (
  observations: Observations,
  thresholds: readonly Threshold[],
  withReclaim: boolean,
): readonly Threshold[] =>
  thresholds.filter(({ signal, amount, minReclaim }) => {
    const seen = observations[signal];
    if (seen === undefined) return false;
    const more = withReclaim && minReclaim !== undefined ? amountOf(minReclaim, seen.capacity) : 0;
    return seen.available < amountOf(amount, seen.capacity) + more;
  });

/**
 * Pure: what follows from a look at the node, in upstream's order (eviction_manager.go, synchronize). A
 * threshold counts from its first look, a pressure for `transitionMs` after its last one.
 */
export const nextPressure = (
  state: PressureState,
  thresholds: readonly Threshold[],
  observations: Observations,
  { nowMs, transitionMs }: { readonly nowMs: number; readonly transitionMs: number },
): PressureState => {
  const crossed = new Set([
    ...unmetBy(observations, thresholds, false),
    ...unmetBy(observations, state.met, true),
  ]);
  const metSinceMs = new Map(
    [...crossed].map((each) => [each, state.metSinceMs.get(each) ?? nowMs]),
  );
  const pressureSeenMs = new Map([
    ...[...state.pressureSeenMs].filter(([, seenMs]) => nowMs - seenMs < transitionMs),
    ...[...crossed].map(({ signal }) => [pressureOf(signal), nowMs] as const),
  ]);
  const met = [...crossed].filter(
    (each) => nowMs - (metSinceMs.get(each) ?? nowMs) >= (each.graceMs ?? 0),
  );
  return { met, metSinceMs, pressureSeenMs };
};

export const pressuresOf = ({ pressureSeenMs }: PressureState): ReadonlySet<NodePressure> =>
  new Set(pressureSeenMs.keys());

/** Pure: memory before all else, as upstream's; undefined: nothing is to be reclaimed. */
export const mostUrgent = ({ met }: PressureState): Threshold | undefined =>
  met.find(({ signal }) => resourceOf(signal) === 'memory') ?? met[0];
