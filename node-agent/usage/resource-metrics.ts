import { labelText, metric, type Series } from '../../lib/metrics-text';
import type { ContainerStats } from '../../runtime/container-runtime';
import type { MeasuredPod } from './summary';
import type { Measurement } from './usage-meter';

/**
 * What the kubelet tells under `metrics/resource`, but for swap. Source: upstream's
 * `pkg/kubelet/metrics/collectors/resource_metrics.go`.
 */
export const resourceMetrics = (
  { node, containers, atMs }: Measurement,
  pods: readonly MeasuredPod[],
): readonly string[] => {
  const ofContainer = containers.map(({ name, podName, namespace, stats, startedAtMs }) => ({
    labels: labelText({ container: name, namespace, pod: podName }),
    ...{ stats, startedAtMs },
  }));
  const ofPod = pods.map(({ podName, namespace, stats }) => ({
    labels: labelText({ namespace, pod: podName }),
    stats,
  }));
  return [
    ...usageMetrics('container', ofContainer, atMs),
    ...metric(
      'container_start_time_seconds',
      'gauge',
      '[STABLE] Start time of the container since unix epoch in seconds',
      ofContainer.map(({ labels, startedAtMs }) => [labels, startedAtMs / 1000]),
    ),
    ...usageMetrics('node', [{ labels: '', stats: node.stats }], atMs),
    ...usageMetrics('pod', ofPod, atMs),
    ...scrapeError('resource_scrape_error', '[STABLE]'),
    ...scrapeError('scrape_error', '[ALPHA] (Deprecated since 1.29.0)'),
  ];
};

const usageMetrics = (
  what: string,
  all: readonly { readonly labels: string; readonly stats: ContainerStats }[],
  atMs: number,
): readonly string[] => [
  ...metric(
    `${what}_cpu_usage_seconds_total`,
    'counter',
    `[STABLE] Cumulative cpu time consumed by the ${what} in core-seconds`,
    all.map(({ labels, stats }): Series => [labels, stats.cpuNanos / 1e9, atMs]),
  ),
  ...metric(
    `${what}_memory_working_set_bytes`,
    'gauge',
    `[STABLE] Current working set of the ${what} in bytes`,
    all.map(({ labels, stats }): Series => [labels, stats.memoryWorkingSetBytes, atMs]),
  ),
];

/** A page that cannot be read is not answered at all. */
const scrapeError = (name: string, stability: string): readonly string[] =>
  metric(
    name,
    'gauge',
    `${stability} 1 if there was an error while getting container metrics, 0 otherwise`,
    [['', 0]],
  );
