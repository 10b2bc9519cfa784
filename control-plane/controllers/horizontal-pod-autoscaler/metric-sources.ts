import { formatQuantity, parseQuantity, quantityMillis } from '../../../api/quantity';
import { goLabelSelector } from '../../../api/selectors';
import type { HorizontalPodAutoscaler } from '../../../api/types';
import { metricValues, type MetricsAnswer } from './metric-values';
import {
  MetricError,
  replicasForAverage,
  replicasForUtilization,
  requestsOf,
  type ReplicaInput,
  type ReplicaProposal,
} from './replica-calculator';

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;
export type MetricSpec = NonNullable<Spec['metrics']>[number];
export type MetricStatus = NonNullable<
  NonNullable<HorizontalPodAutoscaler['status']>['currentMetrics']
>[number];
type Target = NonNullable<MetricSpec['resource']>['target'];

export interface MetricInput extends Omit<ReplicaInput, 'metrics' | 'isCpu'> {
  readonly namespace: string;
  readonly answer: MetricsAnswer;
}

export type MetricOutcome =
  | {
      readonly isValid: true;
      readonly replicas: number;
      /** What decides, for people: `cpu resource utilization (percentage of request)`. */
      readonly name: string;
      readonly status: MetricStatus;
    }
  | {
      readonly isValid: false;
      /** Of the condition and the event. */
      readonly reason: string;
      /** For the event. */
      readonly message: string;
      /** For the one about all metrics. */
      readonly summary: string;
    };

/** What one metric says of the number of replicas. Reasons and words are upstream's. */
export const evaluateMetric = (metric: MetricSpec, input: MetricInput): MetricOutcome => {
  const { resource, containerResource } = metric;
  if (metric.type === 'Resource' && resource !== undefined)
    return evaluateResource(resource.name, undefined, resource.target, input);
  if (metric.type === 'ContainerResource' && containerResource !== undefined) {
    const { name, container, target } = containerResource;
    return evaluateResource(name, container, target, input);
  }
  return notServed(metric, input.namespace);
};

const evaluateResource = (
  resource: string,
  container: string | undefined,
  target: Target,
  input: MetricInput,
): MetricOutcome => {
  try {
    const { name, proposal } = proposed(resource, container, target, input);
    const { replicas, averageMillis, utilization } = proposal;
    const current = {
      averageValue: formatMillis(averageMillis),
      ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    };
    const status: MetricStatus =
      container === undefined
        ? { type: 'Resource', resource: { name: resource, current } }
        : {
            type: 'ContainerResource',
            containerResource: { name: resource, container, current },
          };
    return { isValid: true, replicas, name, status };
  } catch (error) {
    if (!(error instanceof MetricError)) throw error;
    const { message } = error;
    const about = container === undefined ? `${resource} resource` : `${container} container`;
    return {
      isValid: false,
      reason:
        container === undefined ? 'FailedGetResourceMetric' : 'FailedGetContainerResourceMetric',
      message,
      summary: `failed to get ${about} metric value: ${message}`,
    };
  }
};

/** @throws MetricError */
const proposed = (
  resource: string,
  container: string | undefined,
  { averageValue, averageUtilization }: Target,
  input: MetricInput,
): { readonly name: string; readonly proposal: ReplicaProposal } => {
  const values = () => ({
    ...input,
    metrics: metricValues(input.answer, resource, container),
    isCpu: resource === 'cpu',
  });
  if (averageValue !== undefined) {
    const proposal = within(`failed to get ${resource} usage`, () =>
      replicasForAverage(values(), quantityMillis(parseQuantity(averageValue))),
    );
    return { name: `${resource} resource`, proposal };
  }
  if (averageUtilization === undefined)
    throw new MetricError(
      'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
    );
  const proposal = within(`failed to get ${resource} utilization`, () => {
    const given = values();
    return replicasForUtilization(
      given,
      requestsOf(input.pods, resource, container),
      averageUtilization,
    );
  });
  const what = container === undefined ? 'resource' : 'container resource';
  return { name: `${resource} ${what} utilization (percentage of request)`, proposal };
};

const within = <T>(what: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof MetricError) throw new MetricError(`${what}: ${error.message}`);
    throw error;
  }
};

/** Metrics of APIs that nobody serves here: what a cluster without an adapter says. */
const notServed = (metric: MetricSpec, namespace: string): MetricOutcome => {
  const { type, pods, object, external } = metric;
  if (type === 'Pods' && pods !== undefined) {
    const message = `unable to get metric ${pods.metric.name}: ${NO_CUSTOM_METRICS}`;
    const summary = `failed to get pods metric value: ${message}`;
    return { isValid: false, reason: 'FailedGetPodsMetric', message, summary };
  }
  if (type === 'Object' && object !== undefined) {
    const { kind, name } = object.describedObject;
    // Upstream's own order of the words.
    const why = `unable to get metric ${object.metric.name}: ${kind} on ${namespace} ${name}/${NO_CUSTOM_METRICS}`;
    const message = why;
    const inner =
      object.target.type === 'AverageValue'
        ? `failed to get ${object.metric.name} object metric: ${why}`
        : why;
    const summary = `failed to get object metric value: ${inner}`;
    return { isValid: false, reason: 'FailedGetObjectMetric', message, summary };
  }
  if (type === 'External' && external !== undefined) {
    const { name, selector } = external.metric;
    const why =
      `unable to get external metric ${namespace}/${name}/${goLabelSelector(selector)}: unable to fetch ` +
      `metrics from external metrics API: the server could not find the requested resource ` +
      `(get ${name}.external.metrics.k8s.io)`;
    const inner =
      external.target.averageValue === undefined
        ? `failed to get external metric ${name}: ${why}`
        : `failed to get ${name} external metric: ${why}`;
    const summary = `failed to get ${name} external metric value: ${inner}`;
    return { isValid: false, reason: 'FailedGetExternalMetric', message: why, summary };
  }
  const message = `unknown metric source type ${JSON.stringify(type)}`;
  return { isValid: false, reason: 'InvalidMetricSourceType', message, summary: message };
};

const NO_CUSTOM_METRICS =
  'unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered';

const formatMillis = (millis: bigint): string =>
  formatQuantity({ nanos: millis * 1_000_000n, format: 'DecimalSI' });
