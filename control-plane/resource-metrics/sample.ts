import type { UsageReport } from '../../client/node-connections';
import { isJsonObject, parseJson } from '../../lib/json';

/** What one container, or a node, has used since it started. */
export interface Counters {
  /** Tells one start from the next. */
  readonly startTime: string;
  readonly cpuNanos: number;
  readonly memoryBytes: number;
}

export interface PodSample {
  readonly namespace: string;
  readonly name: string;
  readonly containers: ReadonlyMap<string, Counters>;
}

/** A node at one moment, as it says. */
export interface Sample {
  readonly clockId: string;
  readonly monotonicMs: number;
  readonly node: Counters;
  /** By uid. */
  readonly pods: ReadonlyMap<string, PodSample>;
}

/**
 * What a node reports, with what is no number left out: of a container without counters that container, and
 * undefined without the node's own. Whether its pods are its own is for the reader to say.
 */
export const parseSample = ({ clockId, monotonicMs, summary }: UsageReport): Sample | undefined => {
  const report = parsed(summary);
  const node = countersOf(fieldOf(report, 'node'));
  if (node === undefined || !Number.isFinite(monotonicMs)) return undefined;
  const pods = new Map<string, PodSample>();
  for (const pod of listOf(report, 'pods')) {
    const reference = fieldOf(pod, 'podRef');
    const [uid, name] = [textOf(reference, 'uid'), textOf(reference, 'name')];
    const namespace = textOf(reference, 'namespace');
    const containers = new Map<string, Counters>();
    for (const container of listOf(pod, 'containers')) {
      const counters = countersOf(container);
      if (counters !== undefined) containers.set(textOf(container, 'name'), counters);
    }
    pods.set(uid, { namespace, name, containers });
  }
  return { clockId, monotonicMs, node, pods };
};

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
};

const countersOf = (value: unknown): Counters | undefined => {
  const cpuNanos = amountOf(fieldOf(value, 'cpu'), 'usageCoreNanoSeconds');
  const memoryBytes = amountOf(fieldOf(value, 'memory'), 'workingSetBytes');
  if (cpuNanos === undefined || memoryBytes === undefined) return undefined;
  return { startTime: textOf(value, 'startTime'), cpuNanos, memoryBytes };
};

const fieldOf = (value: unknown, field: string): unknown =>
  isJsonObject(value) ? value[field] : undefined;

const listOf = (value: unknown, field: string): readonly unknown[] => {
  const list = fieldOf(value, field);
  return Array.isArray(list) ? list : [];
};

const textOf = (value: unknown, field: string): string => {
  const text = fieldOf(value, field);
  return typeof text === 'string' ? text : '';
};

/** Counters beyond 2^53 lose some of their last digits: nanoseconds, of years. */
const amountOf = (value: unknown, field: string): number | undefined => {
  const amount = Number(fieldOf(value, field) ?? Number.NaN);
  return amount >= 0 && amount <= AMOUNT_MAX ? amount : undefined;
};

const AMOUNT_MAX = 2 ** 63;
