import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { clusterPaths } from '../cluster-paths';
import { unknownCluster } from '../context';
import { UsageError } from '../usage-error';

export interface ServerOptions {
  readonly dataDir?: string;
  readonly cluster?: string;
}

export const DEFAULT_DATA_DIR = '/var/lib/dhow/server';

/** Where the server keeps its data that a command is about. @throws UsageError for a cluster that is not there */
export const dataDirOf = ({ dataDir, cluster }: ServerOptions): string => {
  if (dataDir !== undefined) return resolve(dataDir);
  if (cluster === undefined) return DEFAULT_DATA_DIR;
  const { serverDir, manifest } = clusterPaths(cluster);
  if (!existsSync(manifest)) throw new UsageError(unknownCluster(cluster));
  return serverDir;
};
