import type { Node, Pod } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { NodeConnections } from '../../client/node-connections';
import type { VirtualResource } from '../../client/virtual-resource';
import type { Clock } from '../../lib/clock';
import { NodeMetricsResource, PodMetricsResource } from './metrics-resources';
import { UsageCollector } from './usage-collector';

export interface ResourceMetrics extends AsyncDisposable {
  /** `metrics.k8s.io`, for the api-server to serve. */
  readonly resources: readonly VirtualResource[];
}

/** The resource metrics API over the nodes' connections: what metrics-server is elsewhere. */
export const createResourceMetrics = (deps: {
  readonly connections: Pick<NodeConnections, 'isConnected' | 'usage'>;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly clock: Clock;
}): ResourceMetrics => {
  const collector = new UsageCollector(deps);
  const parts = { ...deps, collector };
  return {
    resources: [new NodeMetricsResource(parts), new PodMetricsResource(parts)],
    [Symbol.asyncDispose]: () => collector[Symbol.asyncDispose](),
  };
};
