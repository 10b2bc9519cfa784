import { rfc3339 } from '../../lib/clock';
import type { ContainerStats } from '../../runtime/container-runtime';
import type { MeasuredVolume } from './volume-meter';

/** One container that runs, with what it has used. */
export interface MeasuredContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly image: string;
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly name: string;
  readonly startedAtMs: number;
  readonly stats: ContainerStats;
}

/** One pod with what its containers have used, those that have ended too. */
export interface MeasuredPod {
  readonly namespace: string;
  readonly podName: string;
  readonly stats: ContainerStats;
}

/** One node, measured. Times are by the wall clock. */
export interface MeasuredNode {
  readonly nodeName: string;
  readonly bootedAtMs: number;
  readonly memoryBytes: number;
  readonly stats: ContainerStats;
}

/**
 * What the kubelet tells under `stats/summary` of processors, memory and volumes behind claims: counters,
 * and no rates, which are for whoever asks twice. Source: upstream's `pkg/apis/stats/v1alpha1`.
 */
export const summaryOf = (
  node: MeasuredNode,
  containers: readonly MeasuredContainer[],
  volumes: readonly MeasuredVolume[],
  nowMs: number,
) => {
  const time = rfc3339(nowMs);
  const pods = byPod(containers);
  const { cpu, memory } = usageOf(node.stats, time);
  const availableBytes = Math.max(0, node.memoryBytes - node.stats.memoryWorkingSetBytes);
  return {
    node: {
      nodeName: node.nodeName,
      startTime: rfc3339(node.bootedAtMs),
      cpu,
      memory: { ...memory, availableBytes },
    },
    pods: [...pods].map(([uid, own]) => ({
      podRef: { name: own[0]?.podName ?? '', namespace: own[0]?.namespace ?? '', uid },
      startTime: rfc3339(Math.min(...own.map(({ startedAtMs }) => startedAtMs))),
      containers: own.map(({ name, startedAtMs, stats }) => ({
        name,
        startTime: rfc3339(startedAtMs),
        ...usageOf(stats, time),
      })),
      ...volumesOf(volumes.filter(({ podUid }) => podUid === uid)),
    })),
  };
};

const volumesOf = (volumes: readonly MeasuredVolume[]) => {
  if (volumes.length === 0) return {};
  const volume = volumes.map(
    ({ podUid: _pod, name, namespace, claimName, atMs, condition, ...figures }) => ({
      time: rfc3339(atMs),
      name,
      pvcRef: { name: claimName, namespace },
      ...figures,
      ...(condition === undefined ? {} : { volumeHealthStats: { abnormal: condition.abnormal } }),
    }),
  );
  return { volume };
};

const byPod = (containers: readonly MeasuredContainer[]) => {
  const pods = new Map<string, MeasuredContainer[]>();
  for (const container of containers) {
    const own = pods.get(container.podUid);
    if (own === undefined) pods.set(container.podUid, [container]);
    else own.push(container);
  }
  return pods;
};

const usageOf = (stats: ContainerStats, time: string) => ({
  cpu: { time, usageCoreNanoSeconds: stats.cpuNanos },
  memory: {
    time,
    usageBytes: stats.memoryBytes,
    workingSetBytes: stats.memoryWorkingSetBytes,
  },
});
