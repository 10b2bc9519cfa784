import { notFound } from '../../api/errors';
import {
  METRICS_GROUP,
  NODE_METRICS,
  POD_METRICS,
  type NodeMetrics,
  type PodMetrics,
} from '../../api/resource-metrics';
import { nameKey, type Node, type ObjectName, type Pod } from '../../api/types';
import type { ListResult } from '../../client/api-client';
import type { Informer } from '../../client/informer';
import type { VirtualResource } from '../../client/virtual-resource';
import type { Clock } from '../../lib/clock';
import { nodeMetrics, podMetrics } from './metrics-objects';
import { usageOfPod, type UsageCollector } from './usage-collector';

export interface MetricsResourcesDeps {
  readonly collector: Pick<UsageCollector, 'usageOf'>;
  readonly nodes: Pick<Informer<Node>, 'get' | 'list'>;
  readonly pods: Pick<Informer<Pod>, 'get' | 'list'>;
  readonly clock: Clock;
}

/** What nodes use, as metrics-server tells. */
export class NodeMetricsResource implements VirtualResource<NodeMetrics> {
  readonly resource = NODE_METRICS;
  private listCount = 0;

  constructor(private readonly deps: MetricsResourcesDeps) {}

  /** @throws NotFound, also for a node that does not answer */
  async get({ name }: ObjectName): Promise<NodeMetrics> {
    const node = this.deps.nodes.get(name);
    const [found] = node === undefined ? [] : await this.of([node]);
    if (found === undefined) throw notFound('nodemetrics', METRICS_GROUP, name);
    return found;
  }

  async list(): Promise<ListResult<NodeMetrics>> {
    const items = await this.of([...this.deps.nodes.list()]);
    return { items: inOrder(items), resourceVersion: String(++this.listCount) };
  }

  private async of(nodes: readonly Node[]): Promise<readonly NodeMetrics[]> {
    const { collector, clock } = this.deps;
    const usages = await collector.usageOf(nodes.map(({ metadata }) => metadata.name));
    return nodes.flatMap((node) => {
      const usage = usages.get(node.metadata.name);
      return usage === undefined ? [] : [nodeMetrics(node, usage, clock.now())];
    });
  }
}

/** What the containers of running pods use, as metrics-server tells. */
export class PodMetricsResource implements VirtualResource<PodMetrics> {
  readonly resource = POD_METRICS;
  private listCount = 0;

  constructor(private readonly deps: MetricsResourcesDeps) {}

  /** @throws NotFound, also for a pod that is not measured yet */
  async get(name: ObjectName): Promise<PodMetrics> {
    const pod = this.deps.pods.get(nameKey(name));
    const [found] = pod === undefined ? [] : await this.of([pod]);
    if (found === undefined) throw notFound('podmetrics', METRICS_GROUP, nameKey(name));
    return found;
  }

  async list(namespace: string | undefined): Promise<ListResult<PodMetrics>> {
    const pods = [...this.deps.pods.list()].filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    );
    const items = await this.of(pods);
    return { items: inOrder(items), resourceVersion: String(++this.listCount) };
  }

  private async of(pods: readonly Pod[]): Promise<readonly PodMetrics[]> {
    const { collector, clock } = this.deps;
    const running = pods.filter(({ status }) => status.phase === 'Running');
    const usages = await collector.usageOf(running.map(({ spec }) => spec.nodeName ?? ''));
    return running.flatMap((pod) => {
      const usage = usageOfPod(pod, usages.get(pod.spec.nodeName ?? ''));
      return usage === undefined ? [] : [podMetrics(pod, usage, clock.now())];
    });
  }
}

const inOrder = <T extends NodeMetrics | PodMetrics>(items: readonly T[]): readonly T[] => {
  const key = ({ metadata }: T) => `${metadata.namespace ?? ''}/${metadata.name}`;
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : 1));
};
