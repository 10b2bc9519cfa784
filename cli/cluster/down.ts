import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import { startTimeOf, stopProcess } from '../../lib/process-identity';
import { COMPANION_FOLDER, stopCompanion } from '../../node-agent/companion/record';
import { destroyEverything } from '../../runtime/containers';
import { destroyLabNetwork } from '../../runtime/network/lab';
import type { ClusterPaths } from '../cluster-paths';
import { Faults } from './faults';
import { lockCluster } from './lock';
import { cgroupOf, nodeNames, pathsOf, processesOf, readRecord, type Progress } from './record';
import { removeTree } from './remove-tree';
import { closeUplink } from './uplinks';
import { parseJson } from '../../lib/json';

/** Removes a cluster and all it left: processes, containers, mounts, cgroups, network, files. Idempotent. */
export const down = async (name: string, progress: Progress): Promise<void> => {
  const paths = pathsOf(name);
  using _lock = await lockCluster(paths.lock);
  const processes = processesOf(paths);
  const record = readRecord(name);
  await new Faults(name).forget();
  progress('agents');
  const names = new Set([...processes.names(), ...(record === undefined ? [] : nodeNames(record))]);
  names.delete('server');
  await Promise.all([...names].map((node) => processes.stop(node, STOP_GRACE_MS)));
  // They outlive their agents.
  for (const node of names)
    for (const folder of Object.values(COMPANION_FOLDER))
      await stopCompanion(join(paths.nodeRunDir(node), folder), systemClock);
  progress('containers');
  for (const node of names) {
    await destroyEverything(join(paths.nodeRunDir(node), 'runtime'), cgroupOf(name, node));
  }
  progress('control plane');
  await processes.stop('server', STOP_GRACE_MS);
  await stopStrayEtcd(paths);
  progress('network');
  await closeUplink(name);
  await destroyLabNetwork(name);
  removeTree(paths, name);
};

/** The server stops its etcd; one that was killed could not. */
const stopStrayEtcd = async (paths: ClusterPaths): Promise<void> => {
  const file = join(paths.runDir, 'server', 'etcd', 'etcd.pid.json');
  if (!existsSync(file)) return;
  const identity = parseJson(readFileSync(file, 'utf8')) as { pid: number; startTime: string };
  if ((await startTimeOf(identity.pid)) === identity.startTime) {
    await stopProcess(identity, systemClock, STOP_GRACE_MS);
  }
};

const STOP_GRACE_MS = 10_000;
