import type { Counters, Sample } from './sample';

export interface Usage {
  /** Billionths of a core, on average over the window. */
  readonly cpuNanocores: number;
  /** At the end of the window. */
  readonly memoryBytes: number;
}

export interface NodeUsage extends Usage {
  readonly windowMs: number;
  /** By uid, and there by the name of the container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Usage>>;
}

/**
 * What a node and its pods used between two samples, by the node's own monotonic clock. A pod is left out
 * unless all its containers ran all the time: half of it would look like a pod with nothing to do.
 * Undefined when the two cannot be compared: other clocks, no time between, or a counter that went back.
 */
export const usageBetween = (base: Sample, last: Sample): NodeUsage | undefined => {
  const windowMs = last.monotonicMs - base.monotonicMs;
  if (base.clockId !== last.clockId || !(windowMs > 0)) return undefined;
  const node = usedBy(base.node, last.node, windowMs);
  if (node === undefined) return undefined;
  const pods = new Map<string, ReadonlyMap<string, Usage>>();
  for (const [uid, { containers }] of last.pods) {
    const before = base.pods.get(uid)?.containers;
    const used = new Map<string, Usage>();
    for (const [name, counters] of containers) {
      const usage = usedBy(before?.get(name), counters, windowMs);
      if (usage !== undefined) used.set(name, usage);
    }
    if (used.size === containers.size && used.size > 0) pods.set(uid, used);
  }
  return { ...node, windowMs, pods };
};

const usedBy = (
  before: Counters | undefined,
  { startTime, cpuNanos, memoryBytes }: Counters,
  windowMs: number,
): Usage | undefined => {
  if (before?.startTime !== startTime || before.cpuNanos > cpuNanos) return undefined;
  const cpuNanocores = Math.round(((cpuNanos - before.cpuNanos) / windowMs) * 1000);
  return cpuNanocores <= NANOCORES_MAX ? { cpuNanocores, memoryBytes } : undefined;
};

/** Nine million cores: more is no machine. */
const NANOCORES_MAX = Number.MAX_SAFE_INTEGER;
