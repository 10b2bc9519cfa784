import { uidOf, type Job, type Pod } from '../../../api/types';
import { withClaim, type Claim, type JobCondition } from './conditions';
import { failureVerdictOf } from './failure-policy';
import { IndexSet } from './index-set';
import { completionIndexOf, hasFailed, isTracked } from './job-pod';
import type { Observed } from './observe';
import type { Wanted } from './wanted';

export type JobStatus = NonNullable<Job['status']>;

/** What is written of a job, and what may be done once that is written. */
export interface Counting {
  readonly status: JobStatus;
  /** Pods whose end the status will then have noted: their finalizer may go. */
  readonly release: readonly Pod[];
  /** The end of the job, if this status brings it. */
  readonly end: Claim | undefined;
  /** What is to be told of the job's suspension. */
  readonly suspension: 'Suspended' | 'Resumed' | undefined;
}

/** What is decided about the job before its pods are counted. */
export interface Decided {
  /** Why it ends early. */
  readonly verdict: Claim | undefined;
  /** Its pods were planned in this round, as those of a job that goes on. */
  readonly isPlanned: boolean;
}

/**
 * Counts ended pods exactly once, in upstream's two steps: their uids are written into
 * `uncountedTerminatedPods`, then their finalizers go, and the next status has numbers in place of the
 * uids whose pods have none left. Whoever dies between any two writes, the next one goes on from what
 * is stored. The end of the job is written when nothing of it is left to count or to end.
 */
export const countPods = (
  job: Job,
  wanted: Wanted,
  observed: Observed,
  { verdict, isPlanned }: Decided,
  nowText: string,
): Counting => {
  const noted = noteEnds(job, wanted, observed, verdict);
  const conditions = job.status?.conditions ?? [];
  const success = verdict ?? completionOf(wanted, observed);
  const isLeft =
    noted.release.length > 0 ||
    noted.isPartial ||
    noted.succeeded.length + noted.failed.length > 0 ||
    observed.active.length + observed.terminating.length > 0;
  const end = success === undefined || isLeft ? undefined : endBy(success);
  const suspended = success === undefined && isPlanned ? suspensionOf(wanted) : undefined;
  const claims = [success, end, suspended].filter((claim) => claim !== undefined);
  const next = claims.reduce((all, claim) => withClaim(all, claim, nowText), conditions);
  const isSuspensionNew =
    suspended !== undefined && withClaim(conditions, suspended, nowText) !== conditions;
  const isResumed = isSuspensionNew && !wanted.isSuspended;
  const startTime =
    isResumed || (job.status?.startTime === undefined && !wanted.isSuspended)
      ? nowText
      : job.status?.startTime;
  return {
    status: statusOf(job, wanted, observed, noted, { conditions: next, startTime, end, nowText }),
    release: noted.release,
    end,
    suspension: !isSuspensionNew ? undefined : wanted.isSuspended ? 'Suspended' : 'Resumed',
  };
};

const completionOf = (
  { completions }: Wanted,
  { active, succeeded }: Observed,
): Claim | undefined =>
  active.length === 0 && (completions === undefined ? succeeded > 0 : succeeded >= completions)
    ? {
        ...{ type: 'SuccessCriteriaMet', status: 'True', reason: 'CompletionsReached' },
        message: 'Reached expected number of succeeded pods',
      }
    : undefined;

const endBy = (claim: Claim): Claim => ({
  ...claim,
  type: claim.type === 'FailureTarget' ? 'Failed' : 'Complete',
});

const suspensionOf = ({ isSuspended }: Wanted): Claim =>
  isSuspended
    ? { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
    : { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' };

interface Noted {
  readonly succeeded: readonly string[];
  readonly failed: readonly string[];
  readonly completed: IndexSet | undefined;
  readonly release: readonly Pod[];
  /** There are more, for the next round. */
  readonly isPartial: boolean;
}

/** Of an indexed job a success is noted by its index: that is not counted twice either. */
const noteEnds = (
  job: Job,
  wanted: Wanted,
  observed: Observed,
  verdict: Claim | undefined,
): Noted => {
  const succeeded = new Set(observed.uncounted.succeeded);
  const failed = new Set(observed.uncounted.failed);
  const before = IndexSet.parse(job.status?.completedIndexes ?? '', wanted.completions ?? 0);
  const completed = new Set<number>();
  const release: Pod[] = [];
  const isFull = () => completed.size + succeeded.size + failed.size >= UNCOUNTED_MAX;
  for (const pod of observed.pods.filter(isTracked)) {
    if (!mayRelease(job, wanted, observed, verdict, pod)) continue;
    if (isFull() && !failed.has(uidOf(pod)) && !succeeded.has(uidOf(pod)))
      return noted(observed, { succeeded, failed, before, completed }, release, true);
    release.push(pod);
    const index = wanted.isIndexed ? completionIndexOf(pod, wanted.completions) : undefined;
    const isForeign = wanted.isIndexed && index === undefined;
    if (isForeign || failed.has(uidOf(pod))) continue;
    if (pod.status.phase === 'Succeeded') {
      if (index === undefined) succeeded.add(uidOf(pod));
      else if (!before.has(index)) completed.add(index);
    } else if (isFailure(wanted, verdict, pod)) failed.add(uidOf(pod));
  }
  return noted(observed, { succeeded, failed, before, completed }, release, false);
};

const noted = (
  { indexes }: Observed,
  ends: {
    readonly succeeded: ReadonlySet<string>;
    readonly failed: ReadonlySet<string>;
    readonly before: IndexSet;
    readonly completed: ReadonlySet<number>;
  },
  release: readonly Pod[],
  isPartial: boolean,
): Noted => ({
  succeeded: [...ends.succeeded],
  failed: [...ends.failed],
  completed: indexes && ends.before.union(IndexSet.of(ends.completed)),
  ...{ release, isPartial },
});

/** When the job ends, also what still runs is counted and let go; its deletion was asked for. */
const mayRelease = (
  job: Job,
  wanted: Wanted,
  { indexes }: Observed,
  verdict: Claim | undefined,
  pod: Pod,
): boolean => {
  const isOver = job.metadata.deletionTimestamp !== undefined || verdict !== undefined;
  if (isOver || pod.status.phase === 'Succeeded') return true;
  if (!hasFailed(pod, wanted)) return false;
  const index = completionIndexOf(pod, wanted.completions);
  return index === undefined || indexes?.awaiting.get(index) !== pod;
};

/** A pod that a failed job cuts short has failed; one that a job cuts short which has enough has not. */
const isFailure = (wanted: Wanted, verdict: Claim | undefined, pod: Pod): boolean => {
  const isCut = pod.metadata.deletionTimestamp !== undefined;
  const isFailed =
    verdict === undefined
      ? hasFailed(pod, wanted)
      : verdict.type === 'FailureTarget' || (hasFailed(pod, wanted) && !isCut);
  return isFailed && failureVerdictOf(wanted.failurePolicy, pod).isCounted;
};

const statusOf = (
  job: Job,
  { backoffLimitPerIndex }: Wanted,
  observed: Observed,
  noted: Noted,
  more: {
    readonly conditions: readonly JobCondition[];
    readonly startTime: string | undefined;
    readonly end: Claim | undefined;
    readonly nowText: string;
  },
): JobStatus => {
  const succeeded = noted.completed?.size ?? observed.counted.succeeded;
  const completedIndexes = noted.completed?.toString() ?? '';
  const completionTime = more.end?.type === 'Complete' ? more.nowText : job.status?.completionTime;
  return {
    ...(more.startTime === undefined ? {} : { startTime: more.startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...(more.conditions.length === 0 ? {} : { conditions: more.conditions }),
    ...nonZero('active', observed.active.length),
    ...nonZero('succeeded', succeeded),
    ...nonZero('failed', observed.counted.failed),
    ready: observed.readyCount,
    terminating: observed.terminating.length,
    ...(completedIndexes === '' ? {} : { completedIndexes }),
    ...(backoffLimitPerIndex === undefined || observed.indexes?.failed === undefined
      ? {}
      : { failedIndexes: observed.indexes.failed.toString() }),
    uncountedTerminatedPods: {
      ...(noted.succeeded.length === 0 ? {} : { succeeded: noted.succeeded }),
      ...(noted.failed.length === 0 ? {} : { failed: noted.failed }),
    },
  };
};

const nonZero = (name: 'active' | 'succeeded' | 'failed', count: number): JobStatus =>
  count === 0 ? {} : { [name]: count };

/** Upstream's bound, which keeps the status small. */
const UNCOUNTED_MAX = 500;
