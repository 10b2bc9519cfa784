import { hasReason } from '../../../api/errors';
import { PODS } from '../../../api/resources';
import { nameOf, uidOf, type Pod } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { isTracked, TRACKING_FINALIZER } from './job-pod';

/** Takes the finalizer off this very pod. Again is harmless. */
export const releasePod = async (
  client: ApiClient,
  pods: Informer<Pod>,
  pod: Pod,
  signal: AbortSignal,
): Promise<void> => {
  if (!isTracked(pod)) return;
  const list = { '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] };
  const body = { metadata: { uid: uidOf(pod), ...list } };
  try {
    pods.noteWritten(await client.patch(PODS, nameOf(pod), 'strategic', body, {}, signal));
  } catch (error) {
    // It is gone, or its name is another pod's.
    if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
  }
};

/** Does `work` for each, some at a time; after a failure no more are begun. */
export const forEachPod = async (
  pods: readonly Pod[],
  work: (pod: Pod) => Promise<void>,
): Promise<void> => {
  for (let done = 0; done < pods.length; done += BATCH) {
    const results = await Promise.allSettled(pods.slice(done, done + BATCH).map(work));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
};

const BATCH = 50;
