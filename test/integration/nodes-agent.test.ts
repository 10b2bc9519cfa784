import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CONFIG_MAPS, LEASES, NODES, PODS, SECRETS } from '../../api/resources';
import type { ApiClient } from '../../client/api-client';
import { Informers } from '../../client/informers';
import { startTestServer, type TestServer } from '../../control-plane/api-server/testing';
import { createNodesServer, type NodesServer } from '../../control-plane/nodes';
import { BootstrapTokens } from '../../control-plane/pki/bootstrap-tokens';
import { openPki, type Pki } from '../../control-plane/pki/pki';
import { systemClock } from '../../lib/clock';
import { formatJoinToken } from '../../lib/join-token';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { createAgent, type Agent } from '../../node-agent/agent';
import { parseAgentConfig } from '../../node-agent/config';
import { IdentityStore } from '../../node-agent/identity/identity-store';
import { ensureIdentity } from '../../node-agent/identity/join';
import { createTransport } from '../../node-agent/session/transport';
import { FakeContainerRuntime } from '../../runtime/containers';
import { FakeImageService } from '../../runtime/images';
import { FakePodNetwork } from '../../runtime/network';

const HEARTBEAT_MS = 200;

interface Plane extends AsyncDisposable {
  readonly server: TestServer;
  readonly client: ApiClient;
  readonly nodes: NodesServer;
  readonly pki: Pki;
  readonly token: string;
  readonly port: number;
}

const startPlane = async (directory: string): Promise<Plane> => {
  const server = await startTestServer();
  const { client } = server.api;
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const stop = new AbortController();
  const informers = new Informers({ ...deps, client });
  const running = informers.run(stop.signal);
  const pki = await openPki({
    directory: join(directory, 'pki'),
    serverNames: [],
    clock: systemClock,
  });
  const tokens = await BootstrapTokens.open(join(directory, 'tokens.json'), systemClock);
  const nodes = createNodesServer({
    ...deps,
    client,
    pods: informers.of(PODS),
    nodes: informers.of(NODES),
    secrets: informers.of(SECRETS),
    configMaps: informers.of(CONFIG_MAPS),
    pki,
    tokens,
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
      await running;
      await server[Symbol.asyncDispose]();
    },
  };
};

interface RunningAgent extends AsyncDisposable {
  readonly agent: Agent;
  readonly runtime: FakeContainerRuntime;
  readonly images: FakeImageService;
  readonly network: FakePodNetwork;
  stop(): Promise<void>;
}

interface AgentOptions {
  readonly name?: string;
  readonly nodeIp?: string;
  readonly runtime?: FakeContainerRuntime;
}

const startAgent = async (
  plane: Plane,
  directory: string,
  { name = 'n1', nodeIp = '192.0.2.1', runtime = new FakeContainerRuntime() }: AgentOptions = {},
): Promise<RunningAgent> => {
  const config = parseAgentConfig({
    server: '127.0.0.1',
    token: plane.token,
    nodeName: name,
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
  });
  const store = new IdentityStore(config.stateDir);
  const identity = await ensureIdentity(store, {
    host: '127.0.0.1',
    token: plane.token,
    agentsPort: plane.port,
    nodeName: name,
  });
  const images = new FakeImageService();
  images.publish('web:1');
  const network = new FakePodNetwork();
  const transport = createTransport('127.0.0.1', identity, systemClock);
  const agent = createAgent({
    config,
    agentId: store.agentId(),
    nodeIp,
    facts: {
      cpuMillis: 2000,
      memoryBytes: 2 ** 31,
      machineId: 'm',
      bootId: 'b',
      kernelVersion: '6',
      osImage: 'Linux',
    },
    transport,
    runtime,
    images,
    openNetwork: () => Promise.resolve(network),
    mounter: { mountTmpfs: () => undefined, unmount: () => undefined },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    settings: {
      restartBackoffInitialMs: 50,
      imageBackoffInitialMs: 50,
      resyncMs: 300,
      retryMs: 50,
      housekeepingMs: 100,
    },
  });
  const stopping = new AbortController();
  const running = agent.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
    transport.close();
  };
  const dispose = async () => {
    await stop();
    for (const { id } of runtime.sandboxes()) await runtime.removeSandbox(id);
  };
  return { agent, runtime, images, network, stop, [Symbol.asyncDispose]: dispose };
};

const eventually = async <T>(look: () => Promise<T | undefined | false>): Promise<T> => {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error('condition not reached');
    await systemClock.sleep(20);
  }
};

const podDraft = (name: string, container: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName: 'n1',
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

describe('an agent and its server', () => {
  let directory: string;
  let plane: Plane;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-nodes-'));
    plane = await startPlane(directory);
  });
  afterEach(async () => {
    await plane[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const getPod = (name: string) => plane.client.get(PODS, { namespace: 'default', name });
  const createPod = (draft: ReturnType<typeof podDraft>) => plane.client.create(PODS, draft);
  const running = (name: string) =>
    eventually(async () => {
      const pod = await getPod(name);
      return pod.status.conditions?.some(
        ({ type, status }) => type === 'Ready' && status === 'True',
      )
        ? pod
        : undefined;
    });

  it('joins, registers, runs a pod, reads its log, and lets it go', async () => {
    await using agent = await startAgent(plane, directory);
    const node = await eventually(async () => {
      const { items } = await plane.client.list(NODES);
      return items.find(({ status }) =>
        status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
      );
    });
    expect(node.spec.podCIDR).toBe('10.42.0.0/24');
    expect(node.status.addresses).toContainEqual({ type: 'InternalIP', address: '192.0.2.1' });
    await createPod(podDraft('web'));
    const pod = await running('web');
    expect(pod.status.phase).toBe('Running');
    expect(pod.status.podIP).toBe(agent.network.attachments()[0]?.ip);
    expect(pod.status.containerStatuses?.[0]).toMatchObject({
      ready: true,
      restartCount: 0,
      imageID: expect.stringContaining('docker.io/library/web@sha256:'),
      containerID: expect.stringMatching(/^dhow:\/\//),
    });
    const target = {
      namespace: 'default',
      podName: 'web',
      podUid: pod.metadata.uid!,
      container: 'web',
    };
    const request = { ...target, follow: false, previous: false, timestamps: false };
    const text = await eventually(async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of plane.nodes.connections.logs(
        'n1',
        request,
        new AbortController().signal,
      ))
        chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    });
    expect(text).toBe('hello\n');
    await plane.client.delete(PODS, { namespace: 'default', name: 'web' });
    await eventually(async () => (await plane.client.list(PODS)).items.length === 0);
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    expect(agent.network.attachments()).toEqual([]);
    const lease = await plane.client.get(LEASES, { namespace: 'kube-node-lease', name: 'n1' });
    expect(lease.spec?.holderIdentity).toBe('n1');
  });

  it('runs a command in a container, with input and exit code', async () => {
    await using _agent = await startAgent(plane, directory);
    await createPod(podDraft('web'));
    const pod = await running('web');
    await using session = await plane.nodes.connections.exec(
      'n1',
      {
        namespace: 'default',
        podName: 'web',
        podUid: pod.metadata.uid!,
        container: 'web',
        command: ['sh', '-c', 'cat; exit 7'],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
      },
      new AbortController().signal,
    );
    await session.writeStdin(Buffer.from('over and out'));
    session.closeStdin();
    const output: string[] = [];
    for await (const chunk of session.output) {
      if (chunk.stream === 'exit') output.push(`exit ${chunk.exitCode}`);
      else if (chunk.stream === 'error') output.push(`error ${chunk.message}`);
      else output.push(Buffer.from(chunk.data).toString());
    }
    expect(output).toEqual(['over and out', 'exit 7']);
  });

  it('takes its containers up again after a restart, without counting one', async () => {
    const runtime = new FakeContainerRuntime();
    const first = await startAgent(plane, directory, { runtime });
    await createPod(podDraft('web'));
    const before = await running('web');
    await first.stop();
    const states = runtime.containers().map(({ id }) => id);
    await using _second = await startAgent(plane, directory, { runtime });
    await eventually(async () => plane.nodes.connections.isConnected('n1'));
    await systemClock.sleep(500);
    const after = await getPod('web');
    expect(runtime.containers().map(({ id }) => id)).toEqual(states);
    expect(after.status.containerStatuses).toEqual(before.status.containerStatuses);
    expect(after.status.podIP).toBe(before.status.podIP);
  });

  it('refuses another agent with the same name, and another node with the same address', async () => {
    await using _agent = await startAgent(plane, directory);
    await eventually(async () => plane.nodes.connections.isConnected('n1'));
    const other = await mkdtemp(join(tmpdir(), 'dhow-nodes-'));
    try {
      await expect(startAgent(plane, other)).rejects.toThrow(
        'node "n1" is connected already, by another agent',
      );
      await using twin = await startAgent(plane, other, { name: 'n2' });
      await systemClock.sleep(300);
      expect(twin.agent.isConnected).toBe(false);
      expect(plane.nodes.connections.isConnected('n2')).toBe(false);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('refuses a wrong token and a CA that the token does not name', async () => {
    const wrong = plane.token.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
    await expect(startAgent({ ...plane, token: wrong }, directory)).rejects.toThrow(
      'the join token is unknown or has expired',
    );
    const foreign = plane.token.replace(/:[0-9a-f]{64}:/, `:${'0'.repeat(64)}:`);
    await expect(startAgent({ ...plane, token: foreign }, directory)).rejects.toThrow(
      'does not have the CA that the join token names',
    );
  });

  it('tells the agent of the secrets that its pods use, and of no others', async () => {
    await using agent = await startAgent(plane, directory);
    const secret = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      data: { key: Buffer.from(name).toString('base64') },
    });
    await plane.client.create(SECRETS, secret('unused'));
    const env = [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'used', key: 'key' } } }];
    await createPod(podDraft('web', { env }));
    await eventually(async () => {
      const waiting = (await getPod('web')).status.containerStatuses?.[0]?.state?.waiting;
      return (
        waiting?.reason === 'CreateContainerConfigError' &&
        waiting.message === 'secret "used" not found'
      );
    });
    await plane.client.create(SECRETS, secret('used'));
    await running('web');
    const [state] = agent.runtime.containers();
    expect(agent.runtime.specOf(state!.id).process.env).toContain('KEY=used');
  });
});
