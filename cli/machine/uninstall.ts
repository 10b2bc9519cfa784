import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { silentLog } from '../../lib/log';
import { mountPointsIn } from '../../lib/mount-points';
import { removeTree } from '../../lib/remove-tree';
import { COMPANION_FOLDER, stopCompanion } from '../../node-agent/companion/record';
import { listFolder } from '../../node-agent/files';
import { PodPaths } from '../../node-agent/inventory/pod-paths';
import { PodLogs } from '../../node-agent/logs/pod-logs';
import { destroyEverything } from '../../runtime/containers';
import { destroyNetwork } from '../../runtime/network';
import { CLUSTERS_DIR, recordedClusters, RUN_DIR } from '../cluster-paths';
import { down } from '../cluster/down';
import { removeIfEmpty } from '../cluster/remove-tree';
import { restoreSettings } from './before';
import { takeKubeconfig } from './home';
import {
  AGENT_FILE,
  AGENT_RUN_DIR,
  AGENT_UNIT,
  CONFIG_DIR,
  SERVER_FILE,
  SERVER_UNIT,
} from './places';
import { agentPlaces, flagOf, readFlagFile, serverPlaces, type FlagFile } from './preflight';
import { hasSystemd, systemd } from './systemd';

export interface UninstallOptions {
  /** The store of a server, images, volumes, identities and files of flags stay. */
  readonly keepsData: boolean;
}

/** What is on this machine, for somebody to agree to its removal. */
export const foundToRemove = async ({
  keepsData,
}: UninstallOptions): Promise<readonly string[]> => {
  const places = await placesOf();
  const clusters = recordedClusters();
  const units = hasSystemd() ? [AGENT_UNIT, SERVER_UNIT] : [];
  const states = await Promise.all(
    units.map(async (unit) => ({ unit, state: await systemd.state(unit) })),
  );
  return [
    ...states
      .filter(({ state }) => state.active !== 'inactive' || state.file === 'enabled')
      .map(({ unit, state }) => `the service ${unit} (${state.active}, ${state.file})`),
    ...(existsSync(places.runDir)
      ? ['pods of this node, their mounts, cgroups, links and rules']
      : []),
    ...clusters.map((name) => `the cluster ${name}, which dhow up made`),
    ...places.data.filter((path) => !keepsData && existsSync(path)),
    ...[RUN_DIR].filter((path) => existsSync(path)),
  ];
};

/**
 * Leaves the machine as it was before it became a server or a node, but for the package. Says each step; what a step
 * cannot do is said in the end, and the others are done all the same. Idempotent.
 * @throws AggregateError of all that failed
 */
export const uninstall = async (
  { keepsData }: UninstallOptions,
  say: (text: string) => void,
): Promise<void> => {
  const places = await placesOf();
  const failures: unknown[] = [];
  const step = async (what: string, work: () => unknown): Promise<void> => {
    say(what);
    try {
      await work();
    } catch (error) {
      failures.push(new Error(`${what}: ${describeError(error)}`, { cause: error }));
    }
  };
  if (hasSystemd()) {
    await step('pods of this node end, those of lowest priority first', () => stopAgent());
    await step('the server ends', () => systemd.disable(SERVER_UNIT));
  }
  for (const name of recordedClusters())
    await step(`the cluster ${name} goes`, () => down(name, () => undefined));
  await step('what is left of containers goes', () => endContainers(places));
  await step('links, routes and rules of pods go', () => destroyNetwork(places.interfacePrefix));
  await step('settings of the kernel are put back', () => {
    for (const text of restoreSettings() ?? []) say(`  ${text}`);
  });
  await step('files go', async () => {
    takeKubeconfig(join(places.serverDir, 'admin.kubeconfig'));
    if (!keepsData) await removeLogs(places);
    const folders = [places.runDir, ...places.otherRunDirs, RUN_DIR];
    for (const folder of keepsData ? folders : [...folders, ...places.data])
      await removeFolder(folder);
  });
  if (failures.length > 0) throw new AggregateError(failures);
};

interface Places {
  readonly stateDir: string;
  readonly runDir: string;
  readonly otherRunDirs: readonly string[];
  readonly serverDir: string;
  readonly cgroupParent: string;
  readonly interfacePrefix: string;
  readonly logDir: string;
  /** All that outlives a restart of the machine. */
  readonly data: readonly string[];
}

const placesOf = async (): Promise<Places> => {
  const [agentFile, serverFile] = [await readable(AGENT_FILE), await readable(SERVER_FILE)];
  const { stateDir } = agentPlaces(agentFile);
  const { dataDir } = serverPlaces(serverFile);
  return {
    stateDir,
    runDir: flagOf(agentFile, 'run-dir') ?? AGENT_RUN_DIR,
    otherRunDirs: [flagOf(serverFile, 'run-dir') ?? join(RUN_DIR, 'server')],
    serverDir: dataDir,
    cgroupParent: flagOf(agentFile, 'cgroup-parent') ?? 'dhow',
    interfacePrefix: flagOf(agentFile, 'interface-prefix') ?? 'dh',
    logDir: flagOf(agentFile, 'log-dir') ?? '/var/log',
    data: [...new Set([stateDir, dataDir, CLUSTERS_DIR, CONFIG_DIR])],
  };
};

/** What nobody can read any more says nothing: it goes, too. */
const readable = async (path: string): Promise<FlagFile> => {
  try {
    return await readFlagFile(path);
  } catch {
    return { path, text: '', flags: new Map() };
  }
};

/** SIGPWR is what a machine that goes down says: pods end in their order, within the time of the file of flags. */
const stopAgent = async (): Promise<void> => {
  const { mainPid } = await systemd.state(AGENT_UNIT);
  if (mainPid > 0) await systemd.signal(AGENT_UNIT, 'SIGPWR');
  await systemd.disable(AGENT_UNIT);
};

const endContainers = async ({ runDir, cgroupParent }: Places): Promise<void> => {
  for (const folder of Object.values(COMPANION_FOLDER))
    await stopCompanion(join(runDir, folder), systemClock);
  await destroyEverything(join(runDir, 'runtime'), cgroupParent);
};

/** A server of files that has gone must not hold it up: what is mounted there is let go of first. */
const removeFolder = async (folder: string): Promise<void> => {
  for (let round = 0; round < UNMOUNT_ROUNDS; round++) {
    const mounts = mountPointsIn(folder)
      .map(String)
      .filter((path) => path !== folder);
    if (mounts.length === 0) break;
    await promisify(execFile)('umount', ['-l', '-n', '--', ...mounts.reverse().slice(0, 500)], {
      timeout: UNMOUNT_TIMEOUT_MS,
    }).catch(() => undefined);
  }
  await removeContent(folder);
};

/** A folder that is a mount of its own, as a disk for the state may be, stays and is empty. */
const removeContent = async (folder: string): Promise<void> => {
  if (!existsSync(folder)) return;
  const isMount = mountPointsIn(folder).some((path) => path.toString() === folder);
  if (!isMount) return removeTree(folder);
  for (const name of readdirSync(folder)) await removeTree(join(folder, name));
};

/** Where collectors look: what is of pods of this node, and the folders where nobody else has anything. */
const removeLogs = async ({ stateDir, runDir, logDir }: Places): Promise<void> => {
  const paths = new PodPaths(stateDir, runDir, logDir);
  const logs = new PodLogs(paths, silentLog);
  for (const name of await listFolder(paths.logRoot)) await logs.remove(name);
  for (const folder of [paths.podLogsDir, paths.containerLogsDir])
    if (folder !== undefined) removeIfEmpty(folder);
};

const UNMOUNT_ROUNDS = 50;
const UNMOUNT_TIMEOUT_MS = 30_000;
