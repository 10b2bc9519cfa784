import { notFound } from '../../api/errors';
import { isPodReady, isTerminal } from '../../api/pods';
import { POD_METRICS, type PodMetrics } from '../../api/resource-metrics';
import type { Pod } from '../../api/types';
import type { VirtualResource } from '../../client/virtual-resource';
import { rfc3339, type Clock } from '../../lib/clock';

interface Measured {
  readonly clock: Clock;
  /** What the running pods of an app use together, in millicores. */
  readonly loads: ReadonlyMap<string, number>;
  pods(): Promise<readonly Pod[]>;
}

/** Metrics of the pods that run, as their app's load makes them. */
export const podMetricsOf = (worldOf: () => Measured): VirtualResource<PodMetrics> => ({
  resource: POD_METRICS,
  get: async ({ name }) => {
    throw notFound('podmetrics', POD_METRICS.group, name);
  },
  list: async (namespace) => {
    const world = worldOf();
    const { loads, clock } = world;
    const running = (await world.pods()).filter((pod) => isPodReady(pod) && !isTerminal(pod));
    const timestamp = rfc3339(clock.now());
    const items = running
      .filter((pod) => namespace === undefined || pod.metadata.namespace === namespace)
      .flatMap(({ metadata }): readonly PodMetrics[] => {
        const { name, labels = {} } = metadata;
        const load = loads.get(labels['app'] ?? '');
        if (load === undefined) return [];
        const alike = running.filter((pod) => pod.metadata.labels?.['app'] === labels['app']);
        const usage = { cpu: `${Math.floor(load / alike.length)}m`, memory: '64Mi' };
        return [
          {
            ...{
              apiVersion: 'metrics.k8s.io/v1beta1',
              kind: 'PodMetrics',
              timestamp,
              window: '10s',
            },
            metadata: { name, namespace: metadata.namespace ?? '', labels },
            containers: [{ name: 'main', usage }],
          },
        ];
      });
    return { items, resourceVersion: '1' };
  },
});
