import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { WireguardEnd } from '../api/node-encryption';
import { parseTracingConfiguration } from '../api/tracing-configuration';
import { TaskGroup } from '../lib/async/task-group';
import { onAbort } from '../lib/async/on-abort';
import { Activities } from '../lib/activities';
import { systemClock } from '../lib/clock';
import { EventLoopMonitor } from '../lib/event-loop-monitor';
import { createLog, describeError, type Log } from '../lib/log';
import { systemRandom } from '../lib/random';
import { openTracing } from '../lib/tracing/open-tracing';
import type { ContainerRuntime } from '../runtime/container-runtime';
import { createContainerRuntime } from '../runtime/containers';
import { runtimeHandlersToTry } from './runtime-handlers';
import { createImageService, type RegistryTls } from '../runtime/images';
import {
  createCniNetwork,
  createPodNetwork,
  kernelSpeaksSctp,
  requireWireguard,
  type EncryptionOptions,
} from '../runtime/network';
import type { PodNetwork } from '../runtime/pod-network';
import { createAgent } from './agent';
import { hostOf, parseAgentConfig, type AgentConfig } from './config';
import { IdentityStore, type NodeIdentity } from './identity/identity-store';
import { endpointsOf } from './images/endpoints';
import { CertificateRenewer } from './identity/certificate-renewer';
import { ensureIdentity, joinAgain, rejoinByKey } from './identity/join';
import { serverMemoryIn } from './session/server-memory';
import type { NetworkRange } from './network/node-network';
import { wireguardKeysAt } from './network/wireguard-key';
import { AGENT_VERSION } from './node/node-reporter';
import { addressToward, readHostFacts } from './node/host';
import { readHugePages } from './node/huge-pages';
import { ServerList } from './session/server-list';
import { createTransport } from './session/transport';
import { createMounter } from './volumes/mounter';

/**
 * The agent as a program: joins if it must, then runs pods until `asked` aborts. Containers run on
 * when it ends, but for a machine that goes down, where they have ended before. `onStarted` is called once
 * it has joined, and all is there by which it runs pods. @throws Error that an operator can act on.
 */
export const runAgent = async (
  input: unknown,
  asked: AbortSignal,
  machineGoesDown: AbortSignal,
  onStarted: () => void = () => undefined,
): Promise<void> => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const config = parseAgentConfig(input);
  if (config.nodeEncryption === 'wireguard') await requireWireguard();
  const log = createLog(config.logLevel, { node: config.nodeName });
  log.info({ config: { ...config, token: undefined } }, 'starting');
  const activities = new Activities();
  using monitor = new EventLoopMonitor({ clock: systemClock, log, activities });
  for (const folder of [config.stateDir, config.runDir])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  await using tracing = await tracingOf(config);
  const shared = { clock: systemClock, random: systemRandom, log };
  const { store, identity, servers, host, again } = await joined(config, log);
  const encryption = encryptionOf(config);
  const nodeIps = await nodeIpsOf(config, host, identity.agentsPort);
  const renewing = {
    renew: (request: Buffer) => transport.renew(request),
    rejoin: (known: NodeIdentity) => rejoinByKey(known, servers.current.host, systemClock),
  };
  const renewer = new CertificateRenewer({ ...shared, store, ...renewing }, identity);
  const transport = createTransport(servers, () => renewer.current, systemClock);
  await using runtime = await openRuntime(config, log);
  await using images = await createImageService({
    ...shared,
    stateDir: join(config.stateDir, 'images'),
    endpoints: endpointsOf(config, () => registryTls(renewer.current)),
    ...(config.unpackWorkerPath === undefined ? {} : { workerPath: config.unpackWorkerPath }),
  });
  const agent = createAgent({
    ...shared,
    config,
    activities,
    lag: () => monitor.histogram,
    agentId: store.agentId(),
    nodeIps,
    facts: readHostFacts(),
    hugePages: () => readHugePages(),
    transport,
    joinAgain: async () => renewer.use(await again()),
    noteAuthorities: (hash) => renewer.noteAuthorities(hash),
    runtime,
    images,
    openNetwork: (range) =>
      openNetwork(config, { ...range, nodeAddresses: nodeIps, encryption }, log),
    ...(encryption === undefined ? {} : { wireguard: endOf(encryption) }),
    mounter: createMounter(),
    speaksSctp: kernelSpeaksSctp,
    ...(tracing === undefined ? {} : { tracing }),
  });
  stopWhen(asked, machineGoesDown, agent, stopping);
  try {
    await using tasks = new TaskGroup(signal);
    tasks.run((s) => renewer.run(s));
    onStarted();
    await agent.run(signal);
  } finally {
    transport.close();
  }
};

/** Who this node is, and by which servers it is so. @throws Error when none lets it join */
const joined = async (config: AgentConfig, log: Log) => {
  const hosts = [config.server, ...config.moreServers].map(hostOf);
  const [host = ''] = hosts;
  const store = new IdentityStore(config.stateDir);
  const { token, agentsPort, nodeName } = config;
  const joining = { token, agentsPort, nodeName, clock: systemClock };
  const identity = await withAnyOf(hosts, log, (each) =>
    ensureIdentity(store, { ...joining, host: each }),
  );
  const servers = new ServerList({
    configured: hosts.map((each) => ({ host: each, port: identity.agentsPort })),
    memory: serverMemoryIn(config.stateDir),
    ...{ random: systemRandom, log },
  });
  const again = () => {
    const { host: at, port } = servers.current;
    return joinAgain(store, { ...joining, host: at, agentsPort: port });
  };
  return { store, identity, servers, host, again };
};

/** By the first server that can be reached. @throws what the last one says */
const withAnyOf = async <T>(
  hosts: readonly string[],
  log: Log,
  work: (host: string) => Promise<T>,
): Promise<T> => {
  let failure: unknown;
  for (const host of hosts)
    try {
      return await work(host);
    } catch (error) {
      failure = error;
      log.warn(
        { server: host, err: describeError(error) },
        'this server does not let the node join',
      );
    }
  throw failure;
};

const stopWhen = (
  asked: AbortSignal,
  machineGoesDown: AbortSignal,
  agent: Pick<ReturnType<typeof createAgent>, 'shutDown'>,
  stopping: AbortController,
): void => {
  let isEndingPods = false;
  onAbort(machineGoesDown, () => {
    isEndingPods = true;
    void agent.shutDown().finally(() => stopping.abort(machineGoesDown.reason));
  });
  onAbort(asked, () => {
    // Whoever stops all services at the end of a machine lets the pods have their time.
    if (!isEndingPods) stopping.abort(asked.reason);
  });
};

/** Undefined: nothing is traced, and nothing of it is loaded. */
const tracingOf = async ({ tracingConfigFile: file, nodeName }: AgentConfig) => {
  if (file === undefined) return undefined;
  const configuration = parseTracingConfiguration(await readFile(file, 'utf8'));
  return openTracing({
    ...configuration,
    ...{ service: 'dhow-agent', instance: nodeName, version: AGENT_VERSION },
  });
};

const nodeIpsOf = async (
  { nodeAddress }: AgentConfig,
  server: string,
  port: number,
): Promise<readonly string[]> => nodeAddress?.split(',') ?? [await addressToward(server, port)];

const openRuntime = (config: AgentConfig, log: Log): Promise<ContainerRuntime> =>
  createContainerRuntime({
    runDir: join(config.runDir, 'runtime'),
    stateDir: join(config.stateDir, 'runtime'),
    cgroupParent: config.cgroupParent,
    launcherPath: config.launcherPath,
    logMaxBytes: config.logMaxBytes,
    logMaxFiles: config.logMaxFiles,
    version: AGENT_VERSION,
    handlers: runtimeHandlersToTry(config.runtimeHandlers),
    log,
    clock: systemClock,
  });

const encryptionOf = ({
  nodeEncryption,
  wireguardPort: port,
  stateDir,
}: AgentConfig): EncryptionOptions | undefined =>
  nodeEncryption === 'wireguard'
    ? { ...wireguardKeysAt(join(stateDir, 'wireguard-key')), port }
    : undefined;

const endOf = ({ publicKey, port }: EncryptionOptions): WireguardEnd => ({ publicKey, port });

const openNetwork = (
  config: AgentConfig,
  {
    encryption,
    ...range
  }: NetworkRange & {
    readonly nodeAddresses: readonly string[];
    readonly encryption: EncryptionOptions | undefined;
  },
  log: Log,
): Promise<PodNetwork> => {
  const { interfacePrefix, networkPlugin, cniConfDir, cniBinDirs, stateDir } = config;
  const options = {
    ...{ ...range, interfacePrefix, log },
    ...(encryption === undefined ? {} : { encryption }),
  };
  return networkPlugin === 'native'
    ? createPodNetwork(options)
    : createCniNetwork({
        ...options,
        configDir: cniConfDir,
        pluginPath: cniBinDirs,
        recordDir: join(stateDir, 'cni', 'results'),
      });
};

/** The server's certificate always bears this name, whatever address it is reached by. */
const registryTls = ({ caCertificate: ca, certificate: cert, key }: NodeIdentity): RegistryTls => ({
  ...{ ca, cert, key },
  serverName: 'kubernetes',
});
