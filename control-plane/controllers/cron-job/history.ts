import type { CronJob, Job } from '../../../api/types';
import { endOf } from '../job/conditions';

/** Ended jobs beyond what is to be kept of their kind, those that began first before others. */
export const expendable = ({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] => [
  ...beyond(jobs, 'Complete', spec?.successfulJobsHistoryLimit),
  ...beyond(jobs, 'Failed', spec?.failedJobsHistoryLimit),
];

const beyond = (jobs: readonly Job[], end: string, limit: number | undefined): readonly Job[] => {
  const ended = jobs
    .filter((job) => endOf(job)?.type === end && job.metadata.deletionTimestamp === undefined)
    .sort((a, b) => startMs(a) - startMs(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
  return ended.slice(0, Math.max(0, ended.length - (limit ?? Infinity)));
};

const startMs = ({ status }: Job): number => Date.parse(status?.startTime ?? '') || Infinity;
