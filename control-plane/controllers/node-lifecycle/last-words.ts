import { hasReason } from '../../../api/errors';
import { PODS } from '../../../api/resources';
import type { Pod } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';

/**
 * Writes into a pod's status why it is deleted next, for whoever waits for its end. Where that cannot be
 * written, as in a store that is full, the deletion does not wait for it.
 * @throws Conflict when the pod is another one by now: look at it again
 */
export const tellBefore = async (
  client: ApiClient,
  pods: Informer<Pod>,
  pod: Pod,
  signal: AbortSignal,
): Promise<void> => {
  try {
    pods.noteWritten(await client.update(PODS, pod, { subresource: 'status' }, signal));
  } catch (error) {
    if (signal.aborted || hasReason(error, 'Conflict')) throw error;
  }
};
