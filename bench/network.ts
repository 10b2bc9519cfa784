import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { silentLog, type Log } from '../lib/log';
import { type Timings } from './network/in-namespace';
import { type BenchResult } from './result';

/**
 * Connecting a pod whose namespace exists, against the CNI bridge and host-local plugins as container
 * runtimes run them: one process each. Both in a network namespace of their own, pods one by one.
 * Our detach leaves the interface to the end of its namespace, which comes next in a pod's life.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  if (!existsSync(join(CNI_DIR, 'bridge'))) {
    log.warn({ package: 'containernetworking-plugins' }, 'network bench skipped: no CNI plugins');
    return [];
  }
  const timings = measure();
  return (['attach', 'detach'] as const).map((metric) => {
    const [ours, peerValue] = [median(timings.ours[metric]), median(timings.cni[metric])];
    return {
      bench: 'network',
      metric: `${metric} p50`,
      ours,
      peer: 'CNI bridge + host-local',
      peerValue,
      ratio: peerValue / ours,
      unit: 'ms',
    };
  });
};

const measure = (): { readonly ours: Timings; readonly cni: Timings } => {
  const dir = mkdtempSync(join(tmpdir(), 'network-bench-'));
  const namespace = `network-bench-${randomBytes(3).toString('hex')}`;
  try {
    execFileSync('ip', ['netns', 'add', namespace]);
    const program = build(dir);
    const args = [
      `--net=/run/netns/${namespace}`,
      process.execPath,
      program,
      namespace,
      dir,
      CNI_DIR,
    ];
    const output = execFileSync('nsenter', args, {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      env: { ...process.env, NODE_PATH: join(ROOT, 'node_modules') },
    });
    return JSON.parse(output) as ReturnType<typeof measure>;
  } finally {
    execFileSync('sh', ['-c', REMOVE_NAMESPACES, 'sh', namespace]);
    rmSync(dir, { recursive: true, force: true });
  }
};

const build = (dir: string): string => {
  const outfile = join(dir, 'in-namespace.js');
  buildSync({
    entryPoints: [join(ROOT, 'bench/network/in-namespace.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: ['koffi', 'pino'],
    logLevel: 'error',
  });
  return outfile;
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Benches are run from the project's root, bundled or not. */
const ROOT = process.cwd();
const CNI_DIR = '/usr/lib/cni';
const TIMEOUT_MS = 120_000;
const REMOVE_NAMESPACES = 'for ns in /run/netns/"$1"*; do ip netns delete "${ns##*/}"; done';
