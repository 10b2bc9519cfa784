import {
  NODE_METRICS,
  POD_METRICS,
  type NodeMetrics,
  type PodMetrics,
} from '../../api/resource-metrics';
import { apiVersionOf } from '../../api/resources';
import { formatBytes, formatQuantity } from '../../api/quantity';
import type { ApiObject, Node, Pod } from '../../api/types';
import { rfc3339 } from '../../lib/clock';
import type { Usage } from './usage';

interface Measurement {
  readonly atMs: number;
  readonly windowMs: number;
}

export const nodeMetrics = (
  node: Node,
  usage: Usage & Measurement,
  nowMs: number,
): NodeMetrics => ({
  kind: NODE_METRICS.kind,
  apiVersion: apiVersionOf(NODE_METRICS),
  metadata: metadataOf(node, nowMs),
  ...measurement(usage),
  usage: quantities(usage),
});

export const podMetrics = (
  pod: Pod,
  {
    containers,
    ...times
  }: Measurement & {
    readonly containers: readonly { readonly name: string; readonly usage: Usage }[];
  },
  nowMs: number,
): PodMetrics => ({
  kind: POD_METRICS.kind,
  apiVersion: apiVersionOf(POD_METRICS),
  metadata: metadataOf(pod, nowMs),
  ...measurement(times),
  containers: containers.map(({ name, usage }) => ({ name, usage: quantities(usage) })),
});

/** They are made for each request, as metrics-server makes them. */
const metadataOf = ({ metadata }: ApiObject, nowMs: number): ApiObject['metadata'] => {
  const { name, namespace, labels } = metadata;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    creationTimestamp: rfc3339(nowMs),
    ...(labels === undefined ? {} : { labels }),
  };
};

const measurement = ({ atMs, windowMs }: Measurement) => ({
  timestamp: rfc3339(atMs),
  window: goDuration(windowMs),
});

const quantities = ({ cpuNanocores, memoryBytes }: Usage) => ({
  cpu: formatQuantity({ nanos: BigInt(cpuNanocores), format: 'DecimalSI' }),
  memory: formatBytes(memoryBytes),
});

/** Milliseconds as Go prints a duration: `15.032s`, `1m2s`. */
export const goDuration = (ms: number): string => {
  const wholeMs = Math.max(0, Math.round(ms));
  if (wholeMs < 1000) return wholeMs === 0 ? '0s' : `${wholeMs}ms`;
  const seconds = (wholeMs % 60_000) / 1000;
  const minutes = Math.floor(wholeMs / 60_000);
  if (minutes === 0) return `${seconds}s`;
  const hours = Math.floor(minutes / 60);
  return `${hours === 0 ? '' : `${hours}h`}${minutes % 60}m${seconds}s`;
};
