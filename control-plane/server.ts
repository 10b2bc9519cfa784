import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import {
  apiAddressOf,
  checkApartFrom,
  clusterNetworkOf,
  type ClusterNetwork,
} from '../api/cluster-network';
import { parseTracingConfiguration } from '../api/tracing-configuration';
import type { ApiClient } from '../client/api-client';
import { ApiEventRecorder } from '../client/events';
import { Informers } from '../client/informers';
import { ObjectFaults } from '../client/object-faults';
import type { NodeConnections } from '../client/node-connections';
import { TaskGroup } from '../lib/async/task-group';
import { Activities } from '../lib/activities';
import { systemClock as clock } from '../lib/clock';
import { EventLoopMonitor } from '../lib/event-loop-monitor';
import { readFileIfPresent, replaceFile } from '../lib/files';
import { formatJoinToken, parseJoinToken, type JoinToken } from '../lib/join-token';
import { stringifyJson } from '../lib/json';
import { lateBound } from '../lib/late-bound';
import { memoryLimitBytes } from '../lib/memory-limit';
import { createLog, type Log } from '../lib/log';
import { hostPort } from '../lib/net/ip';
import { systemRandom as random } from '../lib/random';
import { openTracing } from '../lib/tracing/open-tracing';
import { createApiServer, type ApiServer } from './api-server/api-server';
import { RESTORED_FILE } from './backup/restore';
import { SERVER_CONFIG_FILE } from './backup/save';
import { snapshotsOf } from './backup/snapshots-of';
import { parseAddress, parseServerConfig, type ServerConfig } from './config';
import { openAudit, openAuthentication } from './open-authentication';
import { networkViewsIn, selectorViewsIn, usedByPods, viewsIn } from './views';
import { ensureDefaultClasses } from './default-classes';
import { etcdCredentialsOf } from './etcd-credentials';
import { askerOf, LedScheduler, leaderMetrics, runAsLeader, termOf } from './leader';
import { leadersTasks } from './leaders-tasks';
import { memoryBudgetOf, type MemoryBudget } from './memory-budget';
import { createNodesServer, type NodesServer, type NodesServerDeps } from './nodes';
import { Encryption } from './encryption/encryption';
import { EncryptionKeys } from './encryption/encryption-keys';
import { ENCRYPTION_KEY_FILE } from '../api/encryption-keys';
import { BootstrapTokens } from './pki/bootstrap-tokens';
import { keepCertificates, type CertificateKeeperDeps } from './pki/certificate-keeper';
import { writeKubeconfig } from './pki/kubeconfig';
import { openPki, type Pki } from './pki/pki';
import { createRegistry } from './registry';
import { createResourceMetrics } from './resource-metrics';
import {
  createScheduler,
  parseSchedulerConfiguration,
  type Scheduler,
  type SchedulerDeps,
} from './scheduler';
import { openIdentity } from './server-identity';
import { ServerViews } from './servers/server-views';
import { createWatchCaches, openStore, type Leading, type ServerSelf } from './store';
import {
  ensureSystemServices,
  isReachable,
  keepSystemServices,
  type SystemServicesDeps,
} from './system-services';
import { linkedController } from '../lib/async/linked-controller';

const VERSION = process.env['DHOW_VERSION'] ?? '0.0.0';

/** What a running server tells the one who started it. */
export interface ServerStarted {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  readonly agentsPort: number;
  /** For `dhow agent --token`; also in DIR/join-token. */
  readonly joinToken: string;
  readonly kubeconfig: string;
}

/**
 * A complete control plane in one process: runs until `signal` aborts. Leaves DIR/admin.kubeconfig
 * and DIR/join-token, both 0600. @throws Error that an operator can act on.
 */
export const runServer = async (
  input: unknown,
  signal: AbortSignal,
  onStarted: (started: ServerStarted) => void = () => undefined,
): Promise<void> => {
  const config = parseServerConfig(input);
  const log = createLog(config.logLevel);
  log.info({ config }, 'starting');
  const api = parseAddress(config.listen);
  const network = clusterNetworkOf(config);
  checkApartFrom(network, subnetsAround(api.host));
  for (const folder of [config.dataDir, config.runDir]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await replaceFile(join(config.dataDir, SERVER_CONFIG_FILE), stringifyJson(config));
  await using tracing = await openTracingBy(config);
  const pki = await openPki({
    directory: join(config.dataDir, 'pki'),
    serverNames: [
      ...namesOf(api.host),
      ...(config.advertiseAddress === undefined ? [] : [config.advertiseAddress]),
      ...serviceNamesOf(network),
      ...config.serverNames,
    ],
    lifeMs: config.certificateSeconds * 1000,
    clock,
  });
  const encryption = await Encryption.open({
    ...{ keyFile: join(config.dataDir, ENCRYPTION_KEY_FILE), clock, log },
  });
  const tokens = await BootstrapTokens.open(join(config.dataDir, 'tokens.json'), clock);
  const etcdTls = await etcdCredentialsOf(config);
  await using opened = await openStore(
    {
      ...(config.etcdEndpoints.length === 0
        ? {
            dataDir: join(config.dataDir, 'etcd'),
            runDir: join(config.runDir, 'etcd'),
            quotaBytes: config.etcdQuotaMib * 1024 * 1024,
          }
        : { endpoints: config.etcdEndpoints, ...(etcdTls && { credentials: etcdTls }) }),
      identity: await openIdentity(join(config.dataDir, 'server-id')),
      recordFile: join(config.dataDir, 'store.json'),
      isHistoryAccepted: config.acceptEtcdHistory,
      cipher: encryption.ring,
      isLossAccepted: config.discardUnreadableSecrets,
      release: VERSION,
      clock,
      log,
    },
    signal,
  );
  const encryptionKeys = new EncryptionKeys(encryption, opened.reencryption);
  using running = linkedController(signal, opened.lost);
  await serve(
    { config, network, log, pki, encryptionKeys, tokens, opened, tracing },
    running.signal,
    (started) => {
      log.info({ url: started.url, agentsPort: started.agentsPort }, 'ready');
      onStarted(started);
    },
  );
  if (!signal.aborted) opened.lost.throwIfAborted();
};

interface Parts {
  readonly config: ServerConfig;
  readonly network: ClusterNetwork;
  readonly log: Log;
  readonly pki: Pki;
  readonly encryptionKeys: EncryptionKeys;
  readonly tokens: BootstrapTokens;
  readonly opened: Awaited<ReturnType<typeof openStore>>;
  readonly tracing: Awaited<ReturnType<typeof openTracingBy>>;
}

const serve = async (
  { config, network, log, pki, encryptionKeys, tokens, opened, tracing }: Parts,
  signal: AbortSignal,
  onStarted: (started: ServerStarted) => void,
): Promise<void> => {
  const shared = { clock, random, log, ...tracing.deps };
  const budget = memoryBudgetOf(memoryLimitBytes());
  const activities = new Activities();
  using monitor = new EventLoopMonitor({ clock, log, activities });
  await using caches = createWatchCaches({
    store: opened.store,
    ...{ clock, log },
    historyBytesMax: budget.historyBytes,
  });
  await using registry = await createRegistry({ ...shared, dir: join(config.dataDir, 'registry') });
  const { leading, store } = opened;
  const serverViews = new ServerViews(opened.servers, leading);
  const apiClient = lateBound<ApiClient>('the API');
  const leadersClient = lateBound<ApiClient>('the API of the leader');
  const nodeConnections = lateBound<NodeConnections>('the nodes server');
  const faults = faultsOf(log, apiClient.proxy);
  const informers = new Informers({ ...shared, faults, client: apiClient.proxy });
  const views = viewsIn(informers);
  const client = leadersClient.proxy;
  const placing = { ...shared, ...views, ...selectorViewsIn(informers), faults, client };
  const others = lateBound<NodesServer>('the nodes server');
  const schedulers = await schedulersBy(config, log, budget, placing);
  const scheduler = new LedScheduler(leading, schedulers, askerOf(leading, others.proxy));
  const connections = nodeConnections.proxy;
  await using metrics = createResourceMetrics({ ...views, connections, clock });
  await using audit = await openAudit(config, log);
  const authentication = await openAuthentication(config, log);
  const snapshots = await snapshotsBy(config, log, apiClient.proxy);
  await using server = createApiServer({
    ...shared,
    ...{ store, caches, tls: pki, network, serviceAccountKey: pki.serviceAccountKey },
    ...{ nodeConnections: connections, activities, budget },
    lag: () => monitor.histogram,
    virtualResources: [...answersOf(scheduler), ...metrics.resources, encryptionKeys, serverViews],
    placements: scheduler.placements,
    moreMetrics: [scheduler, leaderMetrics(leading), serverViews, ...tracing.metrics, ...snapshots],
    ...{ registry, objectFaults: faults, ...timesOf(config), ...authentication.deps },
    ...(audit === undefined ? {} : { auditor: audit.auditor }),
    ...{ certificates: () => pki.lives(), version: VERSION, serverId: opened.servers.id },
  });
  apiClient.bind(server.client);
  leadersClient.bind(server.clientWithin(() => termOf(leading)));
  await using nodes = createNodesServer({
    ...{ ...shared, client: server.client, pki, tokens, issueToken: server.issueToken },
    ...{ ...views, ...usedByPods(informers), ...networkViewsIn(informers) },
    ...{ servers: opened.servers, answer: answerBy(scheduler), options: nodesOptionsOf(config) },
    restoredFile: await restoredFileIn(config),
  });
  nodeConnections.bind(nodes.connections);
  others.bind(nodes);
  const led = { client, informers, faults, snapshots };
  const tasks = leadersTasks({ config, network, log, pki }, server, led);
  await using group = new TaskGroup(signal);
  runAll(group, [informers, authentication, encryptionKeys]);
  const address = await server.listen(parseAddress(config.listen));
  const started = await announce({ config, pki, tokens, nodes, apiPort: address.port });
  const systemServices = beSeen({ config, network, log, opened }, server.client, started);
  await ensureSystem(systemServices, leading);
  const keeper = keeperFor({ config, log, pki }, { server, nodes }, started);
  group.run((each) => keepCertificates(keeper, each));
  tasks.push((each) => keepSystemServices({ ...systemServices, client }, each));
  group.run((each) => runAsLeader(leading, { informers, scheduler, tasks }, each));
  onStarted(started);
  await group.wait();
};

const runAll = (
  group: TaskGroup,
  parts: readonly { run(signal: AbortSignal): Promise<void> }[],
) => {
  for (const part of parts) group.run((each) => part.run(each));
};

const snapshotsBy = (config: ServerConfig, log: Log, client: ApiClient) =>
  snapshotsOf({ ...{ config, client, clock, log }, version: VERSION });

/** Makes a scheduler for each term in which this server leads. */
const schedulersBy = async (
  config: ServerConfig,
  log: Log,
  { podClassBytes }: MemoryBudget,
  deps: SchedulerDeps,
): Promise<() => Scheduler> => {
  const configuration = await schedulerConfigurationOf(config, log);
  const dir = join(config.dataDir, 'decisions');
  return () => createScheduler({ ...deps, ...configuration, dir, podClassBytes });
};

/** What a cluster has from its beginning, besides what the API itself needs. */
const ensureSystem = async (deps: SystemServicesDeps, { isFollowing }: Leading): Promise<void> => {
  await ensureDefaultClasses(deps.client);
  if (!isFollowing) await ensureSystemServices(deps);
};

const answerBy =
  (scheduler: LedScheduler): NonNullable<NodesServerDeps['answer']> =>
  async (...question) =>
    scheduler.answer(...question);

/** What the scheduler tells of itself. */
const answersOf = ({ decisions, explanations }: LedScheduler) => [decisions, explanations] as const;

/** Traces if that is asked for; otherwise nothing of it is loaded. */
const openTracingBy = async ({ tracingConfigFile: file, clusterName }: ServerConfig) => {
  const tracing =
    file === undefined
      ? undefined
      : await openTracing({
          ...parseTracingConfiguration(await readFile(file, 'utf8')),
          ...{ service: 'dhow-server', instance: clusterName, version: VERSION },
        });
  return {
    deps: tracing === undefined ? {} : { tracing },
    metrics: tracing === undefined ? [] : [tracing],
    [Symbol.asyncDispose]: async () => tracing?.[Symbol.asyncDispose](),
  };
};

/** By the file, if there is one; what it says in vain is logged. */
const schedulerConfigurationOf = async ({ schedulerConfigFile: file }: ServerConfig, log: Log) => {
  if (file === undefined) return { version: VERSION };
  const text = await readFile(file, 'utf8');
  const { warnings, ...configuration } = parseSchedulerConfiguration(text);
  for (const warning of warnings) log.warn({ file, warning }, 'scheduler configuration');
  return { ...configuration, configuration: text, version: VERSION };
};

/** From now on other servers know of this one, and pods are led to it. */
const beSeen = (
  { opened: { servers }, ...parts }: Pick<Parts, 'config' | 'network' | 'log' | 'opened'>,
  client: ApiClient,
  { url, agentsPort }: ServerStarted,
): SystemServicesDeps => {
  const apiPort = Number(new URL(url).port || 443);
  servers.announce(selfOf(parts.config, apiPort, agentsPort));
  return systemServicesOf(parts, client, { apiPort, servers });
};

/** By what a cluster is reached from its beginning. */
const systemServicesOf = (
  { config, network, log }: Pick<Parts, 'config' | 'network' | 'log'>,
  client: ApiClient,
  listening: Pick<SystemServicesDeps, 'apiPort' | 'servers'>,
): SystemServicesDeps => ({
  ...{ client, network, clock, log, ...listening },
  apiAddress: addressesOf(config).find(isReachable),
});

/** By which this server is reached, the best first. */
const addressesOf = ({ listen, advertiseAddress }: ServerConfig): readonly string[] => {
  const { host } = parseAddress(listen);
  const all = isAnyAddress(host) ? [...namesOf(host)].sort(ipv4First) : [host];
  return advertiseAddress === undefined ? all : [advertiseAddress];
};

/** What other servers are to know of this one. */
const selfOf = (config: ServerConfig, apiPort: number, agentsPort: number): ServerSelf => {
  const all = addressesOf(config);
  const host = all.find(isReachable) ?? all[0] ?? '127.0.0.1';
  const agents = parseAddress(config.agentsListen ?? config.listen).host;
  return {
    api: { host, port: apiPort },
    agents: { host: isAnyAddress(agents) ? host : agents, port: agentsPort },
    hostName: hostname().slice(0, 253),
    version: VERSION,
    sinceMs: clock.now(),
  };
};

const ipv4First = (a: string, b: string): number => isIP(a) - isIP(b);

const timesOf = ({ evictionSeconds, streamIdleSeconds }: ServerConfig) => ({
  evictionSeconds,
  streamIdleMs: streamIdleSeconds * 1000,
});

const keeperFor = (
  { config, log, pki }: Pick<Parts, 'config' | 'log' | 'pki'>,
  { server, nodes }: { readonly server: ApiServer; readonly nodes: NodesServer },
  { url, joinToken }: ServerStarted,
): CertificateKeeperDeps => ({
  ...{ clock, random, log, pki },
  lifeMs: config.certificateSeconds * 1000,
  useServer: () => {
    server.renew(pki);
    nodes.showNewCertificate();
  },
  useAdmin: async () => {
    await leaveKubeconfig({ config, pki }, url);
    // The same token, of the authority that the agents' port shows now.
    await leaveJoinToken(config, { ...parseJoinToken(joinToken), caHash: pki.caHash });
  },
});

/** Undefined where nothing was restored, or all nodes have come back since. */
const restoredFileIn = async ({ dataDir }: ServerConfig): Promise<string | undefined> => {
  const file = join(dataDir, RESTORED_FILE);
  return (await readFileIfPresent(file)) === undefined ? undefined : file;
};

const nodesOptionsOf = (config: ServerConfig) => ({
  clusterCidrs: clusterNetworkOf(config).podCidrs,
  heartbeatIntervalMs: config.heartbeatSeconds * 1000,
  network: clusterNetworkOf(config),
});

/** Where every part says which object it cannot handle. */
const faultsOf = (log: Log, client: ApiClient): ObjectFaults =>
  new ObjectFaults({
    log,
    events: new ApiEventRecorder({ clock, log, client, component: 'dhow-server' }),
  });

/** Opens the agents' port and leaves what an administrator and a new node need. */
const announce = async ({
  config,
  pki,
  tokens,
  nodes,
  apiPort,
}: Pick<Parts, 'config' | 'pki' | 'tokens'> & {
  readonly nodes: NodesServer;
  readonly apiPort: number;
}): Promise<ServerStarted> => {
  const { host } = parseAddress(config.listen);
  // Beside a port that was picked because it was free, the next one need not be.
  const next = parseAddress(config.listen).port === 0 ? 0 : apiPort + 1;
  const agentsPort = await nodes.listen(config.agentsListen ?? hostPort(host, next));
  const url = `https://${hostPort(isAnyAddress(host) ? '127.0.0.1' : host, apiPort)}`;
  const kubeconfig = await leaveKubeconfig({ config, pki }, url);
  const { id, secret } = await tokens.createForStart(config.joinTokenTtlSeconds * 1000);
  const joinToken = await leaveJoinToken(config, { agentsPort, caHash: pki.caHash, id, secret });
  return { url, agentsPort, joinToken, kubeconfig };
};

/** For new nodes. Returns what is in the file. */
const leaveJoinToken = async ({ dataDir }: ServerConfig, token: JoinToken): Promise<string> => {
  const text = formatJoinToken(token);
  await replaceFile(join(dataDir, 'join-token'), `${text}\n`);
  return text;
};

/** For the administrator, with the newest certificate. Returns the file. */
const leaveKubeconfig = async (
  { config, pki }: Pick<Parts, 'config' | 'pki'>,
  url: string,
): Promise<string> => {
  const file = join(config.dataDir, 'admin.kubeconfig');
  await writeKubeconfig(file, {
    server: url,
    caCertificate: pki.caCertificate,
    client: pki.admin,
    clusterName: config.clusterName,
  });
  return file;
};

/** The names that clients may use for a listening address: all of this machine's for a wildcard. */
const namesOf = (host: string): readonly string[] =>
  isAnyAddress(host)
    ? Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).map(({ address }) => address),
      )
    : [host];

/** By what pods reach it: the service in front of it, by address and every form of its name. */
const serviceNamesOf = (network: ClusterNetwork): readonly string[] => [
  apiAddressOf(network),
  'kubernetes.default',
  `kubernetes.default.svc.${network.clusterDomain}`,
];

/** Of the interfaces with a listening address. */
const subnetsAround = (host: string): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).flatMap(({ address, cidr }) =>
      cidr !== null && (isAnyAddress(host) || address === host) ? [cidr] : [],
    ),
  );

const isAnyAddress = (host: string): boolean => host === '0.0.0.0' || host === '::';
