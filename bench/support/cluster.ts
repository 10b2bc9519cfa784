import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterPaths } from '../../cli/cluster-paths';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';

/** A cluster of this bench alone, with the image `IMAGE` in its registry. */
export interface BenchCluster {
  readonly name: string;
  readonly kubeconfig: string;
  readonly client: RestClient;
  /** Runs `dhow` on this cluster and returns what it prints. */
  dhow(...args: readonly string[]): string;
}

/** Starts a cluster, lends it to `work`, and leaves nothing of it. Needs root and a build. */
export const withCluster = async <T>(
  nodes: number,
  work: (cluster: BenchCluster) => Promise<T>,
): Promise<T> => {
  const name = `bench-${randomBytes(3).toString('hex')}`;
  try {
    run('up', '--name', name, '--nodes', String(nodes));
    importImage(name);
    const { kubeconfig } = clusterPaths(name);
    const client = new RestClient(await readKubeconfig(kubeconfig));
    try {
      const dhow = (...args: readonly string[]) => run(...args, '--cluster', name);
      return await work({ name, kubeconfig, client, dhow });
    } finally {
      client.http.close();
    }
  } finally {
    run('down', '--name', name);
  }
};

/** Why benches of clusters cannot run here, if they cannot. */
export const clusterProblem = (): string | undefined =>
  process.getuid?.() === 0 ? undefined : 'it needs root';

const run = (...args: readonly string[]): string =>
  execFileSync(join(process.cwd(), 'dhow'), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: COMMAND_TIMEOUT_MS,
  });

const importImage = (cluster: string): void => {
  const dir = mkdtempSync(join(tmpdir(), 'dhow-bench-'));
  try {
    const archive = join(dir, 'image.tar.gz');
    execFileSync(join(process.cwd(), 'deploy', 'make-image.sh'), [archive]);
    run('image', 'import', archive, '--rootfs', '-t', IMAGE, '--cluster', cluster);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

/** The middle one of several measurements. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export const IMAGE = 'dhow.local/busybox:1';
const COMMAND_TIMEOUT_MS = 180_000;
