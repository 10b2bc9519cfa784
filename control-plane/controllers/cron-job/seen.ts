import type { CronJob, Job } from '../../../api/types';
import { uidOf } from '../../../api/types';
import { endOf } from '../job/conditions';
import type { JobReference, Told } from './plan';

/** What has become of a cron job's jobs. */
export interface Seen {
  /** Those that the status names and that have not ended. */
  readonly active: readonly JobReference[];
  /** Named as active, and not among its jobs. */
  readonly missing: readonly JobReference[];
  readonly lastSuccessfulTime: string | undefined;
  readonly told: readonly Told[];
}

export const seenOf = (cronJob: CronJob, jobs: readonly Job[]): Seen => {
  const { active = [], lastSuccessfulTime } = cronJob.status ?? {};
  const named = new Set(active.map(({ uid }) => uid));
  const byUid = new Map(jobs.map((job) => [uidOf(job), job]));
  const told = jobs.flatMap((job): readonly Told[] => {
    const { name } = job.metadata;
    const end = endOf(job);
    const isNamed = named.has(uidOf(job));
    if (end === undefined && !isNamed)
      return [
        {
          ...{ type: 'Warning', reason: 'UnexpectedJob' },
          message: `Saw a job that the controller did not create or forgot: ${name}`,
        },
      ];
    if (end === undefined || !isNamed) return [];
    const message = `Saw completed job: ${name}, condition: ${end.type}`;
    return [{ type: 'Normal', reason: 'SawCompletedJob', message }];
  });
  const endedOf = ({ uid = '' }: JobReference): boolean => {
    const job = byUid.get(uid);
    return job !== undefined && endOf(job) !== undefined;
  };
  return {
    active: active.filter((reference) => !endedOf(reference)),
    missing: active.filter(({ uid = '' }) => !byUid.has(uid)),
    lastSuccessfulTime: latest([lastSuccessfulTime, ...jobs.map(successTimeOf)]),
    told,
  };
};

const successTimeOf = (job: Job): string | undefined =>
  endOf(job)?.type === 'Complete' ? job.status?.completionTime : undefined;

const latest = (times: readonly (string | undefined)[]): string | undefined =>
  times
    .filter((time) => time !== undefined)
    .reduce<string | undefined>(
      (last, time) => (last !== undefined && Date.parse(last) >= Date.parse(time) ? last : time),
      undefined,
    );
