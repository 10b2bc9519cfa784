import { existsSync, readdirSync } from 'node:fs';
import { kubeconfigPath, readKubeconfig, type ClientConfig } from '../client/kubeconfig';
import { RestClient } from '../client/rest-client';
import { Discovery, type ApiResourceInfo } from './discovery';
import { clusterPaths, CLUSTERS_DIR } from './cluster-paths';
import type { Terminal } from './output/terminal';
import { UsageError } from './usage-error';

/** Options that every command which talks to a server has. */
export interface ConnectOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

/** A command's connection to its cluster. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly client: RestClient;
  readonly config: ClientConfig;
  /** The namespace asked for; undefined for all. */
  readonly namespace: string | undefined;
  /** The namespace was named on the command line. */
  readonly isNamespaceForced: boolean;
  /** The kind that the user means by `po`, `pods`, `pod`, `deployments.apps`. @throws UsageError */
  resolve(name: string): Promise<ApiResourceInfo>;
  readonly signal: AbortSignal;
}

/** Finds the cluster: `--kubeconfig`, `--cluster`, `$KUBECONFIG`, the one local cluster, `~/.kube/config`. */
export const connect = (
  options: ConnectOptions,
  terminal: Terminal,
  signal: AbortSignal,
): CliContext => {
  const config = readKubeconfig(configPath(options), options.context);
  const client = new RestClient(config, (text) => terminal.err.write(`Warning: ${text}\n`));
  const discovery = new Discovery(client, signal);
  return {
    terminal,
    client,
    config,
    signal,
    isNamespaceForced: options.namespace !== undefined,
    namespace: options.allNamespaces === true ? undefined : (options.namespace ?? config.namespace),
    resolve: async (name) => {
      const found = await discovery.find(name);
      if (found !== undefined) return found;
      throw new UsageError(`the server doesn't have a resource type "${name}"`);
    },
  };
};

const configPath = ({ kubeconfig, cluster }: ConnectOptions): string => {
  if (kubeconfig !== undefined) return kubeconfig;
  if (cluster !== undefined) return clusterPaths(cluster).kubeconfig;
  if (process.env['KUBECONFIG']) return kubeconfigPath(undefined);
  const local = localClusters();
  if (local.length > 1) {
    throw new UsageError(
      `several clusters are here (${local.join(', ')}): name one with --cluster`,
    );
  }
  const [only] = local;
  return only === undefined ? kubeconfigPath(undefined) : clusterPaths(only).kubeconfig;
};

/** The clusters that `dhow up` made on this machine. */
export const localClusters = (): string[] => {
  try {
    return readdirSync(CLUSTERS_DIR).filter((name) => existsSync(clusterPaths(name).kubeconfig));
  } catch {
    // No folder, or not ours to read: then there is none for this user.
    return [];
  }
};
