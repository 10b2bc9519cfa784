import { readdirSync, readFileSync } from 'node:fs';
import { silentLog, type Log } from '../lib/log';
import type { BenchResult } from './result';
import { clusterProblem, median, withCluster } from './support/cluster';

/**
 * Resident memory of a cluster with nothing to do. The server's peer is the sum of upstream's
 * control plane (etcd, API server, scheduler, controller manager) measured on a machine of the same
 * type; the agent's is the aim. Each agent is counted with its launcher.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  const problem = clusterProblem();
  if (problem !== undefined) {
    log.warn({ problem }, 'memory bench skipped');
    return [];
  }
  return withCluster(NODE_COUNT, async ({ name }) => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const processes = processesOf(name);
    const sum = (isWanted: (process: Process) => boolean) =>
      processes.filter(isWanted).reduce((total, { residentMb }) => total + residentMb, 0);
    const agents = Array.from({ length: NODE_COUNT }, (_none, i) =>
      sum(({ command }) => nodeOf(command, name) === `node-${i + 1}`),
    );
    const server = sum(({ command }) => nodeOf(command, name) === 'server');
    return [
      figure('server with etcd, idle', server, 'Kubernetes control plane', KUBERNETES_MB),
      figure('agent with launcher, idle', median(agents), 'aim', AGENT_AIM_MB),
    ];
  });
};

const figure = (metric: string, ours: number, peer: string, peerValue: number): BenchResult => ({
  bench: 'memory',
  metric,
  ours,
  peer,
  peerValue,
  ratio: peerValue / ours,
  unit: 'MB',
});

interface Process {
  readonly command: string;
  readonly residentMb: number;
}

/** All processes whose command names a folder of the cluster. */
const processesOf = (cluster: string): Process[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const residentKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
        const isOurs = command.includes(`/dhow/${cluster}/`);
        return isOurs ? [{ command, residentMb: (residentKb * 1024) / 1e6 }] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });

/** `server` or `node-N`. An agent's command names a folder of the server too: its join token's. */
const nodeOf = (command: string, cluster: string): string | undefined => {
  const folder = (name: string) => new RegExp(`/dhow/${cluster}/(${name})\\b`).exec(command)?.[1];
  return folder('node-\\d+') ?? folder('server');
};

const NODE_COUNT = 3;
/** Long enough for start-up garbage to be collected and for several heartbeats. */
const SETTLE_MS = 20_000;
const KUBERNETES_MB = 505;
const AGENT_AIM_MB = 80;
