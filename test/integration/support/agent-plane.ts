import { join } from 'node:path';

import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  INGRESS_CLASSES,
  INGRESSES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  RUNTIME_CLASSES,
  CSI_DRIVERS,
  VOLUME_ATTACHMENTS,
  SECRETS,
  SERVICE_CIDRS,
  SERVICES,
} from '../../../api/resources';
import type { WireguardEnd } from '../../../api/node-encryption';
import type { ApiClient } from '../../../client/api-client';
import { Informers } from '../../../client/informers';
import { startTestServer, type TestServer } from '../../../control-plane/api-server/testing';
import { NodeHealthController } from '../../../control-plane/controllers/node-lifecycle/node-health';
import {
  createNodesServer,
  type NodesServer,
  type NodesServerDeps,
} from '../../../control-plane/nodes';
import { BootstrapTokens } from '../../../control-plane/pki/bootstrap-tokens';
import { openPki, type Pki } from '../../../control-plane/pki/pki';
import type { MemoryStore } from '../../../control-plane/store';
import { systemClock, type Clock } from '../../../lib/clock';
import { formatJoinToken } from '../../../lib/join-token';
import { silentLog, type Log } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import { createAgent, type Agent } from '../../../node-agent/agent';
import { parseAgentConfig, type AgentConfigInput } from '../../../node-agent/config';
import { IdentityStore, type NodeIdentity } from '../../../node-agent/identity/identity-store';
import { CertificateRenewer } from '../../../node-agent/identity/certificate-renewer';
import { ensureIdentity, joinAgain, rejoinByKey } from '../../../node-agent/identity/join';
import { ServerList } from '../../../node-agent/session/server-list';
import { createTransport } from '../../../node-agent/session/transport';
import type { ContainerRuntime } from '../../../runtime/container-runtime';
import { fakeMounter } from '../../../node-agent/volumes/fake-mounter';
import type { Mounter } from '../../../node-agent/volumes/mounter';
import { FakeContainerRuntime } from '../../../runtime/containers';
import { FakeImageService } from '../../../runtime/images';
import { FakePodNetwork } from '../../../runtime/network';

const HEARTBEAT_MS = 200;

export interface Plane extends AsyncDisposable {
  readonly server: TestServer;
  readonly client: ApiClient;
  readonly nodes: NodesServer;
  readonly pki: Pki;
  readonly token: string;
  readonly port: number;
}

export interface PlaneOptions {
  readonly store?: MemoryStore;
  /** Nodes silent for this long become Unknown; absent: nobody watches them. */
  readonly gracePeriodMs?: number;
  /** The others that share the store, and this one. */
  readonly servers?: NodesServerDeps['servers'];
  /** By which certificates are made. */
  readonly pkiClock?: Clock;
}

export const startPlane = async (
  directory: string,
  { store, gracePeriodMs, pkiClock = systemClock, servers }: PlaneOptions = {},
): Promise<Plane> => {
  const server = await startTestServer(store === undefined ? {} : { store });
  const { client } = server.api;
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const stop = new AbortController();
  const informers = new Informers({ ...deps, client });
  const running = [informers.run(stop.signal)];
  if (gracePeriodMs !== undefined) {
    const events = { event: () => undefined };
    const health = new NodeHealthController(
      { ...deps, client, informers, events },
      { gracePeriodMs },
    );
    running.push(health.run(stop.signal));
  }
  const pki = await openPki({
    directory: join(directory, 'pki'),
    serverNames: [],
    clock: pkiClock,
  });
  const tokens = await BootstrapTokens.open(join(directory, 'tokens.json'), systemClock);
  const nodes = createNodesServer({
    ...deps,
    client,
    pods: informers.of(PODS),
    nodes: informers.of(NODES),
    secrets: informers.of(SECRETS),
    configMaps: informers.of(CONFIG_MAPS),
    claims: informers.of(PERSISTENT_VOLUME_CLAIMS),
    volumes: informers.of(PERSISTENT_VOLUMES),
    runtimeClasses: informers.of(RUNTIME_CLASSES),
    csiDrivers: informers.of(CSI_DRIVERS),
    attachments: informers.of(VOLUME_ATTACHMENTS),
    services: informers.of(SERVICES),
    ingresses: informers.of(INGRESSES),
    ingressClasses: informers.of(INGRESS_CLASSES),
    serviceCidrs: informers.of(SERVICE_CIDRS),
    endpointSlices: informers.of(ENDPOINT_SLICES),
    namespaces: informers.of(NAMESPACES),
    networkPolicies: informers.of(NETWORK_POLICIES),
    pki,
    tokens,
    issueToken: server.api.issueToken,
    ...(servers === undefined ? {} : { servers }),
    options: { heartbeatIntervalMs: HEARTBEAT_MS },
  });
  const port = await nodes.listen('127.0.0.1:0');
  const { id, secret } = await tokens.create();
  const token = formatJoinToken({ agentsPort: port, caHash: pki.caHash, id, secret });
  return {
    server,
    client,
    nodes,
    pki,
    token,
    port,
    [Symbol.asyncDispose]: async () => {
      await nodes[Symbol.asyncDispose]();
      stop.abort();
      await Promise.all(running);
      await server[Symbol.asyncDispose]();
    },
  };
};

/** Of an agent that knows of no other. */
export const onlyServer = ({ agentsPort }: Pick<NodeIdentity, 'agentsPort'>): ServerList => {
  const configured = [{ host: '127.0.0.1', port: agentsPort }];
  return new ServerList({ configured, random: systemRandom, log: silentLog });
};

export interface RunningAgent extends AsyncDisposable {
  readonly agent: Agent;
  readonly runtime: ContainerRuntime;
  readonly images: FakeImageService;
  readonly network: FakePodNetwork;
  readonly identity: NodeIdentity;
  /** As after a renewal: what connects from now on shows this certificate. */
  adopt(identity: NodeIdentity): void;
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly wireguard?: WireguardEnd;
  readonly name?: string;
  readonly nodeIp?: string;
  readonly runtime?: ContainerRuntime;
  readonly images?: FakeImageService;
  readonly mounter?: Mounter;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meterWorkerPath?: string;
  readonly podManifestPath?: string;
  readonly logDir?: string;
  /** Further settings of the agent. */
  readonly config?: Partial<AgentConfigInput>;
}

export const startAgent = async (
  plane: { readonly token?: string; readonly port: number },
  directory: string,
  {
    name = 'n1',
    nodeIp = '192.0.2.1',
    runtime = new FakeContainerRuntime(),
    ...more
  }: AgentOptions = {},
): Promise<RunningAgent> => {
  const config = parseAgentConfig({
    server: '127.0.0.1',
    token: plane.token,
    nodeName: name,
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    launcherPath: '/nonexistent',
    // This machine has less left than the one that the agent is told of.
    evictionHard: {},
    ...more.config,
    ...(more.podManifestPath === undefined ? {} : { podManifestPath: more.podManifestPath }),
    ...(more.logDir === undefined ? {} : { logDir: more.logDir }),
    ...(more.meterWorkerPath === undefined ? {} : { meterWorkerPath: more.meterWorkerPath }),
  });
  const store = new IdentityStore(config.stateDir);
  const joining = {
    host: '127.0.0.1',
    token: plane.token,
    agentsPort: plane.port,
    nodeName: name,
    clock: systemClock,
  };
  const renewer = new CertificateRenewer(
    {
      ...{ store, clock: systemClock, random: systemRandom, log: silentLog },
      renew: (request) => transport.renew(request),
      rejoin: (known) => rejoinByKey(known, '127.0.0.1', systemClock),
    },
    await ensureIdentity(store, joining),
  );
  const images = more.images ?? new FakeImageService();
  if (more.images === undefined) images.publish('web:1');
  const network = new FakePodNetwork();
  const transport = createTransport(
    onlyServer(renewer.current),
    () => renewer.current,
    systemClock,
  );
  const agent = createAgent({
    config,
    agentId: store.agentId(),
    nodeIps: [nodeIp],
    facts: {
      cpuMillis: 2000,
      memoryBytes: 2 ** 31,
      machineId: 'm',
      bootId: 'b',
      kernelVersion: '6',
      osImage: 'Linux',
    },
    hugePages: () => new Map(),
    transport,
    joinAgain: async () => renewer.use(await joinAgain(store, joining)),
    noteAuthorities: (hash) => renewer.noteAuthorities(hash),
    runtime,
    images,
    openNetwork: () => Promise.resolve(network),
    ...(more.wireguard === undefined ? {} : { wireguard: more.wireguard }),
    mounter: more.mounter ?? fakeMounter(),
    clock: more.clock ?? systemClock,
    random: systemRandom,
    log: more.log ?? silentLog,
    settings: {
      restartBackoffInitialMs: 50,
      imageBackoffInitialMs: 50,
      resyncMs: 300,
      retryMs: 50,
      housekeepingMs: 100,
      networkCheckMs: 100,
    },
  });
  const stopping = new AbortController();
  const running = Promise.all([agent.run(stopping.signal), renewer.run(stopping.signal)]);
  const stop = async () => {
    stopping.abort();
    await running;
    transport.close();
  };
  const dispose = async () => {
    await stop();
    for (const { id } of runtime.sandboxes()) await runtime.removeSandbox(id);
  };
  const adopt = (next: NodeIdentity) => renewer.use(next);
  const parts = { agent, runtime, images, network, identity: renewer.current };
  return { ...parts, adopt, stop, [Symbol.asyncDispose]: dispose };
};

export const eventually = async <T>(
  look: () => Promise<T | undefined | false>,
  withinMs = 60_000,
): Promise<T> => {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error('condition not reached');
    await systemClock.sleep(20);
  }
};

export const podDraft = (name: string, container: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName: 'n1',
    // Nobody here gives a namespace its authority.
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'web',
        image: 'web:1',
        command: ['sh', '-c', 'echo hello; sleep 1000'],
        ...container,
      },
    ],
    ...spec,
  },
});
