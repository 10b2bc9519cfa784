import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DEPLOYMENTS, PODS } from '../api/resources';
import type { Deployment, Pod } from '../api/types';
import type { DraftOf } from '../client/api-client';
import { linkedController } from '../lib/async/linked-controller';
import { silentLog, type Log } from '../lib/log';
import type { BenchResult } from './result';
import { clusterProblem, IMAGE, median, withCluster, type BenchCluster } from './support/cluster';

/**
 * From applying a Deployment of three replicas to all of them Running, their image being on the
 * nodes: from the request that creates it, and from the start of the command. Also of pods that ask for
 * neither a token nor the variables of Services, which is all that engines without an API give theirs.
 * Each round begins on a cluster at rest; the ways take turns. The peer is the aim.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  const problem = clusterProblem();
  if (problem !== undefined) {
    log.warn({ problem }, 'apply bench skipped');
    return [];
  }
  return withCluster(3, async (cluster) => {
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await once(cluster, byRequest(DEPLOYMENT));
    return measureInTurns(cluster, {
      'request to 3 pods Running p50': byRequest(DEPLOYMENT),
      'request to 3 pods without token and service links Running p50': byRequest(BARE_DEPLOYMENT),
      'command to 3 pods Running p50': byCommand,
    });
  });
};

type Apply = (cluster: BenchCluster) => Promise<unknown>;

/** By metric. What slows the machine for a while slows all of them. */
const measureInTurns = async (
  cluster: BenchCluster,
  ways: Readonly<Record<string, Apply>>,
): Promise<BenchResult[]> => {
  const measured = Object.entries(ways).map(([metric, apply]) => ({
    ...{ metric, apply },
    timesMs: [] as number[],
  }));
  for (let round = 0; round < ROUNDS; round++)
    for (const { apply, timesMs } of measured) timesMs.push(await once(cluster, apply));
  return measured.map(({ metric, timesMs }) => {
    const ours = median(timesMs);
    const ratio = AIM_MS / ours;
    return { bench: 'apply', metric, ours, peer: 'aim', peerValue: AIM_MS, ratio, unit: 'ms' };
  });
};

const byRequest =
  (deployment: DraftOf<Deployment>): Apply =>
  ({ client }) =>
    client.create(DEPLOYMENTS, deployment);

const byCommand: Apply = async ({ name }) => {
  const dir = mkdtempSync(join(tmpdir(), 'dhow-bench-'));
  try {
    const file = join(dir, 'deployment.json');
    writeFileSync(file, JSON.stringify(DEPLOYMENT));
    await promisify(execFile)('./dhow', ['apply', '-f', file, '--cluster', name]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

/** Milliseconds from the start of `apply` until a watcher has seen all pods Running. */
const once = async (cluster: BenchCluster, apply: Apply): Promise<number> => {
  const { client } = cluster;
  const { resourceVersion } = await client.list(PODS, { namespace: NAMESPACE });
  const stop = AbortSignal.timeout(ROUND_TIMEOUT_MS);
  const startMs = performance.now();
  const applied = apply(cluster);
  const running = allRunning(cluster, resourceVersion, stop);
  const [, endMs] = await Promise.all([applied, running]);
  await removeAll(cluster, stop);
  return endMs - startMs;
};

const allRunning = async (
  { client }: BenchCluster,
  resourceVersion: string,
  stop: AbortSignal,
): Promise<number> => {
  using seen = linkedController(stop);
  const running = new Set<string>();
  for await (const event of client.watch(
    PODS,
    { namespace: NAMESPACE, resourceVersion },
    seen.signal,
  )) {
    if (event.type === 'BOOKMARK' || event.type === 'DELETED') continue;
    if (isRunning(event.object)) running.add(event.object.metadata.name);
    if (running.size < REPLICAS) continue;
    const endMs = performance.now();
    seen.abort();
    return endMs;
  }
  throw new Error(`only ${running.size} of ${REPLICAS} pods ran in time`);
};

const isRunning = ({ status }: Pod): boolean => status.phase === 'Running';

const removeAll = async ({ client }: BenchCluster, stop: AbortSignal): Promise<void> => {
  await client.delete(DEPLOYMENTS, { namespace: NAMESPACE, name: NAME });
  const isClear = async () =>
    (await client.list(PODS, { namespace: NAMESPACE })).items.length === 0;
  while (!(await isClear())) {
    stop.throwIfAborted();
    await sleep(POLL_MS);
  }
  await sleep(REST_MS);
};

const NAMESPACE = 'default';
const NAME = 'bench';
const REPLICAS = 3;
const LABELS = { app: 'bench' };
const deploymentOf = (
  options: Partial<Deployment['spec']['template']['spec']>,
): DraftOf<Deployment> => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: NAME, namespace: NAMESPACE },
  spec: {
    replicas: REPLICAS,
    selector: { matchLabels: LABELS },
    template: {
      metadata: { labels: LABELS },
      spec: {
        ...options,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: IMAGE,
            imagePullPolicy: 'IfNotPresent',
            command: ['sleep', '1000000'],
          },
        ],
      },
    },
  },
});
const DEPLOYMENT = deploymentOf({});
const BARE_DEPLOYMENT = deploymentOf({
  automountServiceAccountToken: false,
  enableServiceLinks: false,
});
const AIM_MS = 150;
const WARM_UP_ROUNDS = 4;
const ROUNDS = 15;
const ROUND_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** What a removal leaves to do, folders and events, is no part of the next round. */
const REST_MS = 1000;
