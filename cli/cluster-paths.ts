import { join } from 'node:path';

export const CLUSTERS_DIR = '/var/lib/dhow';
const RUN_DIR = '/run/dhow';

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
    nodeStateDir: (node) => join(stateDir, 'nodes', node),
    nodeRunDir: (node) => join(runDir, node),
    log: (process) => join(stateDir, 'log', `${process}.log`),
  };
};
