import { isPodReady, isTerminal } from '../../../api/pods';
import { uidOf, type Job, type Pod } from '../../../api/types';
import { failureVerdictOf } from './failure-policy';
import { IndexSet } from './index-set';
import {
  completionIndexOf,
  failureCountOf,
  finishedMsOf,
  hasFailed,
  ignoredFailureCountOf,
  isTracked,
} from './job-pod';
import type { Wanted } from './wanted';

/** What the pods of a job amount to, beside what its status says already. */
export interface Observed {
  readonly pods: readonly Pod[];
  /** Neither ended nor on their way out. */
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  readonly readyCount: number;
  /** Uids that the status names and whose pods still have the finalizer. */
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** What the status counts, with those uids that it named and whose finalizer has gone. */
  readonly counted: { readonly succeeded: number; readonly failed: number };
  /** Counted or to be counted. */
  readonly succeeded: number;
  readonly failed: number;
  /** Of an indexed job. */
  readonly indexes: Indexes | undefined;
}

export interface Indexes {
  readonly succeeded: IndexSet;
  /** Where each index has its own limit. */
  readonly failed: IndexSet | undefined;
  /** By index the last pod that failed: it is kept uncounted until its replacement carries on its count. */
  readonly awaiting: ReadonlyMap<number, Pod>;
}

/** `isLeaving`: deletion was asked for, seen or not. */
export const observe = (
  job: Job,
  wanted: Wanted,
  pods: readonly Pod[],
  isLeaving: (pod: Pod) => boolean,
): Observed => {
  const ongoing = pods.filter((pod) => !isTerminal(pod));
  const active = ongoing.filter((pod) => !isLeaving(pod));
  const tracked = new Map(pods.filter(isTracked).map((pod) => [uidOf(pod), pod]));
  const { uncountedTerminatedPods: named, succeeded = 0, failed = 0 } = job.status ?? {};
  const still = (uids: readonly string[] = []) => uids.filter((uid) => tracked.has(uid));
  const uncounted = { succeeded: still(named?.succeeded), failed: still(named?.failed) };
  const gone = (uids: readonly string[] = [], left: readonly string[]) => uids.length - left.length;
  const counted = {
    succeeded: succeeded + gone(named?.succeeded, uncounted.succeeded),
    failed: failed + gone(named?.failed, uncounted.failed),
  };
  const known = new Set([...uncounted.succeeded, ...uncounted.failed]);
  const isNew = (pod: Pod) =>
    !known.has(uidOf(pod)) &&
    (!wanted.isIndexed || completionIndexOf(pod, wanted.completions) !== undefined);
  const all = [...tracked.values()];
  const newlySucceeded = all.filter((pod) => pod.status.phase === 'Succeeded' && isNew(pod));
  const newlyFailed = all.filter(
    (pod) =>
      hasFailed(pod, wanted) && isNew(pod) && failureVerdictOf(wanted.failurePolicy, pod).isCounted,
  );
  const indexes = wanted.isIndexed ? indexesOf(job, wanted, pods, active) : undefined;
  return {
    ...{ pods, active, uncounted, counted, indexes },
    terminating: ongoing.filter(isLeaving),
    readyCount: active.filter(isPodReady).length,
    succeeded:
      indexes?.succeeded.size ??
      counted.succeeded + uncounted.succeeded.length + newlySucceeded.length,
    failed: counted.failed + uncounted.failed.length + newlyFailed.length,
  };
};

const indexesOf = (
  job: Job,
  wanted: Wanted,
  pods: readonly Pod[],
  active: readonly Pod[],
): Indexes => {
  const { completions = 0, backoffLimitPerIndex } = wanted;
  const indexOf = (pod: Pod) => completionIndexOf(pod, completions);
  const indexesAmong = (chosen: readonly Pod[]) =>
    IndexSet.of(chosen.map(indexOf).filter((index) => index !== undefined));
  const tracked = pods.filter(isTracked);
  const done = tracked.filter(({ status }) => status.phase === 'Succeeded');
  const { completedIndexes = '', failedIndexes = '' } = job.status ?? {};
  const succeeded = IndexSet.parse(completedIndexes, completions).union(indexesAmong(done));
  if (backoffLimitPerIndex === undefined)
    return { succeeded, failed: undefined, awaiting: new Map() };
  const given = tracked.filter((pod) => failsItsIndex(pod, wanted, backoffLimitPerIndex));
  const failed = IndexSet.parse(failedIndexes, completions).union(indexesAmong(given));
  const settled = succeeded.union(failed).union(indexesAmong(active));
  const awaiting = new Map<number, Pod>();
  for (const pod of tracked) {
    const index = indexOf(pod);
    if (index === undefined || settled.has(index) || !hasFailed(pod, wanted)) continue;
    const known = awaiting.get(index);
    if (known === undefined || isLater(pod, known)) awaiting.set(index, pod);
  }
  return { succeeded, failed, awaiting };
};

const failsItsIndex = (pod: Pod, wanted: Wanted, limit: number): boolean => {
  if (!hasFailed(pod, wanted)) return false;
  const { failsIndex, isCounted } = failureVerdictOf(wanted.failurePolicy, pod);
  return failsIndex || (isCounted && failureCountOf(pod) >= limit);
};

/** All failures of its index before it, those that do not count included. */
export const allFailuresBefore = (pod: Pod): number =>
  failureCountOf(pod) + ignoredFailureCountOf(pod);

const isLater = (pod: Pod, other: Pod): boolean =>
  allFailuresBefore(pod) >= allFailuresBefore(other) && finishedMsOf(pod) >= finishedMsOf(other);
