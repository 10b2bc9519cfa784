import { readdirSync, readFileSync } from 'node:fs';
import type { BenchResult } from './result';
import { BenchClient, cpuMsOf, withServer, type BenchServer } from './support/api-server';

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
}

const PEER: readonly Peer[] = [
  { nodes: 100, podsPerS: 330, cpuMs: 5.5 },
  { nodes: 1000, podsPerS: 289 },
  { nodes: 5000, podsPerS: 276, cpuMs: 6.5 },
];

const measure = async (server: BenchServer, peer: Peer): Promise<BenchResult[]> => {
  const client = new BenchClient(server.config, CONNECTIONS);
  let stopRenewing: () => Promise<void> = async () => undefined;
  try {
    await mustCall(client, '/api/v1/namespaces', namespace());
    await inParallel(peer.nodes, (i) => mustCall(client, '/api/v1/nodes', node(i)));
    await inParallel(peer.nodes, (i) => mustCall(client, LEASES, lease(i)));
    stopRenewing = renewing(client, peer.nodes);
    await place(server, client, { from: 0, count: WARM_UP_COUNT });
    return figuresOf(await place(server, client, { from: WARM_UP_COUNT, count: POD_COUNT }), peer);
  } finally {
    await stopRenewing();
    client.close();
  }
};

interface Placed {
  readonly podsPerS: number;
  readonly p99Ms: number;
  readonly cpuMs: number;
}

const figuresOf = (placed: Placed, { nodes, podsPerS, cpuMs }: Peer): BenchResult[] => {
  const what = { bench: 'control-plane', peer: 'Kubernetes' };
  return [
    {
      ...{ ...what, metric: `POST to bound, ${nodes} nodes`, unit: '1/s' },
      ...{ ours: placed.podsPerS, peerValue: podsPerS, ratio: placed.podsPerS / podsPerS },
    },
    {
      ...{ ...what, metric: `POST to bound, ${nodes} nodes, p99`, unit: 'ms', peer: 'aim' },
      ...{ ours: placed.p99Ms, peerValue: AIM_MS, ratio: AIM_MS / placed.p99Ms },
    },
    ...(cpuMs === undefined
      ? []
      : [
          {
            ...{ ...what, metric: `CPU per pod, server and etcd, ${nodes} nodes`, unit: 'ms' },
            ...{ ours: placed.cpuMs, peerValue: cpuMs, ratio: cpuMs / placed.cpuMs },
          },
        ]),
  ];
};

/** Creates pods over all connections, and waits until a watch has told of each that it is bound. */
const place = async (
  { pid }: BenchServer,
  client: BenchClient,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<Placed> => {
  const createdMs = new Map<string, number>();
  const tookMs: number[] = [];
  const close = await client.stream(
    `${PODS}?watch=1&resourceVersion=0`,
    linesOf((line) => {
      const name = /"name":"(p-\d+)"/.exec(line)?.[1] ?? '';
      const startMs = createdMs.get(name);
      if (startMs === undefined || !line.includes('"nodeName":"')) return;
      createdMs.delete(name);
      tookMs.push(performance.now() - startMs);
    }),
  );
  try {
    const startCpuMs = cpuMsOfTree(pid);
    const startMs = performance.now();
    await inParallel(count, (i) => {
      const name = `p-${from + i}`;
      createdMs.set(name, performance.now());
      return mustCall(client, PODS, pod(name));
    });
    while (tookMs.length < count) {
      if (performance.now() - startMs > WAIT_MS)
        throw new Error(`${count - tookMs.length} of ${count} pods are not bound`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const seconds = (performance.now() - startMs) / 1000;
    const p99Ms = tookMs.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
    return { podsPerS: count / seconds, p99Ms, cpuMs: (cpuMsOfTree(pid) - startCpuMs) / count };
  } finally {
    close();
  }
};

/** Of a process and all below it: etcd is a child of the server. */
const cpuMsOfTree = (pid: number): number => {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return children.reduce((sum, child) => sum + cpuMsOfTree(Number(child)), cpuMsOf(pid));
};

/** As agents do, evenly over the period, until the returned function is called. */
const renewing = (client: BenchClient, count: number): (() => Promise<void>) => {
  let isOn = true;
  const run = async (): Promise<void> => {
    for (let next = 0; isOn; next++) {
      const body = JSON.stringify({ spec: { renewTime: microTime() } });
      const path = `${LEASES}/node-${next % count}`;
      // One that is lost is made good by the next.
      await client.call('PATCH', path, body, MERGE_PATCH).catch(() => 0);
      await new Promise((resolve) => setTimeout(resolve, RENEW_PERIOD_MS / count));
    }
  };
  const ended = run();
  return () => {
    isOn = false;
    return ended;
  };
};

const linesOf = (onLine: (line: string) => void): ((data: Buffer) => void) => {
  let rest = '';
  return (data) => {
    const lines = `${rest}${data.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  };
};

const mustCall = async (client: BenchClient, path: string, body: string): Promise<void> => {
  const status = await client.call('POST', path, body);
  if (status !== 201) throw new Error(`POST ${path} was answered with ${status}`);
};

/** Calls `work` with 0 … count - 1, as many at once as there are connections. */
const inParallel = async (count: number, work: (i: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
};

const microTime = (): string => new Date().toISOString().replace('Z', '000Z');

const namespace = () =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'load' } });

const node = (i: number) => {
  const amounts = { cpu: '32', memory: '64Gi', pods: '110' };
  const now = new Date().toISOString();
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Node' },
    metadata: {
      name: `node-${i}`,
      labels: {
        'kubernetes.io/hostname': `node-${i}`,
        'topology.kubernetes.io/zone': `zone-${i % 3}`,
      },
    },
    status: {
      ...{ capacity: amounts, allocatable: amounts },
      conditions: [
        {
          ...{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ok' },
          ...{ lastHeartbeatTime: now, lastTransitionTime: now },
        },
      ],
    },
  });
};

const lease = (i: number) =>
  JSON.stringify({
    ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: `node-${i}` } },
    spec: { holderIdentity: `node-${i}`, leaseDurationSeconds: 40, renewTime: microTime() },
  });

const pod = (name: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'load' } } },
    spec: {
      containers: [
        {
          ...{ name: 'main', image: 'dhow.local/none:1' },
          resources: { requests: { cpu: '100m', memory: '128Mi' } },
        },
      ],
    },
  });

const PODS = '/api/v1/namespaces/load/pods';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const MERGE_PATCH = 'application/merge-patch+json';
const CONNECTIONS = 64;
const WARM_UP_COUNT = 500;
const POD_COUNT = 5_000;
const RENEW_PERIOD_MS = 20_000;
const AIM_MS = 250;
const WAIT_MS = 300_000;
