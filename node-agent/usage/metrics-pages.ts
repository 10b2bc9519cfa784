import type { Pod } from '../../api/types';
import type { LagHistogram } from '../../lib/event-loop-monitor';
import type { CgroupResources, ContainerRuntime } from '../../runtime/container-runtime';
import { containerResources } from '../pod-spec/cgroup-resources';
import { containerNamed } from '../pod-spec/environment';
import type { ServiceCounts } from '../services/service-proxy';
import { agentMetrics } from './agent-metrics';
import { cadvisorMetrics } from './cadvisor-metrics';
import { resourceMetrics } from './resource-metrics';
import type { MeasuredContainer } from './summary';
import type { Measurement, UsageMeter } from './usage-meter';
import { volumeMetrics } from './volume-metrics';

export interface MetricsPagesDeps {
  readonly nodeName: string;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly meter: Pick<UsageMeter, 'measure' | 'pods' | 'volumes' | 'disks'>;
  readonly runtime: Pick<ContainerRuntime, 'containers' | 'sandboxes'>;
  readonly podOf: (uid: string) => Pod | undefined;
  readonly services: () => ServiceCounts;
  readonly resolver: () => object | undefined;
  readonly ingress: () => object | undefined;
  /** Undefined: nobody measures it. */
  readonly lag: () => LagHistogram | undefined;
  /** Of spans. */
  readonly tracing: () => readonly string[];
}

/** The pages of metrics that the kubelet has, read when somebody asks. */
export class MetricsPages {
  constructor(private readonly deps: MetricsPagesDeps) {}

  /** Undefined: there is none at this path. */
  async page(path: string): Promise<string | undefined> {
    const lines = await this.lines(path);
    return lines === undefined ? undefined : `${lines.join('\n')}\n`;
  }

  private async lines(path: string): Promise<readonly string[] | undefined> {
    const { meter } = this.deps;
    switch (path) {
      case 'metrics':
        return [...this.own(), ...volumeMetrics(await meter.volumes()), ...this.deps.tracing()];
      case 'metrics/resource':
        return resourceMetrics(await meter.measure(), await meter.pods());
      case 'metrics/cadvisor':
        return this.cadvisor(await meter.measure());
      default:
        return undefined;
    }
  }

  private async cadvisor(measured: Measurement): Promise<readonly string[]> {
    const { meter, cpuMillis } = this.deps;
    const disks = await meter.disks(measured.containers);
    return cadvisorMetrics(measured, disks, cpuMillis, (each) => this.resourcesOf(each));
  }

  private own(): readonly string[] {
    const { nodeName, runtime, services, resolver, ingress, lag } = this.deps;
    const containers = new Map<string, number>();
    for (const { status } of runtime.containers())
      containers.set(status, (containers.get(status) ?? 0) + 1);
    return agentMetrics({
      ...{ nodeName, containers, podCount: runtime.sandboxes().length },
      ...{ services: services(), resolver: resolver(), ingress: ingress(), lag: lag() },
    });
  }

  /** What it may use, as its cgroup was given; undefined when its pod is known no more. */
  private resourcesOf({ podUid, name }: MeasuredContainer): CgroupResources | undefined {
    const pod = this.deps.podOf(podUid);
    const container = pod && containerNamed(pod, name);
    if (pod === undefined || container === undefined) return undefined;
    return containerResources(pod, container, this.deps.memoryBytes);
  }
}
