import type { BenchResult } from './result';
import { bareFanOut } from './support/bare-server';
import {
  BenchClient,
  cpuMsOf,
  residentMbOf,
  withServer,
  type BenchServer,
} from './support/api-server';
import { median } from './support/cluster';

/**
 * The API as its clients feel it: HTTPS, authorization, admission, etcd, caches, all in a process of
 * its own, whose CPU is counted. The peer's figures for creates were measured on a machine of this type:
 * Kubernetes' own API server with etcd, 64 connections.
 */
export const bench = (): Promise<BenchResult[]> =>
  withServer(async (server) => {
    const client = new BenchClient(server.config, CONNECTIONS);
    try {
      await client.call('POST', '/api/v1/namespaces', namespace());
      return [
        ...(await creates(server, client)),
        ...(await lists(client)),
        ...(await fanOut(server, client)),
        ...(await atRest(server)),
      ];
    } finally {
      client.close();
    }
  });

/** Pods that no node takes, as many at once as there are connections; every tenth call is a get. */
const creates = async (server: BenchServer, client: BenchClient): Promise<BenchResult[]> => {
  await inParallel(WARM_UP_COUNT, (i) => create(client, `warm-${i}`));
  const idle = await latencies(client, 200);
  const getMs: number[] = [];
  const startMs = performance.now();
  const startCpuMs = cpuMsOf(server.pid);
  await inParallel(CREATE_COUNT, async (i) => {
    await create(client, `pod-${i}`);
    if (i % 50 !== 0) return;
    const askedMs = performance.now();
    await client.call('GET', `${PODS}/pod-${i}`);
    getMs.push(performance.now() - askedMs);
  });
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = (cpuMsOf(server.pid) - startCpuMs) / CREATE_COUNT;
  const rate = CREATE_COUNT / seconds;
  return [
    figure(`pods created, ${CONNECTIONS} connections`, rate, 'Kubernetes', 1156, '1/s', true),
    figure('server CPU per pod created', cpuMs, 'Kubernetes', 1.1, 'ms'),
    figure('get while that goes on, p99', p99(getMs), 'get at rest, p99', p99(idle), 'ms'),
  ];
};

const lists = async (client: BenchClient): Promise<BenchResult[]> => {
  const whole = await timedMs(() => client.call('GET', PODS));
  const paged = await timedMs(async () => {
    let path = `${PODS}?limit=500`;
    for (;;) {
      const next = /"continue":"([^"]+)"/.exec(await client.text(path))?.[1];
      if (next === undefined) return;
      path = `${PODS}?limit=500&continue=${next}`;
    }
  });
  return [figure(`list of ${LIST_COUNT} pods`, whole, 'in pages of 500', paged, 'ms')];
};

/**
 * Watches of one namespace while config maps are made. The peer is a bare HTTPS server that writes the
 * same bytes, sixteen events at a time, to as many connections: what the system calls and TLS cost.
 */
const fanOut = async (server: BenchServer, client: BenchClient): Promise<BenchResult[]> => {
  await client.call('POST', '/api/v1/namespaces', namespace('fan'));
  const path = '/api/v1/namespaces/fan/configmaps';
  let lines = 0;
  const closes: (() => void)[] = [];
  for (let i = 0; i < WATCHERS; i++)
    closes.push(await client.stream(`${path}?watch=1`, (data) => (lines += linesIn(data))));
  const startCpuMs = cpuMsOf(server.pid);
  await inParallel(UPDATES, (i) => client.call('POST', path, configMap(`c-${i}`)));
  await until(() => lines >= WATCHERS * UPDATES);
  const cpuMs = cpuMsOf(server.pid) - startCpuMs;
  for (const close of closes) close();
  const alone = await createCpuMs(server, client, path);
  const ours = ((cpuMs - alone * UPDATES) * 1000) / lines;
  return [
    figure(
      `server CPU per watch event, ${WATCHERS} watches`,
      ours,
      'bare HTTPS server',
      await bareFanOut(server.config, WATCHERS, UPDATES, configMap('c').length + EVENT_BYTES),
      'us',
    ),
  ];
};

/** What the creates alone cost: the same ones, with nobody who watches. */
const createCpuMs = async (
  server: BenchServer,
  client: BenchClient,
  path: string,
): Promise<number> => {
  const startCpuMs = cpuMsOf(server.pid);
  await inParallel(UPDATES, (i) => client.call('POST', path, configMap(`d-${i}`)));
  return (cpuMsOf(server.pid) - startCpuMs) / UPDATES;
};

const atRest = async (server: BenchServer): Promise<BenchResult[]> => {
  const megabytes = residentMbOf(server.pid);
  const startMs = await server.restart();
  return [
    figure(`memory with ${LIST_COUNT} pods`, megabytes, 'budget', 512, 'MB'),
    figure(`start with ${LIST_COUNT} pods, to ready`, startMs, 'aim', 5_000, 'ms'),
  ];
};

const figure = (
  metric: string,
  ours: number,
  peer: string,
  peerValue: number,
  unit: string,
  isMoreBetter = false,
): BenchResult => ({
  ...{ bench: 'api', metric, ours, peer, peerValue, unit },
  ratio: isMoreBetter ? ours / peerValue : peerValue / ours,
});

const create = async (client: BenchClient, name: string): Promise<void> => {
  const status = await client.call('POST', PODS, pod(name));
  if (status !== 201) throw new Error(`creating a pod was answered with ${status}`);
};

/** Calls `work` with 0 … count - 1, as many at once as there are connections. */
const inParallel = async (count: number, work: (i: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
};

const latencies = async (client: BenchClient, count: number): Promise<number[]> => {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await client.call('GET', `${PODS}/warm-${i % WARM_UP_COUNT}`);
    times.push(performance.now() - startMs);
  }
  return times;
};

/** The median of a few rounds. */
const timedMs = async (work: () => Promise<unknown>): Promise<number> => {
  const times: number[] = [];
  for (let i = 0; i < LIST_ROUNDS; i++) {
    const startMs = performance.now();
    await work();
    times.push(performance.now() - startMs);
  }
  return median(times);
};

const p99 = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;

const linesIn = (data: Buffer): number => {
  let count = 0;
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) count++;
  return count;
};

const until = async (isSo: () => boolean): Promise<void> => {
  const endMs = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error('the events do not arrive');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

const namespace = (name = 'bench') =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

const configMap = (name: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
    data: { pad: 'x'.repeat(800) },
  });

/** No node has its label. */
const pod = (name: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'bench' } } },
    spec: {
      nodeSelector: { 'example.org/none': 'such' },
      containers: [
        {
          ...{ name: 'main', image: 'example.org/app:1', command: ['sleep', '1000000'] },
          resources: { requests: { cpu: '100m', memory: '128Mi' } },
          env: [{ name: 'KEY', value: 'value' }],
        },
      ],
    },
  });

const PODS = '/api/v1/namespaces/bench/pods';
const CONNECTIONS = 64;
const WARM_UP_COUNT = 500;
const CREATE_COUNT = 9_500;
const LIST_COUNT = WARM_UP_COUNT + CREATE_COUNT;
const LIST_ROUNDS = 5;
const WATCHERS = 500;
const UPDATES = 400;
/** What an event holds beside what was sent: its frame, metadata, owners of fields. */
const EVENT_BYTES = 330;
const WAIT_MS = 120_000;
