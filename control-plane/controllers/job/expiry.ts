import { hasReason } from '../../../api/errors';
import { JOBS } from '../../../api/resources';
import { nameOf, uidOf, type Job } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import { endOf } from './conditions';

/** The stamp from which its time to live runs, and how long that is; undefined for one that stays. */
export const lifeAfterEnd = (
  job: Job,
): { readonly endStamp: string; readonly ttlMs: number } | undefined => {
  const ttlSeconds = job.spec?.ttlSecondsAfterFinished;
  const end = endOf(job);
  if (ttlSeconds === undefined || end === undefined) return undefined;
  if (job.metadata.deletionTimestamp !== undefined) return undefined;
  return { endStamp: end.lastTransitionTime ?? '', ttlMs: ttlSeconds * 1000 };
};

/**
 * Deletes an expired job after its pods, as upstream does (ttlafterfinished_controller.go). Only the
 * job as it was seen: a longer life that was given to it meanwhile counts.
 */
export const deleteExpired = async (
  client: ApiClient,
  job: Job,
  signal: AbortSignal,
): Promise<void> => {
  const { resourceVersion = '' } = job.metadata;
  const preconditions = { uid: uidOf(job), resourceVersion };
  const options = { propagationPolicy: 'Foreground', preconditions } as const;
  try {
    await client.delete(JOBS, nameOf(job), options, signal);
  } catch (error) {
    if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
  }
};
