import type { Pod } from '../../../api/types';
import { leastWanted, roomToWait } from '../replica-set-plan';
import { replacementDelayMs } from './backoff';
import { IndexSet } from './index-set';
import { completionIndexOf } from './job-pod';
import { allFailuresBefore, type Observed } from './observe';
import type { Wanted } from './wanted';

/** A pod to be made: which index it is for, and of which failed pod it carries on the count. */
export interface NewPod {
  readonly index: number | undefined;
  readonly replaced: Pod | undefined;
}

export interface PodPlan {
  readonly remove: readonly Pod[];
  readonly create: readonly NewPod[];
  /** Failed pods are replaced after so long; undefined if nothing waits. */
  readonly retryInMs: number | undefined;
}

/** How long ago pods failed, in monotonic time. */
export interface FailureTimes {
  /** Until a pod may replace those that have failed in a row. */
  readonly jobWaitMs: number;
  readonly sinceFailureMs: (pod: Pod) => number;
}

/** Pods of a job that goes on, as upstream's manageJob: a round removes or creates, never both. */
export const planPods = (wanted: Wanted, observed: Observed, times: FailureTimes): PodPlan => {
  const { active } = observed;
  const wantedActive = wantedActiveOf(wanted, observed);
  const remove = forRemoval(wanted, active, Math.max(0, active.length - wantedActive));
  if (remove.length > 0 || wanted.isSuspended)
    return { remove: remove.slice(0, ROUND_MAX), create: [], retryInMs: undefined };
  const leaving = wanted.replacesOnlyFailed ? observed.terminating.length : 0;
  const missing = Math.min(ROUND_MAX, roomToWait(active), wantedActive - leaving - active.length);
  if (missing <= 0) return NOTHING;
  if (wanted.backoffLimitPerIndex !== undefined)
    return planIndexes(wanted, observed, times, missing);
  if (times.jobWaitMs > 0) return { ...NOTHING, retryInMs: times.jobWaitMs };
  const create = wanted.isIndexed
    ? pendingIndexes(wanted, observed, missing).map((index) => ({ index, replaced: undefined }))
    : Array.from({ length: missing }, () => ({ index: undefined, replaced: undefined }));
  return { ...NOTHING, create };
};

const NOTHING: PodPlan = { remove: [], create: [], retryInMs: undefined };

/** Upstream's bound of what one round creates or removes. */
const ROUND_MAX = 500;

const wantedActiveOf = (wanted: Wanted, { active, succeeded }: Observed): number => {
  const { isSuspended, completions, parallelism } = wanted;
  if (isSuspended) return 0;
  if (completions !== undefined) return Math.max(0, Math.min(parallelism, completions - succeeded));
  // Those that still run may finish, but nothing replaces them.
  return succeeded > 0 ? active.length : parallelism;
};

const forRemoval = (wanted: Wanted, active: readonly Pod[], count: number): readonly Pod[] => {
  const { unwanted, kept } = wanted.isIndexed
    ? splitByIndex(active, wanted.completions)
    : { unwanted: [], kept: active };
  const more = Math.max(0, count - unwanted.length);
  return more === 0 ? unwanted : [...unwanted, ...leastWanted(kept).slice(0, more)];
};

/** Of each index one pod is kept, the one that has come furthest. */
const splitByIndex = (
  active: readonly Pod[],
  completions: number | undefined,
): { readonly unwanted: readonly Pod[]; readonly kept: readonly Pod[] } => {
  const kept = new Map<number, Pod>();
  const unwanted: Pod[] = [];
  for (const pod of [...leastWanted(active)].reverse()) {
    const index = completionIndexOf(pod, completions);
    if (index === undefined || kept.has(index)) unwanted.push(pod);
    else kept.set(index, pod);
  }
  return { unwanted, kept: [...kept.values()] };
};

const pendingIndexes = (
  wanted: Wanted,
  { active, terminating, indexes }: Observed,
  count: number,
): readonly number[] => {
  const { completions = 0 } = wanted;
  const taken = wanted.replacesOnlyFailed ? [...active, ...terminating] : active;
  const busy = taken
    .map((pod) => completionIndexOf(pod, completions))
    .filter((index) => index !== undefined);
  return (indexes?.succeeded ?? IndexSet.EMPTY)
    .union(indexes?.failed ?? IndexSet.EMPTY)
    .union(IndexSet.of(busy))
    .firstMissing(count, completions);
};

/** Each index waits for itself. */
const planIndexes = (
  wanted: Wanted,
  observed: Observed,
  { sinceFailureMs }: FailureTimes,
  count: number,
): PodPlan => {
  const create: NewPod[] = [];
  let retryInMs: number | undefined;
  for (const index of pendingIndexes(wanted, observed, count)) {
    const replaced = observed.indexes?.awaiting.get(index);
    const delayMs =
      replaced === undefined ? 0 : replacementDelayMs(allFailuresBefore(replaced) + 1);
    const waitMs = replaced === undefined ? 0 : delayMs - sinceFailureMs(replaced);
    if (waitMs <= 0) create.push({ index, replaced });
    else retryInMs = Math.min(retryInMs ?? Infinity, waitMs);
  }
  return { remove: [], create, retryInMs };
};
