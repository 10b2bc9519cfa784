import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError } from '../../api/errors';
import { NODES } from '../../api/resources';
import { systemClock } from '../../lib/clock';
import {
  createLabNetwork,
  freePodRange,
  routeToPods,
  type LabNetwork,
  type LabNode,
} from '../../runtime/network/lab';
import { recordedClusters, type ClusterPaths } from '../cluster-paths';
import { UsageError } from '../usage-error';
import { checkMachine } from './checks';
import { down } from './down';
import { Faults } from './faults';
import { lockCluster } from './lock';
import { diskBytes, ensureNodeDisk } from './node-disk';
import type { LifeSigns } from './node-readiness';
import { checkOptions } from './option-checks';
import type { Processes } from './processes';
import {
  cgroupOf,
  nodeNames,
  pathsOf,
  processesOf,
  readRecord,
  readLifeSigns,
  readyNodeCount,
  withClient,
  type ClusterRecord,
  type Progress,
  type UpOptions,
} from './record';
import { makeRunFolder } from './run-folder';
import { closeUplink, oneAtATime, openUplink } from './uplinks';
import { stringifyJson } from '../../lib/json';
import { familyOf, networkOf, type IpFamily } from '../../lib/net/ip';

/**
 * Starts a cluster, or what is missing of it: network, server, one agent a node. Resolves when all
 * nodes are Ready. Aborted, it removes again what was not there before.
 * @throws UsageError naming the process that did not come up and its log.
 */
export const up = async (
  options: UpOptions,
  bundleDir: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  checkMachine(bundleDir);
  const paths = pathsOf(options.name);
  const known = readRecord(options.name);
  if (known !== undefined && known.nodes !== options.nodes) {
    throw new UsageError(
      `cluster ${options.name} has ${known.nodes} nodes; to have ${options.nodes}: dhow down --name ${options.name}, then up`,
    );
  }
  await checkOptions(options, known);
  try {
    using _lock = await lockCluster(paths.lock);
    const record = known ?? (await newRecord(options, paths));
    await new Faults(options.name).healAll();
    await start(new Start(record, paths, processesOf(paths), bundleDir, progress, signal));
  } catch (error) {
    if (signal.aborted && known === undefined) {
      progress('interrupted: removing what was started');
      await down(options.name, progress);
    }
    throw error;
  }
};

/** Written first of all, so that whatever is left behind has a name to be removed by. */
const newRecord = (options: UpOptions, paths: ClusterPaths): Promise<ClusterRecord> =>
  oneAtATime(async () => {
    // Clusters that are down have no routes, but will want them again.
    const others = recordedClusters().flatMap(
      (name) => readRecord(name)?.clusterCidr?.split(',') ?? [],
    );
    const clusterCidr = options.clusterCidr ?? (await freePodRange(others));
    const createdAt = new Date(systemClock.now()).toISOString();
    const record = { ...options, clusterCidr, createdAt };
    mkdirSync(paths.stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(paths.manifest, stringifyJson(record, 2), { mode: 0o600 });
    return record;
  });

const tracingFlags = ({ tracingConfigFile: file }: ClusterRecord): readonly string[] =>
  file === undefined ? [] : ['--tracing-config-file', file];

/** Of its pods, in their order. */
const familiesOf = ({ clusterCidr = FIRST_CLUSTER_CIDR }: ClusterRecord): readonly IpFamily[] =>
  clusterCidr.split(',').flatMap((text) => networkOf(text.trim())?.address.family ?? []);

/** Where server and agents meet, by the family that comes first. */
const serverAt = (record: ClusterRecord, { gateway, gateway6 }: LabNetwork): string =>
  familiesOf(record)[0] === 6 && gateway6 !== undefined
    ? `[${gateway6}]:${API_PORT}`
    : `${gateway}:${API_PORT}`;

/** What the steps of a start have in common. */
class Start {
  constructor(
    readonly record: ClusterRecord,
    readonly paths: ClusterPaths,
    readonly processes: Processes,
    readonly bundleDir: string,
    readonly progress: Progress,
    readonly signal: AbortSignal,
  ) {}

  step(what: string): void {
    this.signal.throwIfAborted();
    this.progress(what);
  }
}

const start = async (begun: Start): Promise<void> => {
  const { record, paths } = begun;
  mkdirSync(paths.logDir, { recursive: true, mode: 0o700 });
  makeRunFolder(paths.runDir);
  begun.step(`network of ${record.nodes} nodes`);
  const network = await startNetwork(begun);
  begun.step('control plane');
  const isNewServer = await startServer(begun, network);
  const before = await readLifeSigns(paths);
  begun.step('agents');
  const awaited = new Set<string>();
  for (const node of network.nodes) {
    if (record.nodeDisk !== undefined)
      await ensureNodeDisk(paths, node.name, diskBytes(record.nodeDisk));
    const isNewAgent = await startAgent(begun, node, network);
    if (isNewServer || isNewAgent) awaited.add(node.name);
  }
  await waitForNodes(begun, before, awaited);
  await reachPods(begun);
  begun.signal.throwIfAborted();
};

const startNetwork = async ({ record, progress }: Start): Promise<LabNetwork> => {
  const { name, nodes, isolated = false } = record;
  const network = await createLabNetwork({
    ...{ name, nodes, isIsolated: isolated },
    hasIpv6: familiesOf(record).includes(6),
  });
  if (isolated) await closeUplink(name);
  else await openUplink(name, network.subnet, progress);
  return network;
};

/** The nodes' pod ranges become routes of this machine. */
const reachPods = async ({ record, paths }: Start): Promise<void> => {
  const nodes = await withClient(paths, async (client) => (await client.list(NODES)).items);
  const routes = nodes.flatMap(({ spec, status }) => {
    const addresses = (status.addresses ?? []).filter(({ type }) => type === 'InternalIP');
    return (spec.podCIDRs ?? []).flatMap((podCidr) => {
      const family = networkOf(podCidr)?.address.family;
      const node = addresses.find(({ address }) => familyOf(address) === family);
      return node === undefined ? [] : [{ podCidr, nodeAddress: node.address }];
    });
  });
  await routeToPods(record.name, routes);
};

const API_PORT = 6443;

/** True when it was not running before. */
const startServer = async (begun: Start, network: LabNetwork): Promise<boolean> => {
  const { record, paths, processes, bundleDir } = begun;
  const isNew = (await processes.pidOf('server')) === undefined;
  if (isNew) {
    // What an earlier server left must not be taken for this one's.
    rmSync(join(paths.serverDir, 'join-token'), { force: true });
    const flags = [
      ...['--data-dir', paths.serverDir, '--run-dir', join(paths.runDir, 'server')],
      ...['--listen', serverAt(record, network), '--cluster-name', record.name],
      ...['--node-grace', String(record.nodeGrace)],
      ...['--eviction-after', String(record.evictionAfter)],
      ...['--heartbeat', String(Math.max(1, Math.floor(record.nodeGrace / 4)))],
      ...['--log-level', record.logLevel],
      ...['--cluster-cidr', record.clusterCidr ?? FIRST_CLUSTER_CIDR],
      ...(record.serviceClusterIpRange === undefined
        ? []
        : ['--service-cluster-ip-range', record.serviceClusterIpRange]),
      ...(record.schedulerConfig === undefined
        ? []
        : ['--scheduler-config', record.schedulerConfig]),
      ...tracingFlags(record),
    ];
    const command = [process.execPath, join(bundleDir, 'dhow.js'), 'server', ...flags];
    await processes.start('server', command, paths.log('server'));
  }
  await until(begun, ['server'], async () => {
    if (!existsSync(join(paths.serverDir, 'join-token'))) return false;
    return withClient(paths, async (client) => {
      await client.http.text({ method: 'GET', path: '/readyz' });
      return true;
    }).catch(() => false);
  });
  return isNew;
};

/** True when it was not running before. */

const startAgent = async (
  { record, paths, processes, bundleDir }: Start,
  node: LabNode,
  network: LabNetwork,
): Promise<boolean> => {
  if ((await processes.pidOf(node.name)) !== undefined) return false;
  const flags = [
    ...['--server', serverAt(record, network), '--name', node.name],
    ...['--token-file', join(paths.serverDir, 'join-token')],
    ...['--state-dir', paths.nodeStateDir(node.name), '--run-dir', paths.nodeRunDir(node.name)],
    ...[
      '--address',
      addressesOf(record, node),
      '--cgroup-parent',
      cgroupOf(record.name, node.name),
    ],
    ...['--eviction-hard', record.nodeDisk === undefined ? HARD_OF_SHARED_DISK : HARD_OF_OWN_DISK],
    ...['--log-level', record.logLevel],
    ...(record.nodeEncryption === undefined ? [] : ['--node-encryption', record.nodeEncryption]),
    ...tracingFlags(record),
  ];
  const command = [
    ...['nsenter', `--net=${node.netns}`, '--'],
    ...[process.execPath, join(bundleDir, 'dhow.js'), 'agent', ...flags],
  ];
  await processes.start(node.name, command, paths.log(node.name));
  return true;
};

const addressesOf = (record: ClusterRecord, { address, address6 }: LabNode): string =>
  familiesOf(record)
    .flatMap((family) => (family === 4 ? address : (address6 ?? [])))
    .join();

const waitForNodes = async (
  begun: Start,
  before: LifeSigns,
  awaited: ReadonlySet<string>,
): Promise<void> => {
  const { record, paths, progress } = begun;
  let shown = -1;
  await until(begun, ['server', ...nodeNames(record)], async () => {
    const ready = await readyNodeCount(paths, before, awaited).catch(unlessUnavailable);
    if (ready === undefined) return false;
    if (ready !== shown) progress(`${ready} of ${record.nodes} nodes ready`);
    shown = ready;
    return ready >= record.nodes;
  });
};

/** A machine under load loses a connection now and then. @throws all else */
const unlessUnavailable = (error: unknown): undefined => {
  if (error instanceof ApiError && error.reason === 'ServiceUnavailable') return undefined;
  throw error;
};

/** Polls until done, or says which of `names` has ended, or that time is up. @throws UsageError */
const until = async (
  { processes, paths, signal }: Start,
  names: readonly string[],
  isDone: () => Promise<boolean>,
): Promise<void> => {
  const endMs = systemClock.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    for (const name of names) {
      if ((await processes.pidOf(name)) === undefined) throw hasEnded(name, paths);
    }
    if (await isDone()) return;
    if (systemClock.monotonicMs() > endMs) {
      throw new UsageError(
        `${names.join(', ')} did not come up in time; see the logs in ${paths.logDir}`,
      );
    }
    await systemClock.sleep(POLL_MS, signal);
  }
};

const hasEnded = (name: string, paths: ClusterPaths): UsageError => {
  const log = paths.log(name);
  const lastLines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  return new UsageError(`${name} has ended; ${log} says why:\n${lastLines}`);
};

/** Of clusters that are older than the choice. */
const FIRST_CLUSTER_CIDR = '10.42.0.0/16';
/** The disk is the machine's and everybody's on it: how full others made it is not these nodes' to judge. */
const HARD_OF_SHARED_DISK = 'memory.available<100Mi';
/** The kubelet's of disks. */
const HARD_OF_OWN_DISK = `${HARD_OF_SHARED_DISK},nodefs.available<10%,imagefs.available<15%,nodefs.inodesFree<5%,imagefs.inodesFree<5%`;
const START_TIMEOUT_MS = 90_000;
const POLL_MS = 100;
