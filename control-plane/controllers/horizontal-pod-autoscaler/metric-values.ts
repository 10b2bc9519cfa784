import type { PodMetrics } from '../../../api/resource-metrics';
import { parseQuantity, quantityMillis, QuantityError } from '../../../api/quantity';
import { MetricError, type PodMetric, type PodMetricValues } from './replica-calculator';

/** What the resource metrics API answered about the pods of a target, or why it did not. */
export type MetricsAnswer =
  { readonly items: readonly PodMetrics[] } | { readonly failure: string };

/**
 * What each pod uses of a resource, in all its containers or in the one of this name. Source: upstream's
 * `pkg/controller/podautoscaler/metrics/client.go`. @throws MetricError
 */
export const metricValues = (
  answer: MetricsAnswer,
  resource: string,
  containerName: string | undefined,
): PodMetricValues => {
  if ('failure' in answer)
    throw unavailable(
      resource,
      `unable to fetch metrics from resource metrics API: ${answer.failure}`,
    );
  if (answer.items.length === 0)
    throw unavailable(resource, 'no metrics returned from resource metrics API');
  const values = new Map<string, PodMetric>();
  for (const item of answer.items) {
    const amounts = amountsIn(item, resource, containerName);
    const known = amounts.filter((amount) => amount !== undefined);
    if (known.length === 0 || known.length < amounts.length) continue;
    values.set(item.metadata.name, {
      millis: known.reduce((total, amount) => total + amount, 0n),
      atMs: Date.parse(item.timestamp),
      windowMs: durationOf(item.window),
    });
  }
  return values;
};

const amountsIn = (
  { metadata, containers }: PodMetrics,
  resource: string,
  containerName: string | undefined,
): readonly (bigint | undefined)[] => {
  if (containerName === undefined) return containers.map(({ usage }) => amountOf(usage[resource]));
  const found = containers.find(({ name }) => name === containerName);
  if (found === undefined)
    throw unavailable(
      resource,
      `failed to get container metrics: container ${containerName} not present in metrics for ` +
        `pod ${metadata.namespace ?? ''}/${metadata.name}`,
    );
  return [amountOf(found.usage[resource])];
};

const amountOf = (text: string | undefined): bigint | undefined => {
  try {
    return text === undefined ? undefined : quantityMillis(parseQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
};

const unavailable = (resource: string, why: string): MetricError =>
  new MetricError(`unable to get metrics for resource ${resource}: ${why}`);

/** Milliseconds of a duration as Go writes it; 0 for what is none. */
const durationOf = (text: string): number => {
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(count) * (UNIT_MS[unit] ?? 0);
  return total;
};

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
