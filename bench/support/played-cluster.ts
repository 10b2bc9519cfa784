import { readdirSync, readFileSync } from 'node:fs';
import { BenchClient, cpuMsOf, residentMbOf, type BenchServer } from './api-server';

/** How pods come. */
export interface Pace {
  /** Default: as fast as they are answered, over all connections. */
  readonly podsPerS?: number;
}

export interface Placed {
  readonly podsPerS: number;
  /** From when a pod was due until a watch told that it is bound. */
  readonly p99Ms: number;
  /** Of server and etcd, for a pod. */
  readonly cpuMs: number;
}

/** What a pod's manifest has beside its name. */
export interface PodParts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly requests?: Readonly<Record<string, string>>;
  /** They say themselves where they are: evenly on so many nodes. */
  readonly nodesNamed?: number;
}

/** A server with nodes that are only played: each renews its lease, and nothing runs. */
export class PlayedCluster implements AsyncDisposable {
  private podCount = 0;

  private constructor(
    private readonly server: BenchServer,
    private readonly client: BenchClient,
    private readonly stopRenewing: () => Promise<void>,
  ) {}

  static async open(server: BenchServer, nodeCount: number): Promise<PlayedCluster> {
    const client = new BenchClient(server.config, CONNECTIONS);
    await mustCall(client, '/api/v1/namespaces', namespace());
    await inParallel(nodeCount, (i) => mustCall(client, '/api/v1/nodes', node(i)));
    await inParallel(nodeCount, (i) => mustCall(client, LEASES, lease(i)));
    return new PlayedCluster(server, client, renewing(client, nodeCount));
  }

  /** Creates pods and does not wait for what becomes of them. Returns how many were answered in a second. */
  async create(count: number, parts: PodParts = {}): Promise<number> {
    const first = this.podCount;
    this.podCount += count;
    const startMs = performance.now();
    await inParallel(count, (i) => mustCall(this.client, PODS, podOf(first + i, parts)));
    return (count * 1000) / (performance.now() - startMs);
  }

  async put(path: string, object: object): Promise<void> {
    await mustCall(this.client, path, JSON.stringify(object));
  }

  /** Creates pods, and waits until a watch has told of each that it is bound. */
  async place(count: number, parts: PodParts = {}, pace: Pace = {}): Promise<Placed> {
    const first = this.podCount;
    this.podCount += count;
    const dueMs = new Map<string, number>();
    const tookMs: number[] = [];
    const close = await this.watchBound((name) => {
      const startMs = dueMs.get(name);
      if (startMs === undefined) return;
      dueMs.delete(name);
      tookMs.push(performance.now() - startMs);
    });
    try {
      const startCpuMs = cpuMsOfTree(this.server.pid);
      const startMs = performance.now();
      await inParallel(count, async (i) => {
        const due = await turnOf(i, startMs, pace);
        dueMs.set(`p-${first + i}`, due);
        await mustCall(this.client, PODS, podOf(first + i, parts));
      });
      await until(
        () => tookMs.length === count,
        () => `${tookMs.length} of ${count} pods are bound`,
      );
      const seconds = (performance.now() - startMs) / 1000;
      const p99Ms = tookMs.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
      return {
        ...{ podsPerS: count / seconds, p99Ms },
        cpuMs: (cpuMsOfTree(this.server.pid) - startCpuMs) / count,
      };
    } finally {
      close();
    }
  }

  /**
   * Waits until `count` pods are bound that others have been placing since before now. Returns how many of
   * them were bound in a second while this looked on.
   */
  async drained(count: number): Promise<number> {
    const bound = new Set<string>();
    let earlierCount = 0;
    const startMs = performance.now();
    const close = await this.watchBound((name, isFirst) => {
      if (isFirst && !bound.has(name)) earlierCount++;
      bound.add(name);
    });
    try {
      await until(
        () => bound.size >= count,
        () => `${bound.size} of ${count} pods are bound`,
      );
      return ((count - earlierCount) * 1000) / (performance.now() - startMs);
    } finally {
      close();
    }
  }

  /** Resident memory of server and etcd. */
  residentMb(): number {
    return sumOfTree(this.server.pid, residentMbOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopRenewing();
    this.client.close();
  }

  /** Told also of what is bound already, which it meets for the first time. */
  private watchBound(onBound: (name: string, isFirst: boolean) => void): Promise<() => void> {
    return this.client.stream(
      `${PODS}?watch=1&resourceVersion=0`,
      linesOf((line) => {
        const name = /"name":"(p-\d+)"/.exec(line)?.[1];
        if (name !== undefined && line.includes('"nodeName":"'))
          onBound(name, line.includes('"type":"ADDED"'));
      }),
    );
  }
}

/** When the pod is due: at once, unless there is a pace to keep. */
const turnOf = async (i: number, startMs: number, { podsPerS }: Pace): Promise<number> => {
  if (podsPerS === undefined) return performance.now();
  const due = startMs + (i * 1000) / podsPerS;
  const waitMs = due - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  return due;
};

const until = async (isSo: () => boolean, soFar: () => string): Promise<void> => {
  const endMs = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(soFar());
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

const cpuMsOfTree = (pid: number): number => sumOfTree(pid, cpuMsOf);

/** Over a process and all below it: etcd is a child of the server. */
const sumOfTree = (pid: number, amountOf: (pid: number) => number): number => {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return children.reduce((sum, child) => sum + sumOfTree(Number(child), amountOf), amountOf(pid));
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
  const amounts = { cpu: '32', memory: '64Gi', pods: '500', [SLOT]: '1' };
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

const podOf = (
  number: number,
  {
    labels = { app: 'load' },
    requests = { cpu: '100m', memory: '128Mi' },
    spec,
    nodesNamed,
  }: PodParts,
) => {
  const container = { name: 'main', image: 'dhow.local/none:1' };
  const limits = SLOT in requests ? { limits: { [SLOT]: requests[SLOT] } } : {};
  const placed = nodesNamed === undefined ? {} : { nodeName: `node-${number % nodesNamed}` };
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p-${number}`, labels } },
    spec: {
      containers: [{ ...container, resources: { requests, ...limits } }],
      ...placed,
      ...spec,
    },
  });
};

/** Of which each node has one. */
export const SLOT = 'example.com/slot';
const PODS = '/api/v1/namespaces/load/pods';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const MERGE_PATCH = 'application/merge-patch+json';
const CONNECTIONS = 64;
const RENEW_PERIOD_MS = 20_000;
const WAIT_MS = 300_000;
