import { ApiError } from '../../../api/errors';
import { METRICS_PATHS, type NodeConnections } from '../../../client/node-connections';
import { isJsonObject, parseJson, stringifyJson } from '../../../lib/json';
import { METRICS_TYPE } from '../../../lib/metrics-text';
import type { ApiResponse } from '../http/exchange';
import type { ResourceTarget } from '../http/request-target';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';

/**
 * GET nodes/NAME/proxy/PATH: what the kubelet would answer. An agent listens on no port; it is asked over
 * its own connection, for the summary of its usage and for its metrics. @throws ApiError
 */
export const proxyToNode = async (
  { reader }: ObjectService,
  nodes: Pick<NodeConnections, 'usage' | 'metrics'>,
  kind: ServedKind,
  { name, rest }: Pick<ResourceTarget, 'name' | 'rest'>,
  signal: AbortSignal,
): Promise<ApiResponse> => {
  await reader.get(kind, { namespace: '', name }, undefined, new URLSearchParams(), { signal });
  const page = METRICS_PATHS.find((path) => path === rest);
  if (page !== undefined) return metricsOf(await nodes.metrics(name, page, signal));
  if (rest !== 'stats/summary')
    throw new ApiError(
      'NotFound',
      `the node serves nothing there, but its stats/summary, ${METRICS_PATHS.join(', ')}`,
    );
  const { summary } = await nodes.usage(name, signal);
  const headers = { 'content-type': 'application/json' };
  return { status: 200, headers, body: stringifyJson(checked(summary)) };
};

/** It is text, whatever it is: nobody takes it for a page of this server. */
const metricsOf = (text: Uint8Array): ApiResponse => ({
  status: 200,
  headers: { 'content-type': METRICS_TYPE, 'x-content-type-options': 'nosniff' },
  body: text,
});

/** A node may say anything: as JSON at least it harms no reader. */
const checked = (summary: Uint8Array): object => {
  try {
    const value = parseJson(summary);
    if (isJsonObject(value)) return value;
  } catch {
    // As anything else that is no object.
  }
  throw new ApiError('InternalError', 'the node answers no summary');
};
