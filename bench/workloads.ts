import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasReason } from '../api/errors';
import { isPodReady } from '../api/pods';
import {
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  JOBS,
  PODS,
  STATEFUL_SETS,
  type Resource,
} from '../api/resources';
import type { ApiObject } from '../api/types';
import { silentLog, type Log } from '../lib/log';
import type { BenchResult } from './result';
import { clusterProblem, IMAGE, withCluster, type BenchCluster } from './support/cluster';
import { cpuMsOf, nodeOf, processesOf } from './support/processes';
import { makeRootfs, ociConfig, runRunc } from './support/runc';

/**
 * What workloads cost on three nodes: a Job of one-shot pods against `runc run` of the same command
 * one after the other, where runc is installed; all else against an aim. A pod is more than a container:
 * it is scheduled, has a network, a log and a status that two watchers hear of.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  const problem = clusterProblem();
  if (problem !== undefined) {
    log.warn({ problem }, 'workloads bench skipped');
    return [];
  }
  return withCluster(3, async (cluster) => [
    ...(await measureJob(cluster)),
    await measureOrdered(cluster),
    ...(await measureDeployment(cluster)),
    await measureAutoscaler(cluster),
    ...(await measureChurn(cluster)),
  ]);
};

const measureJob = async (cluster: BenchCluster): Promise<BenchResult[]> => {
  const before = cpuMsOfAll(cluster);
  const startMs = performance.now();
  await runJob(cluster, JOB_PODS);
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = (cpuMsOfAll(cluster) - before) / JOB_PODS;
  await remove(cluster, JOBS);
  const peer = existsSync('/usr/sbin/runc') ? await runcFigures() : undefined;
  const podsPerSecond = JOB_PODS / seconds;
  if (peer === undefined)
    return [more(`job of ${JOB_PODS} pods`, podsPerSecond, 'aim', PODS_PER_SECOND_AIM, 'pods/s')];
  return [
    more(`job of ${JOB_PODS} pods`, podsPerSecond, 'runc', peer.perSecond, 'pods/s'),
    less('CPU of server, etcd and agents', cpuMs, 'runc', peer.cpuMs, 'ms/pod'),
  ];
};

/** Until it is complete. */
const runJob = async ({ client }: BenchCluster, pods: number): Promise<void> => {
  const spec = { restartPolicy: 'Never', containers: [container(['true'])], ...SOON };
  await client.create(JOBS, {
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: PLACE },
    spec: { completions: pods, parallelism: Math.min(pods, PARALLELISM), template: { spec } },
  });
  await until(async () => (await client.get(JOBS, PLACE)).status?.completionTime !== undefined);
};

const runcFigures = async (): Promise<{ readonly perSecond: number; readonly cpuMs: number }> => {
  const dir = mkdtempSync('/dev/shm/bench-');
  try {
    const [rootfs, bundle] = [join(dir, 'rootfs'), join(dir, 'bundle')];
    makeRootfs(rootfs);
    mkdirSync(bundle);
    writeFileSync(join(bundle, 'config.json'), ociConfig(rootfs, ['/bin/true']));
    const before = cpuMsOf('self');
    const startMs = performance.now();
    for (let i = 0; i < RUNC_RUNS; i++)
      await runRunc(join(dir, 'runc'), bundle, `dhow-bench-${process.pid}-${i}`);
    return {
      perSecond: (RUNC_RUNS * 1000) / (performance.now() - startMs),
      cpuMs: (cpuMsOf('self') - before) / RUNC_RUNS,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const measureOrdered = async (cluster: BenchCluster): Promise<BenchResult> => {
  const startMs = performance.now();
  await cluster.client.create(STATEFUL_SETS, {
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: PLACE },
    spec: { serviceName: NAME, replicas: ORDERED, ...selected(1) },
  });
  await until(async () => (await readyPods(cluster)) === ORDERED);
  const seconds = (performance.now() - startMs) / 1000;
  await remove(cluster, STATEFUL_SETS);
  return less(`stateful set of ${ORDERED} in order`, seconds, 'aim', ORDERED_AIM_S, 's');
};

/** Memory with many pods, then their update. */
const measureDeployment = async (cluster: BenchCluster): Promise<BenchResult[]> => {
  const { client } = cluster;
  const before = residentMb(cluster, 'node-');
  await client.create(DEPLOYMENTS, {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: PLACE },
    spec: { replicas: REPLICAS, ...selected(1) },
  });
  await until(async () => (await readyPods(cluster)) === REPLICAS);
  await sleep(SETTLE_MS);
  const perPod = (residentMb(cluster, 'node-') - before) / REPLICAS;
  const startMs = performance.now();
  await client.patch(DEPLOYMENTS, PLACE, 'strategic', { spec: selected(2) });
  await until(async () => {
    const { metadata, status } = await client.get(DEPLOYMENTS, PLACE);
    return (
      status.observedGeneration === metadata.generation &&
      status.updatedReplicas === REPLICAS &&
      status.availableReplicas === REPLICAS &&
      status.replicas === REPLICAS
    );
  });
  const seconds = (performance.now() - startMs) / 1000;
  await remove(cluster, DEPLOYMENTS);
  return [
    less(`memory of agents at ${REPLICAS} pods`, perPod, 'aim', MEMORY_AIM_MB, 'MB/pod'),
    less(`update of ${REPLICAS} replicas`, seconds, 'aim', UPDATE_AIM_S, 's'),
  ];
};

/** From the moment at which its pod becomes busy until the deployment is scaled up. */
const measureAutoscaler = async (cluster: BenchCluster): Promise<BenchResult> => {
  const { client } = cluster;
  const busy = `sleep ${IDLE_S}; while :; do :; done`;
  const requests = { resources: { requests: { cpu: '50m' }, limits: { cpu: '200m' } } };
  const template = {
    metadata: { labels: LABELS },
    spec: { containers: [{ ...container(['sh', '-c', busy]), ...requests }], ...SOON },
  };
  await client.create(DEPLOYMENTS, {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: PLACE },
    spec: { replicas: 1, selector: { matchLabels: LABELS }, template },
  });
  await client.create(HORIZONTAL_POD_AUTOSCALERS, {
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: PLACE },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: NAME },
      ...{ minReplicas: 1, maxReplicas: 3 },
    },
  });
  await until(async () => (await readyPods(cluster)) === 1);
  const startMs = performance.now() + IDLE_S * 1000;
  await until(async () => ((await client.get(DEPLOYMENTS, PLACE)).spec.replicas ?? 1) > 1);
  const seconds = (performance.now() - startMs) / 1000;
  await client.delete(HORIZONTAL_POD_AUTOSCALERS, PLACE);
  await remove(cluster, DEPLOYMENTS);
  return less('autoscaler after a step of load', seconds, 'aim', AUTOSCALER_AIM_S, 's');
};

/** Rounds of pods that come and go: what is held after the last is as after the first. */
const measureChurn = async (cluster: BenchCluster): Promise<BenchResult[]> => {
  const held: { readonly agents: number; readonly server: number }[] = [];
  for (let round = 0; round < CHURN_ROUNDS; round++) {
    await runJob(cluster, CHURN_PODS);
    await remove(cluster, JOBS);
    await sleep(SETTLE_MS);
    held.push({ agents: residentMb(cluster, 'node-'), server: residentMb(cluster, 'server') });
  }
  const leftCount = monitorCount(cluster);
  if (leftCount > 0) throw new Error(`${leftCount} containers are left of pods that are gone`);
  const [first, last] = [held[0], held.at(-1)];
  const what = `after ${CHURN_ROUNDS * CHURN_PODS} pods`;
  const figure = (whose: string, part: 'agents' | 'server') =>
    less(`${whose} memory ${what}`, last?.[part] ?? NaN, 'first round', first?.[part] ?? NaN, 'MB');
  return [figure("agents'", 'agents'), figure("server's", 'server')];
};

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const stop = AbortSignal.timeout(TIMEOUT_MS);
  const look = () =>
    holds().catch((error: unknown) => {
      // A busy server asks to come again.
      if (!hasReason(error, 'Timeout', 'ServiceUnavailable', 'TooManyRequests')) throw error;
      return false;
    });
  while (!(await look())) {
    stop.throwIfAborted();
    await sleep(POLL_MS);
  }
};

const readyPods = async ({ client }: BenchCluster): Promise<number> =>
  (await client.list(PODS, { namespace: NAMESPACE })).items.filter(isPodReady).length;

const remove = async <T extends ApiObject>(
  { client }: BenchCluster,
  resource: Resource<T>,
): Promise<void> => {
  await client.delete(resource, PLACE, { propagationPolicy: 'Background' });
  await until(async () => (await client.list(PODS, { namespace: NAMESPACE })).items.length === 0);
};

const cpuMsOfAll = ({ name }: BenchCluster): number =>
  processesOf(name).reduce((sum, { cpuMs }) => sum + cpuMs, 0);

const residentMb = ({ name }: BenchCluster, whose: string): number =>
  processesOf(name)
    .filter(({ command }) => nodeOf(command, name)?.startsWith(whose) === true)
    .reduce((sum, { residentMb: mb }) => sum + mb, 0);

/** Of containers: each has one beside it. */
const monitorCount = ({ name }: BenchCluster): number =>
  processesOf(name).filter(({ command }) => command.startsWith('dhow-monitor')).length;

const container = (command: readonly string[]) => ({
  ...{ name: 'main', image: IMAGE, imagePullPolicy: 'IfNotPresent', command },
});

/** Pods that are ready when they say so. */
const selected = (version: number) => ({
  selector: { matchLabels: LABELS },
  template: {
    metadata: { labels: LABELS, annotations: { version: String(version) } },
    spec: {
      containers: [
        {
          ...container(['sleep', '1000000']),
          readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
        },
      ],
      ...SOON,
    },
  },
});

const result =
  (ratioOf: (ours: number, peerValue: number) => number) =>
  (metric: string, ours: number, peer: string, peerValue: number, unit: string): BenchResult => ({
    ...{ bench: 'workloads', metric, ours, peer, peerValue, unit },
    ratio: ratioOf(ours, peerValue),
  });
const more = result((ours, peerValue) => ours / peerValue);
const less = result((ours, peerValue) => peerValue / ours);

const NAMESPACE = 'default';
const NAME = 'bench';
const PLACE = { namespace: NAMESPACE, name: NAME };
const LABELS = { app: NAME };
const SOON = { terminationGracePeriodSeconds: 0 };
const JOB_PODS = 500;
const PARALLELISM = 60;
const RUNC_RUNS = 50;
const PODS_PER_SECOND_AIM = 10;
const ORDERED = 10;
const ORDERED_AIM_S = 15;
const REPLICAS = 100;
const UPDATE_AIM_S = 60;
const MEMORY_AIM_MB = 0.5;
const IDLE_S = 30;
const AUTOSCALER_AIM_S = 60;
const CHURN_ROUNDS = 10;
const CHURN_PODS = 200;
/** For what was freed to be given back. */
const SETTLE_MS = 5_000;
const POLL_MS = 50;
const TIMEOUT_MS = 600_000;
