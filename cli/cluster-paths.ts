import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const CLUSTERS_DIR = '/var/lib/dhow';
export const RUN_DIR = '/run/dhow';

/** Where the parts of one local cluster live. */
export interface ClusterPaths {
  /** Survives a reboot: etcd's data, certificates, images, logs. */
  readonly stateDir: string;
  /** On tmpfs: sockets, pids, namespaces. */
  readonly runDir: string;
  readonly serverDir: string;
  readonly kubeconfig: string;
  readonly logDir: string;
  readonly manifest: string;
  /** Beside the run folder, which `down` removes. */
  readonly lock: string;
  nodeStateDir(node: string): string;
  nodeRunDir(node: string): string;
  log(process: string): string;
}

export const clusterPaths = (cluster: string): ClusterPaths => {
  const stateDir = join(CLUSTERS_DIR, cluster);
  const runDir = join(RUN_DIR, cluster);
  const serverDir = join(stateDir, 'server');
  return {
    stateDir,
    runDir,
    serverDir,
    kubeconfig: join(serverDir, 'admin.kubeconfig'),
    logDir: join(stateDir, 'log'),
    manifest: join(stateDir, 'cluster.json'),
    lock: `${runDir}.lock`,
    nodeStateDir: (node) => join(stateDir, 'nodes', node),
    nodeRunDir: (node) => join(runDir, node),
    log: (process) => join(stateDir, 'log', `${process}.log`),
  };
};

/** The clusters that `dhow up` made on this machine, as far as this user may know. */
export const recordedClusters = (): string[] => {
  try {
    return readdirSync(CLUSTERS_DIR).filter((name) => existsSync(clusterPaths(name).manifest));
  } catch {
    // No folder, or not ours to read: then there is none for this user.
    return [];
  }
};

export const mayListClusters = (): boolean => {
  try {
    readdirSync(CLUSTERS_DIR);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
};
