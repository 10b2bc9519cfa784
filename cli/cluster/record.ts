import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LEASES, NODES } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { clusterPaths, type ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { countReady, lifeSignsOf, type LifeSigns } from './node-readiness';
import { Processes } from './processes';
import { parseJson } from '../../lib/json';

export interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly nodeGrace: number;
  readonly evictionAfter: number;
  readonly logLevel: string;
  /** No way out of the cluster's network. */
  readonly isolated?: boolean;
  /** As the server's flags; default: ranges of IPv4 that are free. */
  readonly clusterCidr?: string;
  readonly serviceClusterIpRange?: string;
  /** As the agents' flag; default: none. */
  readonly nodeEncryption?: 'none' | 'wireguard';
  /** Size of a disk of its own for each node; default: they share this machine's. */
  readonly nodeDisk?: string;
  /** A file, by its whole path: it is read at each start. */
  readonly schedulerConfig?: string;
  /** The same, for the server and all agents. */
  readonly tracingConfigFile?: string;
}

/** What is kept of how a cluster was started. */
export interface ClusterRecord extends UpOptions {
  readonly createdAt: string;
}

/** Called with each step as it begins, for people who wait. */
export type Progress = (step: string) => void;

export const readRecord = (name: string): ClusterRecord | undefined => {
  try {
    return parseJson(readFileSync(pathsOf(name).manifest, 'utf8')) as ClusterRecord;
  } catch {
    // No such cluster, or one whose start was cut short before it was written down.
    return undefined;
  }
};

/** A name becomes part of paths, interfaces and cgroups. @throws UsageError */
export const checkName = (name: string): string => {
  if (RESERVED_NAMES.has(name)) {
    throw new UsageError(
      `--name "${name}": \`dhow ${name}\` keeps its own state there; take another`,
    );
  }
  if (/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) return name;
  throw new UsageError(
    `--name "${name}": a letter, then up to 19 lower-case letters, digits or dashes`,
  );
};

/** The folders that `dhow agent` and `dhow server` use beside those of local clusters. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['agent', 'server']);

export const pathsOf = (name: string): ClusterPaths => clusterPaths(checkName(name));

export const processesOf = (paths: ClusterPaths): Processes =>
  new Processes(join(paths.runDir, 'pids'));

export const nodeNames = ({ nodes }: ClusterRecord): string[] =>
  Array.from({ length: nodes }, (_none, i) => `node-${i + 1}`);

export const cgroupOf = (cluster: string, node: string): string => `dhow/${cluster}/${node}`;

/** How many nodes the cluster's server calls Ready. See `countReady`. */
export const readyNodeCount = (
  paths: ClusterPaths,
  before: LifeSigns = new Map(),
  awaited: ReadonlySet<string> = new Set(),
): Promise<number> =>
  withClient(paths, async (client) => {
    const nodes = (await client.list(NODES)).items;
    return countReady(nodes, await lifeSigns(client), before, awaited);
  });

/** The signs of life that the nodes have left in the cluster's store. */
export const readLifeSigns = (paths: ClusterPaths): Promise<LifeSigns> =>
  withClient(paths, lifeSigns);

const lifeSigns = async (client: RestClient): Promise<LifeSigns> =>
  lifeSignsOf((await client.list(LEASES, { namespace: 'kube-node-lease' })).items);

export const withClient = async <T>(
  paths: ClusterPaths,
  work: (client: RestClient) => Promise<T>,
): Promise<T> => {
  const client = new RestClient(await readKubeconfig(paths.kubeconfig));
  try {
    return await work(client);
  } finally {
    client.http.close();
  }
};
