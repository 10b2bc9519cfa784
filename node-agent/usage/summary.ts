import { rfc3339 } from '../../lib/clock';
import type { ContainerStats } from '../../runtime/container-runtime';
import type { DiskUse, MeasuredDisks } from './disk-meter';
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

/** All that a summary tells of. */
interface Summarized {
  readonly node: MeasuredNode;
  readonly containers: readonly MeasuredContainer[];
  readonly volumes: readonly MeasuredVolume[];
  readonly disks: MeasuredDisks;
}

/**
 * What the kubelet tells under `stats/summary` of processors, memory, disks and volumes behind claims:
 * counters, and no rates, which are for whoever asks twice. Source: upstream's `pkg/apis/stats/v1alpha1`.
 */
export const summaryOf = ({ node, containers, volumes, disks }: Summarized, nowMs: number) => {
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
      ...(disks.fileSystem === undefined ? {} : { fs: { time, ...disks.fileSystem } }),
    },
    pods: [...pods].map(([uid, own]) => ({
      podRef: { name: own[0]?.podName ?? '', namespace: own[0]?.namespace ?? '', uid },
      startTime: rfc3339(Math.min(...own.map(({ startedAtMs }) => startedAtMs))),
      containers: own.map(({ id, name, startedAtMs, stats }) => ({
        name,
        startTime: rfc3339(startedAtMs),
        ...usageOf(stats, time),
        ...disksOf(id, disks),
      })),
      ...ephemeralStorageOf(own, disks, time),
      ...volumesOf(volumes.filter(({ podUid }) => podUid === uid)),
    })),
  };
};

/** What it uses, beside what there is for all. */
const disksOf = (id: string, { byId, fileSystem }: MeasuredDisks) => {
  const disk = byId.get(id);
  if (disk === undefined) return {};
  const time = rfc3339(disk.atMs);
  return {
    rootfs: { time, ...fileSystem, ...disk.rootfs },
    logs: { time, ...fileSystem, ...disk.logs },
  };
};

/** Undefined where not all of it has been counted: less would be taken for all. */
const ephemeralStorageOf = (
  own: readonly MeasuredContainer[],
  { byId, fileSystem }: MeasuredDisks,
  time: string,
) => {
  const disks = own.map(({ id }) => byId.get(id));
  const uses = disks.flatMap((disk) => (disk === undefined ? [] : [disk.rootfs, disk.logs]));
  if (uses.length < 2 * own.length) return {};
  const sum = (of: (use: DiskUse) => number) => uses.reduce((total, use) => total + of(use), 0);
  const used = { usedBytes: sum((use) => use.usedBytes), inodesUsed: sum((use) => use.inodesUsed) };
  return { 'ephemeral-storage': { time, ...fileSystem, ...used } };
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
