import { controllerRef } from '../../../api/owners';
import type { CronJob, Job } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import { rfc3339 } from '../../../lib/clock';
import { jobNameOf } from './plan';
import { timeZoneOf } from './time-zone';

/** The job that is to be started for a time. */
export const jobDraft = (cronJob: CronJob, startMs: number): DraftOf<Job> => {
  const { jobTemplate, timeZone } = cronJob.spec ?? {};
  const { labels, annotations } = jobTemplate?.metadata ?? {};
  const spec = jobTemplate?.spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobNameOf(cronJob, startMs),
      namespace: cronJob.metadata.namespace ?? 'default',
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [SCHEDULED_TIMESTAMP]: stampIn(timeZone, startMs) },
      ownerReferences: [controllerRef(cronJob)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
};

/** RFC 3339, by the clock of the zone. */
const stampIn = (zone: string | undefined, ms: number): string => {
  const offsetMs = (zone === undefined ? undefined : timeZoneOf(zone))?.offsetMsAt(ms) ?? 0;
  if (offsetMs === 0) return rfc3339(ms);
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const offset = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return rfc3339(ms + offsetMs).replace('Z', (offsetMs < 0 ? '-' : '+') + offset);
};

const SCHEDULED_TIMESTAMP = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
