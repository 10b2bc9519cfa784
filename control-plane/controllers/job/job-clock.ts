import { uidOf, type Job, type Pod } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import { Stopwatches } from '../../../lib/stopwatches';
import { FAILURES_THAT_MATTER, replacementDelayMs } from './backoff';
import { finishedMsOf, hasFailed, isTracked } from './job-pod';
import type { Wanted } from './wanted';

interface Record {
  /** Of the pods' ends, by uid. */
  readonly times: Stopwatches;
  /** Of the job's own start and end, by stamp. */
  readonly stamps: Stopwatches;
  lastSuccessMs: number;
  /** The latest failures after it, oldest first; their pods may be gone. */
  failures: readonly { readonly uid: string; readonly atMs: number }[];
}

/**
 * When jobs began and ended, and their pods failed, in monotonic time. Failures begin with the pods
 * that are there, so that a new process waits as the one before it would have; those whose pods are
 * deleted since are remembered.
 */
export class JobClock {
  private readonly jobs = new Map<string, Record>();

  constructor(private readonly clock: Clock) {}

  /** Looks at the pods of a job that goes on. */
  observe(job: Job, wanted: Wanted, pods: readonly Pod[]): void {
    const record = this.recordOf(job);
    const ends = pods.flatMap((pod) => {
      const isSuccess = pod.status.phase === 'Succeeded';
      if (isGivenUp(pod) || (!isSuccess && !hasFailed(pod, wanted))) return [];
      const uid = uidOf(pod);
      return [{ uid, isSuccess, atMs: record.times.startOf(uid, finishedMsOf(pod)) }];
    });
    const successes = ends.filter(({ isSuccess }) => isSuccess);
    record.lastSuccessMs = successes.reduce(
      (latest, { atMs }) => Math.max(latest, atMs),
      record.lastSuccessMs,
    );
    const failures = new Map([...record.failures, ...ends].map((end) => [end.uid, end]));
    for (const { uid } of successes) failures.delete(uid);
    record.failures = [...failures.values()]
      .filter(({ atMs }) => atMs > record.lastSuccessMs)
      .sort((a, b) => a.atMs - b.atMs)
      .slice(-FAILURES_THAT_MATTER);
    record.times.keepOnly(new Set([...pods.map(uidOf), ...record.failures.map(({ uid }) => uid)]));
  }

  /** Until pods may replace those of the job that failed in a row; 0 for now. */
  waitMs(job: Job): number {
    const { failures } = this.recordOf(job);
    const lastMs = failures.at(-1)?.atMs ?? -Infinity;
    return Math.max(0, lastMs + replacementDelayMs(failures.length) - this.clock.monotonicMs());
  }

  sinceFailureMs(job: Job, pod: Pod): number {
    const { times } = this.recordOf(job);
    return this.clock.monotonicMs() - times.startOf(uidOf(pod), finishedMsOf(pod));
  }

  /** Since a moment that the job's status tells of. */
  sinceStampMs(job: Job, stamp: string): number {
    const { stamps } = this.recordOf(job);
    return this.clock.monotonicMs() - stamps.startOf(stamp, Date.parse(stamp));
  }

  forget(job: Job): void {
    this.jobs.delete(uidOf(job));
  }

  private recordOf(job: Job): Record {
    const known = this.jobs.get(uidOf(job));
    if (known !== undefined) return known;
    const watches = { times: new Stopwatches(this.clock), stamps: new Stopwatches(this.clock) };
    const record: Record = { ...watches, lastSuccessMs: -Infinity, failures: [] };
    this.jobs.set(uidOf(job), record);
    return record;
  }
}

/** The job let it go before its end, which is no failure. */
const isGivenUp = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined && !isTracked(pod);
