import type { LagHistogram } from './event-loop-monitor';
import type { Histogram } from './histogram';

/** What has been measured under one set of labels; the time, by the wall clock, when it is not now. */
export type Series = readonly [labels: string, value: number, atMs?: number];

/** One metric with its series. Source: the Prometheus text format, 0.0.4. */
export const metric = (
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  series: readonly Series[],
): readonly string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...series.map(
    ([labels, value, atMs]) =>
      `${name}${labels === '' ? '' : `{${labels}}`} ${value}${atMs === undefined ? '' : ` ${atMs}`}`,
  ),
];

/** A histogram without labels. */
export const histogram = (
  name: string,
  help: string,
  { buckets, sumSeconds, count }: LagHistogram,
): readonly string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} histogram`,
  ...buckets.map(([upTo, below]) => `${name}_bucket{le="${upTo}"} ${below}`),
  `${name}_bucket{le="+Inf"} ${count}`,
  `${name}_sum ${sumSeconds}`,
  `${name}_count ${count}`,
];

/** Histograms of one name, each with its labels. */
export const histograms = (
  name: string,
  help: string,
  series: readonly (readonly [labels: string, values: Histogram])[],
): readonly string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} histogram`,
  ...series.flatMap(([labels, values]) => values.lines(name, labels)),
];

/** Whatever the values are, they stay within their quotes and on their line. */
export const labelText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, escaped)}"`)
    .join(',');

/** What this process uses, and how late its event loop has been when that is measured. */
export const processMetrics = (lag?: LagHistogram): readonly string[] => {
  const { user, system } = process.cpuUsage();
  return [
    ...(lag === undefined
      ? []
      : histogram('dhow_event_loop_lag_seconds', 'How late the event loop ran what was due.', lag)),
    ...metric('process_cpu_seconds_total', 'counter', 'CPU time of the process.', [
      ['', (user + system) / 1e6],
    ]),
    ...metric('process_resident_memory_bytes', 'gauge', 'Resident memory of the process.', [
      ['', process.memoryUsage.rss()],
    ]),
  ];
};

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const escaped = (sign: string): string => (sign === '\n' ? '\\n' : `\\${sign}`);
