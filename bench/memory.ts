import { silentLog, type Log } from '../lib/log';
import type { BenchResult } from './result';
import { clusterProblem, median, withCluster } from './support/cluster';
import { nodeOf, processesOf, type Process } from './support/processes';

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

const NODE_COUNT = 3;
/** Long enough for start-up garbage to be collected and for several heartbeats. */
const SETTLE_MS = 20_000;
const KUBERNETES_MB = 505;
const AGENT_AIM_MB = 80;
