import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clusterPaths } from '../../../cli/cluster-paths';
import { type CsiDriverOptions, TestCsiDriver } from '../../support/csi-driver';
import { TestCluster } from './cluster';
import { leftBehind, sharedState } from './machine';

/** A cluster of one node with a CSI driver of the test's own beside it. */
export interface DriverCluster {
  readonly cluster: TestCluster;
  readonly driver: TestCsiDriver;
  /** Of the node. */
  readonly stateDir: string;
  apply(...objects: readonly object[]): Promise<unknown>;
  /** Nothing is left on the machine afterwards. */
  end(): Promise<void>;
}

export const startDriverCluster = async (
  clusterName: string,
  nodeName: string,
  options: Omit<CsiDriverOptions, 'folder' | 'registry'>,
): Promise<DriverCluster> => {
  const before = sharedState();
  const cluster = await TestCluster.start(clusterName, { nodes: 1 });
  const folder = mkdtempSync(join(tmpdir(), 'dhow-driver-'));
  const stateDir = clusterPaths(clusterName).nodeStateDir(nodeName);
  const registry = join(stateDir, 'plugins_registry');
  const driver = await TestCsiDriver.start({ ...options, folder, registry });
  await cluster.until('its CSINode', () => cluster.object('csinode', nodeName));
  const end = async () => {
    await cluster.clear();
    await driver[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    expect(leftBehind(clusterName, before)).toEqual([]);
  };
  const apply = (...objects: readonly object[]) =>
    cluster.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  return { cluster, driver, stateDir, apply, end };
};
