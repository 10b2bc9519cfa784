import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import { killProcess, processesIn } from '../../runtime/cgroups/files';
import { labPlaceOf } from '../../runtime/network/lab';
import { cgroupOf } from './record';
import { cgroupRoots } from './remove-tree';

/**
 * Ends at once all that runs on a node, as when a machine loses its power: containers with what watches over
 * them, and whatever else is in the node's network. @throws Error when something will not end
 */
export const cutPower = async (cluster: string, node: string): Promise<void> => {
  const { netns } = labPlaceOf(cluster, node);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const pids = [...processesOfNetwork(netns), ...processesOfCgroup(cgroupOf(cluster, node))];
    if (pids.length === 0) return;
    for (const pid of pids) killProcess(pid);
    await systemClock.sleep(POLL_MS);
  }
  throw new Error(`some processes of ${node} do not end`);
};

/** Zombies have no network any more. */
const processesOfNetwork = (netns: string): number[] => {
  const wanted = statSync(netns);
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const { ino, dev } = statSync(join('/proc', name, 'ns/net'));
      return ino === wanted.ino && dev === wanted.dev ? [Number(name)] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
};

const processesOfCgroup = (cgroup: string): number[] =>
  cgroupRoots().flatMap((root) => processesIn(join(root, cgroup)));

const MAX_ROUNDS = 100;
const POLL_MS = 50;
