import { existsSync } from 'node:fs';
import { readKubeconfig } from '../../client/kubeconfig';
import { systemClock } from '../../lib/clock';
import { formatViews, type OutputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { authorityNotice } from './certificate-notice';
import { nodeNames, pathsOf, processesOf, readRecord, readyNodeCount } from './record';

export interface ClusterStatus {
  readonly name: string;
  readonly server: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | undefined }[];
  readonly nodesReady: number;
  readonly nodes: number;
  readonly createdAt: string;
  readonly kubeconfig: string;
  /** Something about its certificates that will soon need somebody. */
  readonly notice?: string;
}

/** How a cluster of this machine is; undefined when there is none of that name. */
export const statusOf = async (name: string): Promise<ClusterStatus | undefined> => {
  const record = readRecord(name);
  if (record === undefined) return undefined;
  const paths = pathsOf(name);
  const processes = processesOf(paths);
  const pids = ['server', ...nodeNames(record)].map(async (each) => ({
    name: each,
    pid: await processes.pidOf(each),
  }));
  const { kubeconfig } = paths;
  const config = existsSync(kubeconfig) ? await readKubeconfig(kubeconfig) : undefined;
  const notice = config?.ca && authorityNotice(config.ca, systemClock.now());
  return {
    name,
    server: config?.server ?? '',
    processes: await Promise.all(pids),
    nodesReady: await readyNodeCount(paths).catch(() => 0),
    nodes: record.nodes,
    createdAt: record.createdAt,
    kubeconfig,
    ...(notice === undefined ? {} : { notice }),
  };
};

export const formatStatus = (clusters: readonly ClusterStatus[], format: OutputFormat): string =>
  formatViews(
    {
      document: clusters,
      names: clusters.map(({ name }) => name),
      table: (isWide) => statusTable(clusters, isWide),
    },
    format,
  );

const statusTable = (clusters: readonly ClusterStatus[], isWide: boolean): string => {
  const header = ['NAME', 'STATE', 'READY', 'SERVER', ...(isWide ? ['CREATED', 'KUBECONFIG'] : [])];
  const rows = clusters.map((cluster) => [
    cluster.name,
    cluster.notice === undefined ? stateOf(cluster) : `${stateOf(cluster)}; ${cluster.notice}`,
    `${cluster.nodesReady}/${cluster.nodes}`,
    cluster.server || '<none>',
    ...(isWide ? [cluster.createdAt, cluster.kubeconfig] : []),
  ]);
  return formatTable(header, rows);
};

const stateOf = ({ processes, nodes, nodesReady }: ClusterStatus): string => {
  const ended = processes.filter(({ pid }) => pid === undefined).map(({ name }) => name);
  if (ended.length === processes.length) return 'Stopped';
  if (ended.length > 0) return `Degraded (ended: ${ended.join(', ')})`;
  return nodesReady < nodes ? 'NotReady' : 'Running';
};
