import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../lib/log';
import type { BenchResult } from './result';
import { withServer } from './support/api-server';
import { PlayedCluster, SLOT, type Placed, type PodParts } from './support/played-cluster';

/**
 * Workloads after those of upstream's scheduler_perf, from POST to bound through a whole control plane with
 * 5,000 played nodes, in one run with the basic one. Peers are the thresholds in upstream's
 * performance-config.yaml, which count the scheduler alone, and a third of the basic workload. Then a
 * backlog: pods whose scheduler starts late. Each figure is told as soon as it is there, with the CPU time of
 * server and etcd for a pod, which says more than the rate where the machine has other work; a workload that
 * takes longer than a wait of the cluster is left out, and the others go on.
 */
export const bench = async (): Promise<BenchResult[]> => [
  ...(await withServer(async (server) => {
    await using cluster = await PlayedCluster.open(server, NODE_COUNT);
    return await workloads(cluster);
  })),
  await backlog(),
];

interface Workload {
  readonly name: string;
  /** Pods a second. */
  readonly threshold: number;
  /** Labels are the workload's own: its pods go by each other alone. */
  readonly parts: (labels: Readonly<Record<string, string>>) => PodParts;
}

const workloads = async (cluster: PlayedCluster): Promise<readonly BenchResult[]> => {
  const results: BenchResult[] = [];
  await cluster.place(WARM_UP_COUNT);
  const basic = await cluster.place(POD_COUNT);
  tell('basic', basic);
  results.push(figure('basic', basic.podsPerS, 'kube-scheduler threshold', BASIC_THRESHOLD));
  for (const { name, threshold, parts } of WORKLOADS) {
    const own = parts({ app: name.replaceAll(' ', '-') });
    const placed = await bounded(name, async () => {
      await cluster.place(WARM_UP_COUNT, own);
      return cluster.place(POD_COUNT, own);
    });
    const peers = { threshold, basicPerS: basic.podsPerS };
    if (placed !== undefined) results.push(...beside(name, placed.podsPerS, peers));
  }
  const placed = await bounded('preemption', () => preemption(cluster));
  const peers = { threshold: PREEMPTION_THRESHOLD, basicPerS: basic.podsPerS };
  return placed === undefined
    ? results
    : [...results, ...beside('preemption', placed.podsPerS, peers)];
};

/** One that is too slow, or fails, is told of, and does not keep the others from being measured. */
const bounded = async (name: string, run: () => Promise<Placed>): Promise<Placed | undefined> => {
  try {
    const placed = await run();
    tell(name, placed);
    return placed;
  } catch (error) {
    process.stderr.write(`  ${name}: no figure: ${describeError(error)}\n`);
    return undefined;
  }
};

const tell = (name: string, { podsPerS, cpuMs, p99Ms }: Placed): void => {
  const figures = `${podsPerS.toFixed(0)} pods/s, ${cpuMs.toFixed(2)} ms of CPU a pod, p99 ${p99Ms.toFixed(0)} ms`;
  process.stderr.write(`  ${name}: ${figures}\n`);
};

/** Every node has one slot, and in it a pod of less priority, which ends at once when it is told to. */
const preemption = async (cluster: PlayedCluster): Promise<Placed> => {
  const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
  const shared = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' };
  await cluster.put(path, { ...shared, metadata: { name: 'high' }, value: 1000 });
  const requests = { [SLOT]: '1' };
  const spec = { terminationGracePeriodSeconds: 0 };
  await cluster.place(NODE_COUNT, { requests, spec });
  const high = { requests, spec: { ...spec, priorityClassName: 'high' } };
  return cluster.place(POD_COUNT, high);
};

/** The pods are there when a scheduler of their name comes up; what it does before it is watched counts for nobody. */
const backlog = async (): Promise<BenchResult> => {
  const dir = mkdtempSync(join(tmpdir(), 'dhow-backlog-'));
  const file = join(dir, 'scheduler.yaml');
  const configure = (...names: readonly string[]) =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' },
        profiles: names.map((schedulerName) => ({ schedulerName })),
      }),
    );
  try {
    configure('default-scheduler');
    return await withServer(
      async (server) => {
        await using cluster = await PlayedCluster.open(server, NODE_COUNT);
        await cluster.create(BACKLOG_COUNT, { spec: { schedulerName: 'late' } });
        configure('default-scheduler', 'late');
        await server.restart();
        const podsPerS = await cluster.drained(BACKLOG_COUNT);
        return figure('backlog to bound, scheduler started late', podsPerS, 'aim', BACKLOG_AIM);
      },
      ['--scheduler-config', file],
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

interface Peers {
  readonly threshold: number;
  readonly basicPerS: number;
}

const beside = (name: string, ours: number, { threshold, basicPerS }: Peers) => [
  figure(name, ours, 'kube-scheduler threshold', threshold),
  figure(name, ours, 'a third of basic', basicPerS / 3),
];

const figure = (name: string, ours: number, peer: string, peerValue: number): BenchResult => ({
  ...{ bench: 'scheduler-perf', metric: `${name}, ${NODE_COUNT} nodes`, unit: '1/s' },
  ...{ ours, peer, peerValue, ratio: ours / peerValue },
});

const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';
type Labels = Readonly<Record<string, string>>;
const term = (topologyKey: string, matchLabels: Labels) => ({
  topologyKey,
  labelSelector: { matchLabels },
});

const WORKLOADS: readonly Workload[] = [
  {
    name: 'required anti-affinity by node',
    threshold: 60,
    parts: (labels) => ({
      labels,
      spec: {
        affinity: {
          podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(HOST, labels)] },
        },
      },
    }),
  },
  {
    name: 'required affinity by zone',
    threshold: 35,
    parts: (labels) => ({
      labels,
      spec: {
        affinity: {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(ZONE, labels)] },
        },
      },
    }),
  },
  {
    name: 'preferred affinity by node',
    threshold: 90,
    parts: (labels) => ({
      labels,
      spec: {
        affinity: {
          podAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, podAffinityTerm: term(HOST, labels) },
            ],
          },
        },
      },
    }),
  },
  {
    name: 'spread over zones',
    threshold: 460,
    parts: (labels) => ({
      labels,
      spec: {
        topologySpreadConstraints: [
          { ...term(ZONE, labels), maxSkew: 5, whenUnsatisfiable: 'DoNotSchedule' },
        ],
      },
    }),
  },
  {
    name: 'preferred spread over zones',
    threshold: 340,
    parts: (labels) => ({
      labels,
      spec: {
        topologySpreadConstraints: [
          { ...term(ZONE, labels), maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
        ],
      },
    }),
  },
];

const BASIC_THRESHOLD = 680;
const PREEMPTION_THRESHOLD = 570;
const NODE_COUNT = 5_000;
const WARM_UP_COUNT = 200;
const POD_COUNT = 2_000;
const BACKLOG_COUNT = 20_000;
const BACKLOG_AIM = 8_000;
