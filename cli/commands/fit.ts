import { SCHEDULING_GROUP, type PlacementReview } from '../../api/decisions';
import { ApiError, hasReason } from '../../api/errors';
import { podIn } from '../../api/pod-in';
import type { ApiObject } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { fitLine } from '../why';

/**
 * Would a pod of `object`, as it is to be, be placed now? In one line; undefined for what makes no
 * pods, and where the server does not tell.
 */
export const fitOf = async (
  { client, signal }: CliContext,
  object: ApiObject,
): Promise<string | undefined> => {
  const pod = podOf(object);
  if (pod === undefined) return undefined;
  const namespace = encodeURIComponent(object.metadata.namespace ?? 'default');
  try {
    const { status } = await client.json<PlacementReview>({
      method: 'POST',
      path: `/apis/${SCHEDULING_GROUP}/v1/namespaces/${namespace}/placementreviews?fieldValidation=Ignore`,
      body: stringifyJson(pod),
      signal,
    });
    return fitLine(status);
  } catch (error) {
    // A server of an earlier release, or a namespace that is yet to be made.
    if (hasReason(error, 'NotFound')) return undefined;
    if (!(error instanceof ApiError) || error.reason === 'ServiceUnavailable') throw error;
    return `whether it would fit is not known: ${error.message}`;
  }
};

/** The pod that `object` is, or makes: with a name of its own, for it may be there already. */
const podOf = (object: ApiObject): object | undefined => {
  const pod = podIn(object);
  if (pod === undefined) return undefined;
  const { spec, labels, annotations } = pod;
  const generateName = `${object.metadata.name}-`;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { generateName, labels, annotations }, spec };
};
