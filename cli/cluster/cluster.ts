import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { join } from 'node:path';
import { NODES } from '../../api/resources';
import type { Node } from '../../api/types';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { startTimeOf, stopProcess } from '../../lib/process-identity';
import { destroyEverything } from '../../runtime/containers';
import { createLabNetwork, destroyLabNetwork, type LabNode } from '../../runtime/network/lab';
import { clusterPaths, type ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { checkMachine } from './checks';
import { Processes } from './processes';
import { removeTree } from './remove-tree';
import { makeRunFolder } from './run-folder';

export interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly nodeGrace: number;
  readonly evictionAfter: number;
  readonly logLevel: string;
}

/** What is kept of how a cluster was started. */
export interface ClusterRecord extends UpOptions {
  readonly createdAt: string;
}

/** Called with each step as it begins, for people who wait. */
export type Progress = (step: string) => void;

/**
 * Starts a cluster, or what is missing of it: network, server, one agent a node. Resolves when all
 * nodes are Ready. @throws UsageError naming the process that did not come up and its log.
 */
export const up = async (
  options: UpOptions,
  bundleDir: string,
  progress: Progress,
): Promise<void> => {
  checkMachine(bundleDir);
  const paths = pathsOf(options.name);
  const record = readRecord(options.name) ?? { ...options, createdAt: new Date().toISOString() };
  if (record.nodes !== options.nodes) {
    throw new UsageError(
      `cluster ${options.name} has ${record.nodes} nodes; to have ${options.nodes}: dhow down --name ${options.name}, then up`,
    );
  }
  for (const folder of [paths.stateDir, paths.logDir]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  makeRunFolder(paths.runDir);
  writeFileSync(paths.manifest, JSON.stringify(record, undefined, 2), { mode: 0o600 });
  progress(`network of ${record.nodes} nodes`);
  const network = await createLabNetwork({ name: record.name, nodes: record.nodes });
  const processes = processesOf(paths);
  progress('control plane');
  await startServer(record, paths, processes, network.gateway, bundleDir);
  progress('agents');
  for (const node of network.nodes) {
    await startAgent(record, paths, processes, node, network.gateway, bundleDir);
  }
  await waitForNodes(record, paths, processes, progress);
};

const API_PORT = 6443;

const startServer = async (
  record: ClusterRecord,
  paths: ClusterPaths,
  processes: Processes,
  address: string,
  bundleDir: string,
): Promise<void> => {
  if ((await processes.pidOf('server')) === undefined) {
    // What an earlier server left must not be taken for this one's.
    rmSync(join(paths.serverDir, 'join-token'), { force: true });
    const flags = [
      ...['--data-dir', paths.serverDir, '--run-dir', join(paths.runDir, 'server')],
      ...['--listen', `${address}:${API_PORT}`, '--cluster-name', record.name],
      ...['--node-grace', String(record.nodeGrace)],
      ...['--eviction-after', String(record.evictionAfter)],
      ...['--heartbeat', String(Math.max(1, Math.floor(record.nodeGrace / 4)))],
      ...['--log-level', record.logLevel],
    ];
    const command = [process.execPath, join(bundleDir, 'dhow.js'), 'server', ...flags];
    await processes.start('server', command, paths.log('server'));
  }
  await until(START_TIMEOUT_MS, async () => {
    await mustRun(processes, 'server', paths);
    if (!existsSync(join(paths.serverDir, 'join-token'))) return false;
    return withClient(paths, async (client) => {
      await client.http.text({ method: 'GET', path: '/readyz' });
      return true;
    }).catch(() => false);
  }).catch((error: unknown) => explain(error, 'server', paths));
};

const startAgent = async (
  record: ClusterRecord,
  paths: ClusterPaths,
  processes: Processes,
  node: LabNode,
  gateway: string,
  bundleDir: string,
): Promise<void> => {
  if ((await processes.pidOf(node.name)) !== undefined) return;
  const token = readFileSync(join(paths.serverDir, 'join-token'), 'utf8').trim();
  const flags = [
    ...['--server', `${gateway}:${API_PORT}`, '--token', token, '--name', node.name],
    ...['--state-dir', paths.nodeStateDir(node.name), '--run-dir', paths.nodeRunDir(node.name)],
    ...['--address', node.address, '--cgroup-parent', cgroupOf(record.name, node.name)],
    ...['--log-level', record.logLevel],
  ];
  const command = [
    ...['nsenter', `--net=${node.netns}`, '--'],
    ...[process.execPath, join(bundleDir, 'dhow.js'), 'agent', ...flags],
  ];
  await processes.start(node.name, command, paths.log(node.name));
};

const cgroupOf = (cluster: string, node: string): string => `dhow/${cluster}/${node}`;

const waitForNodes = async (
  record: ClusterRecord,
  paths: ClusterPaths,
  processes: Processes,
  progress: Progress,
): Promise<void> => {
  let readyCount = -1;
  await until(START_TIMEOUT_MS, async () => {
    for (const name of nodeNames(record)) await mustRun(processes, name, paths);
    const nodes = await withClient(paths, async (client) => (await client.list(NODES)).items);
    const ready = nodes.filter(isReady).length;
    if (ready !== readyCount) progress(`${ready} of ${record.nodes} nodes ready`);
    readyCount = ready;
    return ready >= record.nodes;
  }).catch((error: unknown) => explain(error, nodeNames(record).join(', '), paths));
};

const explain = (error: unknown, what: string, paths: ClusterPaths): never => {
  if (error instanceof UsageError) throw error;
  throw new UsageError(`${what} did not come up in time; see the logs in ${paths.logDir}`, {
    cause: error,
  });
};

const mustRun = async (processes: Processes, name: string, paths: ClusterPaths): Promise<void> => {
  if ((await processes.pidOf(name)) !== undefined) return;
  throw new UsageError(
    `${name} has ended; ${paths.log(name)} says why:\n${lastLines(paths.log(name))}`,
  );
};

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n');

/** Removes a cluster and all it left: processes, containers, mounts, cgroups, network, files. Idempotent. */
export const down = async (name: string, progress: Progress): Promise<void> => {
  const paths = pathsOf(name);
  const processes = processesOf(paths);
  const record = readRecord(name);
  progress('agents');
  const names = new Set([...processes.names(), ...(record === undefined ? [] : nodeNames(record))]);
  names.delete('server');
  await Promise.all([...names].map((node) => processes.stop(node, STOP_GRACE_MS)));
  progress('containers');
  for (const node of names) {
    await destroyEverything(join(paths.nodeRunDir(node), 'runtime'), cgroupOf(name, node));
  }
  progress('control plane');
  await processes.stop('server', STOP_GRACE_MS);
  await stopStrayEtcd(paths);
  progress('network');
  await destroyLabNetwork(name);
  removeTree(paths, name);
};

/** The server stops its etcd; one that was killed could not. */
const stopStrayEtcd = async (paths: ClusterPaths): Promise<void> => {
  const file = join(paths.runDir, 'server', 'etcd', 'etcd.pid.json');
  if (!existsSync(file)) return;
  const identity = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; startTime: string };
  if ((await startTimeOf(identity.pid)) === identity.startTime) {
    await stopProcess(identity, systemClock, STOP_GRACE_MS);
  }
};

export interface ClusterStatus {
  readonly name: string;
  readonly server: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | undefined }[];
  readonly nodesReady: number;
  readonly nodes: number;
  readonly createdAt: string;
}

export const statusOf = async (name: string): Promise<ClusterStatus | undefined> => {
  const record = readRecord(name);
  if (record === undefined) return undefined;
  const paths = pathsOf(name);
  const processes = processesOf(paths);
  const list = await Promise.all(
    ['server', ...nodeNames(record)].map(async (each) => ({
      name: each,
      pid: await processes.pidOf(each),
    })),
  );
  const nodes = await withClient(paths, async (client) => (await client.list(NODES)).items).catch(
    () => [],
  );
  const server = existsSync(paths.kubeconfig) ? readKubeconfig(paths.kubeconfig).server : '';
  return {
    name,
    server,
    processes: list,
    nodesReady: nodes.filter(isReady).length,
    nodes: record.nodes,
    createdAt: record.createdAt,
  };
};

export const readRecord = (name: string): ClusterRecord | undefined => {
  try {
    return JSON.parse(readFileSync(pathsOf(name).manifest, 'utf8')) as ClusterRecord;
  } catch {
    // No such cluster, or one whose start was cut short before it was written down.
    return undefined;
  }
};

/** A name becomes part of paths, interfaces and cgroups. @throws UsageError */
export const checkName = (name: string): string => {
  if (/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) return name;
  throw new UsageError(
    `--name "${name}": a letter, then up to 19 lower-case letters, digits or dashes`,
  );
};

const pathsOf = (name: string): ClusterPaths => clusterPaths(checkName(name));

const processesOf = (paths: ClusterPaths): Processes => new Processes(join(paths.runDir, 'pids'));

const nodeNames = ({ nodes }: ClusterRecord): string[] =>
  Array.from({ length: nodes }, (_none, i) => `node-${i + 1}`);

const isReady = ({ status }: Node): boolean =>
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ===
  true;

const withClient = async <T>(paths: ClusterPaths, work: (client: RestClient) => Promise<T>) => {
  const client = new RestClient(readKubeconfig(paths.kubeconfig));
  try {
    return await work(client);
  } finally {
    client.http.close();
  }
};

const until = async (timeoutMs: number, isDone: () => Promise<boolean>): Promise<void> => {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (!(await isDone())) {
    if (systemClock.monotonicMs() > endMs) throw new Error('timed out');
    await systemClock.sleep(POLL_MS);
  }
};

const START_TIMEOUT_MS = 90_000;
const STOP_GRACE_MS = 10_000;
const POLL_MS = 100;
