import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { mountPointsIn } from '../../lib/mount-points';
import { CLUSTERS_DIR, type ClusterPaths } from '../cluster-paths';

/**
 * Removes a cluster's folders and cgroups after its processes. What is still mounted below is
 * unmounted first: deleting through a bind mount would delete somebody else's files. The record of
 * the cluster goes last, so that a removal cut short can be asked for again by name.
 */
export const removeTree = (paths: ClusterPaths, cluster: string): void => {
  for (const folder of [paths.runDir, paths.stateDir]) {
    unmountBelow(folder);
    if (mountPointsIn(folder).length > 0)
      throw new Error(`something is still mounted below ${folder}`);
  }
  for (const hierarchy of cgroupRoots()) {
    removeIfEmpty(join(hierarchy, 'dhow', cluster));
    removeIfEmpty(join(hierarchy, 'dhow'));
  }
  remove(paths.runDir);
  for (const name of existsSync(paths.stateDir) ? readdirSync(paths.stateDir) : []) {
    const path = join(paths.stateDir, name);
    if (path !== paths.manifest) remove(path);
  }
  remove(paths.stateDir);
  for (const folder of [paths.runDir, paths.stateDir]) removeIfEmpty(dirname(folder));
};

const remove = (path: string): void =>
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });

const unmountBelow = (folder: string): void => {
  // The last mounted first: mounts may lie on one another.
  for (const path of [...mountPointsIn(folder)].reverse()) {
    execFileSync('umount', ['--lazy', '--', path.toString()], { stdio: 'ignore' });
  }
};

/** Of each hierarchy of version 1, and of version 2. */
export const cgroupRoots = (): string[] => {
  const root = '/sys/fs/cgroup';
  if (!existsSync(root)) return [];
  return [root, ...readdirSync(root).map((name) => join(root, name))];
};

/** Nobody's folder stays: neither `/run/dhow` nor `/var/lib/dhow` outlives the last cluster. */
export const removeIfEmpty = (folder: string): void => {
  if (folder === '/run' || folder === dirname(CLUSTERS_DIR)) return;
  try {
    rmdirSync(folder);
  } catch {
    // Absent, or others still use it.
  }
};
