import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODES } from '../../api/resources';
import type { Node } from '../../api/types';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { clusterPaths, type ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { Processes } from './processes';
import { parseJson } from '../../lib/json';

export interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly nodeGrace: number;
  readonly evictionAfter: number;
  readonly logLevel: string;
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

/** How many nodes the cluster's server calls Ready. */
export const readyNodeCount = async (paths: ClusterPaths): Promise<number> => {
  const nodes = await withClient(paths, async (client) => (await client.list(NODES)).items);
  return nodes.filter(isReady).length;
};

const isReady = ({ status }: Node): boolean =>
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ===
  true;

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
