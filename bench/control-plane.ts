import type { BenchResult } from './result';
import { withServer, type BenchServer } from './support/api-server';
import { PlayedCluster, type Placed } from './support/played-cluster';

/**
 * From POST to bound, through all of a control plane: TLS, authentication, authorization, admission, an etcd
 * that syncs, watches, controllers and the scheduler, with this client on the same processors. Nodes are only
 * played: each renews its lease. The peer is kube-scheduler 1.36 with its API server and etcd on a quiet
 * two-core machine of this type, by the same requests, without renewals.
 */
export const bench = async (): Promise<BenchResult[]> => {
  const results: BenchResult[] = [];
  for (const peer of PEER) results.push(...(await withServer((server) => measure(server, peer))));
  return results;
};

interface Peer {
  readonly nodes: number;
  readonly podsPerS: number;
  /** Of API server, scheduler, controllers and etcd, where it was measured. */
  readonly cpuMs?: number;
  /** How many pods there are when memory is looked at; the largest cluster only. */
  readonly crowd?: number;
}

const PEER: readonly Peer[] = [
  { nodes: 100, podsPerS: 330, cpuMs: 5.5 },
  { nodes: 1000, podsPerS: 289 },
  { nodes: 5000, podsPerS: 276, cpuMs: 6.5, crowd: 50_000 },
];

const measure = async (server: BenchServer, peer: Peer): Promise<BenchResult[]> => {
  await using cluster = await PlayedCluster.open(server, peer.nodes);
  const emptyMb = cluster.residentMb();
  await cluster.place(WARM_UP_COUNT);
  const flood = await cluster.place(POD_COUNT);
  const paced: BenchResult[] = [];
  for (const [share, name] of SHARES) {
    const { p99Ms } = await cluster.place(POD_COUNT, {}, { podsPerS: flood.podsPerS * share });
    paced.push(latency(`${peer.nodes} nodes, at ${name} of that rate, p99`, p99Ms));
  }
  return [
    ...figuresOf(flood, peer),
    ...paced,
    ...(await created(cluster, peer)),
    ...(peer.crowd === undefined ? [] : [await crowded(cluster, peer.crowd, emptyMb)]),
  ];
};

const figuresOf = (placed: Placed, { nodes, podsPerS, cpuMs }: Peer): readonly BenchResult[] => [
  rate(`POST to bound, ${nodes} nodes`, placed.podsPerS, podsPerS),
  latency(`${nodes} nodes, p99`, placed.p99Ms),
  ...(cpuMs === undefined
    ? []
    : [
        {
          ...{ ...SHARED, metric: `CPU per pod, server and etcd, ${nodes} nodes`, unit: 'ms' },
          ...{ ours: placed.cpuMs, peerValue: cpuMs, ratio: cpuMs / placed.cpuMs },
        },
      ]),
];

/** Pods that nobody places: what the API alone can take. */
const created = async (
  cluster: PlayedCluster,
  { nodes }: Peer,
): Promise<readonly BenchResult[]> => {
  const gated = { spec: { schedulingGates: [{ name: 'example.com/held' }] } };
  const createsPerS = await cluster.create(POD_COUNT, gated);
  return [rate(`creates, 64 connections, ${nodes} nodes`, createsPerS, KUBE_CREATES_PER_S)];
};

/** Pods that say themselves where they are, until there are so many. */
const crowded = async (
  cluster: PlayedCluster,
  crowd: number,
  emptyMb: number,
): Promise<BenchResult> => {
  const count = crowd - WARM_UP_COUNT - (SHARES.length + 2) * POD_COUNT;
  await cluster.create(count, { nodesNamed: 5_000 });
  const ours = cluster.residentMb();
  return {
    ...{ ...SHARED, metric: `memory of server and etcd, 5000 nodes, ${crowd} pods`, unit: 'MB' },
    ...{ ours, peer: 'without pods', peerValue: emptyMb, ratio: emptyMb / ours },
  };
};

const rate = (metric: string, ours: number, peerValue: number): BenchResult => ({
  ...{ ...SHARED, metric, unit: '1/s', ours, peerValue, ratio: ours / peerValue },
});

const latency = (metric: string, ours: number): BenchResult => ({
  ...{ ...SHARED, metric: `POST to bound, ${metric}`, unit: 'ms', peer: 'aim' },
  ...{ ours, peerValue: AIM_MS, ratio: AIM_MS / ours },
});

const SHARED = { bench: 'control-plane', peer: 'Kubernetes' };
/** Of the rate at full flood: who keeps up at these has no queue to speak of. */
const SHARES = [
  [1 / 2, '1/2'],
  [2 / 3, '2/3'],
] as const;
const WARM_UP_COUNT = 500;
const POD_COUNT = 5_000;
const AIM_MS = 250;
const KUBE_CREATES_PER_S = 1156;
