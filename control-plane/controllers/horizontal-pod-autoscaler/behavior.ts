import type { HorizontalPodAutoscaler } from '../../../api/types';
import type { History } from './history';

type Behavior = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['behavior']>;
type ScalingRules = NonNullable<Behavior['scaleUp']>;

export interface NormalizeInput {
  /** What the metrics say. */
  readonly desired: number;
  readonly current: number;
  readonly min: number;
  readonly max: number;
  readonly behavior: Behavior | undefined;
  readonly history: History;
  /** Monotonic, as in the history. */
  readonly nowMs: number;
}

interface Reason {
  readonly reason: string;
  readonly message: string;
}

export interface Normalized {
  readonly replicas: number;
  /** For the condition AbleToScale. */
  readonly ability: Reason;
  /** For the condition ScalingLimited. */
  readonly limit: Reason & { readonly isLimited: boolean };
}

/**
 * What may be done at once of what the metrics say: what was recommended of late, how fast replicas may come
 * and go, and how few and many they may be. Source: upstream's `pkg/controller/podautoscaler/horizontal.go`.
 */
export const normalize = (input: NormalizeInput): Normalized => {
  const { desired, behavior } = input;
  const stabilized = behavior === undefined ? steadied(input) : steadiedBy(input, behavior);
  const ability =
    stabilized === desired ? READY : desired >= input.current && behavior ? HELD_UP : HELD_DOWN;
  const bounds = behavior === undefined ? boundsOf(input) : boundsBy(input, behavior, stabilized);
  const { replicas, ...limit } = clamped(stabilized, bounds);
  return { replicas, ability, limit: { ...limit, isLimited: replicas !== stabilized } };
};

/** For how long a recommendation is of matter, and a change that was made. */
export const memoryMs = (behavior: Behavior | undefined): number => {
  const rules = [behavior?.scaleUp, behavior?.scaleDown];
  const periods = rules.flatMap((each) => each?.policies ?? []).map((each) => each.periodSeconds);
  const windows = [windowOf(behavior?.scaleUp, 0), windowOf(behavior?.scaleDown, WINDOW_SECONDS)];
  return Math.max(...periods, ...windows) * 1000;
};

/** Without rules: the highest of the last minutes. */
const steadied = ({ desired, history, nowMs }: NormalizeInput): number =>
  Math.max(desired, ...since(history.recommendations, nowMs, WINDOW_SECONDS).map(replicasIn));

/** Between the lowest of one window and the highest of the other, as near to what is there as can be. */
const steadiedBy = (input: NormalizeInput, { scaleUp, scaleDown }: Behavior): number => {
  const { desired, current, nowMs } = input;
  const { recommendations } = input.history;
  const recent = (seconds: number) => since(recommendations, nowMs, seconds).map(replicasIn);
  const lowest = Math.min(desired, ...recent(windowOf(scaleUp, 0)));
  const highest = Math.max(desired, ...recent(windowOf(scaleDown, WINDOW_SECONDS)));
  return Math.min(Math.max(current, lowest), highest);
};

interface Bounds {
  readonly lower: number;
  readonly lowerWhy: Reason;
  readonly upper: number;
  readonly upperWhy: Reason;
}

const clamped = (wanted: number, { lower, lowerWhy, upper, upperWhy }: Bounds) => {
  if (wanted < lower) return { replicas: lower, ...lowerWhy };
  return wanted > upper ? { replicas: upper, ...upperWhy } : { replicas: wanted, ...WITHIN };
};

const boundsOf = ({ current, min, max }: NormalizeInput): Bounds => {
  const limit = Math.max(UP_FACTOR * current, UP_MINIMUM);
  return {
    ...{ lower: min, lowerWhy: TOO_FEW },
    ...(max > limit ? { upper: limit, upperWhy: UP_LIMIT } : { upper: max, upperWhy: TOO_MANY }),
  };
};

/** The rules of the direction that it goes; the other bound does not bind. */
const boundsBy = (
  { current, min, max, history, nowMs }: NormalizeInput,
  { scaleUp, scaleDown }: Behavior,
  wanted: number,
): Bounds => {
  const free = { lower: 0, lowerWhy: TOO_FEW, upper: Infinity, upperWhy: TOO_MANY };
  if (wanted > current) {
    const limit = Math.max(current, upLimit(scaleUp, current, history, nowMs));
    return max > limit
      ? { ...free, upper: limit, upperWhy: UP_LIMIT }
      : { ...free, upper: max, upperWhy: TOO_MANY };
  }
  if (wanted === current) return free;
  const limit = Math.min(current, downLimit(scaleDown, current, history, nowMs));
  return min < limit
    ? { ...free, lower: limit, lowerWhy: DOWN_LIMIT }
    : { ...free, lower: min, lowerWhy: TOO_FEW };
};

/** How many there were when the period of a policy began. */
const atStartOf = (seconds: number, current: number, history: History, nowMs: number): number => {
  const changes = (list: History['added']) =>
    since(list, nowMs, seconds).reduce((total, { replicas }) => total + replicas, 0);
  return current - changes(history.added) + changes(history.removed);
};

const upLimit = (
  rules: ScalingRules | undefined,
  current: number,
  history: History,
  nowMs: number,
): number => {
  const { selectPolicy, policies = [] } = rules ?? {};
  if (selectPolicy === 'Disabled') return current;
  const proposals = policies.map(({ type, value, periodSeconds }) => {
    const before = atStartOf(periodSeconds, current, history, nowMs);
    // Rounded up: a small share of few would never be one more.
    return type === 'Pods' ? before + value : Math.ceil(before * (1 + value / 100));
  });
  return selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(...proposals);
};

const downLimit = (
  rules: ScalingRules | undefined,
  current: number,
  history: History,
  nowMs: number,
): number => {
  const { selectPolicy, policies = [] } = rules ?? {};
  if (selectPolicy === 'Disabled') return current;
  const proposals = policies.map(({ type, value, periodSeconds }) => {
    const before = atStartOf(periodSeconds, current, history, nowMs);
    return type === 'Pods' ? before - value : Math.trunc(before * (1 - value / 100));
  });
  return selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(...proposals);
};

const windowOf = (rules: ScalingRules | undefined, otherwise: number): number =>
  rules?.stabilizationWindowSeconds ?? otherwise;

const replicasIn = ({ replicas }: { readonly replicas: number }): number => replicas;

const since = <T extends { readonly atMs: number }>(
  list: readonly T[],
  nowMs: number,
  seconds: number,
): readonly T[] => list.filter(({ atMs }) => atMs > nowMs - seconds * 1000);

const READY: Reason = {
  reason: 'ReadyForNewScale',
  message: 'recommended size matches current size',
};
const HELD_UP: Reason = {
  reason: 'ScaleUpStabilized',
  message:
    'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const HELD_DOWN: Reason = {
  reason: 'ScaleDownStabilized',
  message:
    'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const WITHIN: Reason = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
};
const TOO_FEW: Reason = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const TOO_MANY: Reason = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const UP_LIMIT: Reason = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const DOWN_LIMIT: Reason = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};

/** Upstream's `--horizontal-pod-autoscaler-downscale-stabilization`. */
const WINDOW_SECONDS = 300;
const UP_FACTOR = 2;
const UP_MINIMUM = 4;
