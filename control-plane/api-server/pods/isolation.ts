import {
  ISOLATION,
  isolationReport,
  type IsolationReport,
  type PodIsolation,
} from '../../../api/isolation';
import { ApiError } from '../../../api/errors';
import type { ObjectName, Pod } from '../../../api/types';
import type { NodeConnections } from '../../../client/node-connections';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { ApiResponse } from '../http/exchange';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import { placedPod } from './target';

/** GET pods/NAME/isolation: how the kernel of its node shuts the containers in that run. @throws ApiError */
export const podIsolation = async (
  { reader }: ObjectService,
  nodes: Pick<NodeConnections, 'isolation'>,
  pods: ServedKind,
  name: ObjectName,
  signal: AbortSignal,
): Promise<ApiResponse> => {
  const item = await reader.get(pods, name, undefined, new URLSearchParams(), { signal });
  const { metadata } = item.object as Pod;
  const { nodeName, target } = placedPod(item.object as Pod, name);
  const report = await nodes.isolation(nodeName, target, signal);
  const { group, version, kind } = ISOLATION;
  const answer: PodIsolation = {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name: metadata.name, namespace: name.namespace, uid: target.podUid },
    nodeName,
    ...checked(report),
  };
  const headers = { 'content-type': 'application/json' };
  return { status: 200, headers, body: stringifyJson(answer) };
};

/** A node may say anything. @throws InternalError */
const checked = (report: Uint8Array): IsolationReport => {
  try {
    return isolationReport.parse(parseJson(report));
  } catch (error) {
    throw new ApiError('InternalError', 'the node answers no report of isolation', {
      cause: error,
    });
  }
};
