import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

import { mountPointsIn } from '../../lib/mount-points';
import { removeTree } from '../../lib/remove-tree';
import { probeCgroups } from '../cgroups';
import { killProcess } from '../cgroups/files';
import { launcherProcesses } from './monitor-process';

/**
 * Ends everything a runtime on `runDir` ever made: launcher, monitors, containers, pinned namespaces,
 * cgroups, and the run folder itself. Needs no launcher. Idempotent. Layers in the state folder stay.
 */
export const destroyEverything = async (runDir: string, cgroupParent: string): Promise<void> => {
  // Twice: the launcher may have forked between the look and the signal.
  for (let round = 0; round < 2; round++) killLaunchers(runDir);
  const cgroups = probeCgroups();
  await cgroups.remove(cgroupParent);
  await cgroups.removeElsewhere(cgroupParent);
  await unmountBelow(runDir);
  await removeTree(runDir);
};

const killLaunchers = (runDir: string): void => {
  for (const pid of launcherProcesses(runDir)) killProcess(pid);
};

const unmountBelow = async (dir: string): Promise<void> => {
  if (!existsSync(dir)) return;
  // A mount may lie on another of the same path; each round takes the topmost.
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const targets = mountPointsIn(dir)
      .map((path) => path.toString())
      .filter((path) => path !== dir)
      .reverse();
    if (targets.length === 0) return;
    await promisify(execFile)('umount', ['-l', '-n', '--', ...targets.slice(0, 500)], {
      timeout: UMOUNT_TIMEOUT_MS,
    }).catch(() => undefined);
  }
};

const MAX_ROUNDS = 50;
const UMOUNT_TIMEOUT_MS = 30_000;
