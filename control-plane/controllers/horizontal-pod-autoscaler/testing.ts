import type { PodMetrics } from '../../../api/resource-metrics';
import type { Scale } from '../../../api/scale';
import type { HorizontalPodAutoscaler, Pod } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { firstHistory } from './history';
import type { PlanInput } from './plan';

export const NOW_MS = Date.UTC(2026, 0, 1, 12);
const LONG_AGO = rfc3339(NOW_MS - 3_600_000);

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;

export const CPU_80: NonNullable<Spec['metrics']> = [
  {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
  },
];

export const autoscaler = (spec: Partial<Spec> = {}): HorizontalPodAutoscaler => ({
  ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  metadata: { name: 'web', namespace: 'default', uid: 'uid' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    ...{ minReplicas: 1, maxReplicas: 10, metrics: CPU_80 },
    ...spec,
  },
});

export const scaleTo = (replicas: number, selector = 'app=web'): Scale => ({
  ...{
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'web', namespace: 'default' },
  },
  spec: { replicas },
  status: { replicas, selector },
});

interface PodOptions {
  readonly request?: string;
  readonly status?: Partial<Pod['status']>;
  readonly deletionTimestamp?: string;
}

/** A pod that has been ready for long, and asks for 100m. */
export const podNamed = (
  name: string,
  { request = '100m', status = {}, deletionTimestamp }: PodOptions = {},
): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ name, namespace: 'default', labels: { app: 'web' } },
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  },
  spec: { containers: [{ name: 'main', image: 'a:1', resources: { requests: { cpu: request } } }] },
  status: {
    phase: 'Running',
    startTime: LONG_AGO,
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: LONG_AGO }],
    ...status,
  },
});

export const metricsOf = (name: string, cpu: string, memory = '10Mi'): PodMetrics => ({
  ...{ apiVersion: 'metrics.k8s.io/v1beta1', kind: 'PodMetrics' },
  metadata: { name, namespace: 'default' },
  ...{ timestamp: rfc3339(NOW_MS), window: '15.01s' },
  containers: [{ name: 'main', usage: { cpu, memory } }],
});

/** Pods `p0`, `p1`, ..., each with this use of CPU; without metrics where it is undefined. */
export const podsUsing = (...cpus: readonly (string | undefined)[]) => ({
  pods: cpus.map((_cpu, i) => podNamed(`p${i}`)),
  answer: {
    items: cpus.flatMap((cpu, i) => (cpu === undefined ? [] : [metricsOf(`p${i}`, cpu)])),
  },
});

export const planInput = (more: Partial<PlanInput>): PlanInput => ({
  autoscaler: autoscaler(),
  scale: scaleTo(more.pods?.length ?? 1),
  pods: [],
  answer: { items: [] },
  selecting: () => ['default/web'],
  history: firstHistory(more.scale?.spec.replicas ?? more.pods?.length ?? 1, 0),
  nowMs: NOW_MS,
  monotonicMs: 3_600_000,
  ...more,
});
