import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statfsSync } from 'node:fs';

/**
 * Makes a cluster's folder of run state, in memory. It changes with every container, and replacing
 * a file is what some disks are slowest at. Where /run is on a disk, as in many containers and small
 * VMs, the folder becomes a tmpfs of its own, which `removeTree` unmounts.
 */
export const makeRunFolder = (path: string): void => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // Mounting over what a running cluster has there would hide it.
  if (statfsSync(path).type === TMPFS_MAGIC || readdirSync(path).length > 0) return;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0700,nosuid,nodev', 'dhow', path]);
};

/** From linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;
