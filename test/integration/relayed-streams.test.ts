import { credentials } from '@grpc/grpc-js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import type { KnownServers } from '../../control-plane/nodes/deps';
import { createRequest, type KeyPairPem } from '../../control-plane/pki/certificates';
import { MemoryStore } from '../../control-plane/store';
import { messagesOf } from '../../lib/async/message-stream';
import type { OpenStream } from '../../proto/gen/dhow/agent/v1/agent';
import { PeerServiceClient, type RelayResponse } from '../../proto/gen/dhow/peer/v1/peer';
import { eventually, podDraft, startAgent, startPlane, type Plane } from './support/agent-plane';

jest.setTimeout(120_000);

let directory: string;
/** Two servers of one cluster; the agent is connected to the first. */
let planes: Plane[];
let ports: number[];
let holders: Map<string, string>;
let lost: Map<string, () => void>;

/** As the registry of all servers tells, without an etcd. */
const serversOf = (id: string): KnownServers => {
  const all = () =>
    ['a', 'b'].map((each, n) => ({ id: each, agents: { host: '127.0.0.1', port: ports[n] ?? 1 } }));
  return {
    id,
    live: all,
    holderOf: (nodeName) => all().find((each) => each.id === holders.get(nodeName)),
    hold: (nodeName, onLost) => {
      if (holders.has(nodeName)) lost.get(nodeName)?.();
      holders.set(nodeName, id);
      lost.set(nodeName, onLost);
      return {
        [Symbol.dispose]: () => {
          if (holders.get(nodeName) === id) holders.delete(nodeName);
        },
      };
    },
    onChange: () => () => undefined,
  };
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-relay-'));
  [planes, ports, holders, lost] = [[], [], new Map(), new Map()];
  const store = new MemoryStore();
  for (const id of ['a', 'b']) {
    // The folder holds the authority of the cluster, which both have.
    planes.push(await startPlane(directory, { store, servers: serversOf(id) }));
    ports.push(planes.at(-1)?.port ?? 0);
  }
});

afterEach(async () => {
  for (const plane of planes.reverse()) await plane[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const first = (): Plane => planes[0]!;
const second = (): Plane => planes[1]!;

const runningPod = async (container: object = {}): Promise<Pod> => {
  await first().client.create(PODS, podDraft('web', container));
  return eventually(async () => {
    const pod = await first().client.get(PODS, { namespace: 'default', name: 'web' });
    const ready = pod.status.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? pod : undefined;
  });
};

const targetIn = ({ metadata }: Pod) => ({
  ...{ namespace: 'default', podName: 'web', podUid: metadata.uid ?? '', container: 'web' },
});
const never = () => new AbortController().signal;
const textOf = async (chunks: AsyncIterable<Uint8Array>): Promise<string> => {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
};

it('reads logs, runs commands and asks for usage by way of the server that has the node', async () => {
  await using _agent = await startAgent(first(), directory);
  const pod = await runningPod();
  const { connections } = second().nodes;
  expect(connections.isConnected('n1')).toBe(true);
  const request = { ...targetIn(pod), follow: false, previous: false, timestamps: false };
  await eventually(
    async () => (await textOf(connections.logs('n1', request, never()))) === 'hello\n',
  );
  const { clockId } = await connections.usage('n1', never());
  expect(clockId).not.toBe('');

  const command = ['sh', '-c', 'cat; echo no >&2; exit 7'];
  const streams = { stdin: true, stdout: true, stderr: true, tty: false };
  await using session = await connections.exec(
    'n1',
    { ...targetIn(pod), command, ...streams },
    never(),
  );
  await session.writeStdin(Buffer.from('over and out'));
  session.closeStdin();
  const output: string[] = [];
  for await (const chunk of session.output)
    output.push(
      chunk.stream === 'exit'
        ? `exit ${chunk.exitCode}`
        : chunk.stream === 'error'
          ? chunk.message
          : `${chunk.stream}: ${Buffer.from(chunk.data).toString().trim()}`,
    );
  expect(output.sort()).toEqual(['exit 7', 'stderr: no', 'stdout: over and out']);
});

it('passes on what the agent refuses, and ends with whoever asked', async () => {
  await using _agent = await startAgent(first(), directory);
  const pod = await runningPod();
  const { connections } = second().nodes;
  const follow = { ...targetIn(pod), follow: true, previous: false, timestamps: false };
  const missing = { ...follow, podUid: 'another' };
  await expect(textOf(connections.logs('n1', missing, never()))).rejects.toMatchObject({
    reason: 'NotFound',
  });
  const stop = new AbortController();
  const chunks: string[] = [];
  for await (const chunk of connections.logs('n1', follow, stop.signal)) {
    chunks.push(Buffer.from(chunk).toString());
    stop.abort();
  }
  expect(chunks.join('')).toBe('hello\n');
});

it('asks no third server, and says which node cannot be reached', async () => {
  await using agent = await startAgent(first(), directory);
  const pod = await runningPod();
  const { connections } = second().nodes;
  // As while the rows of the registry are behind: each believes that the other has the node.
  const request = { ...targetIn(pod), follow: false, previous: false, timestamps: false };
  await agent.stop();
  await eventually(async () => !first().nodes.connections.isConnected('n1'));
  holders.set('n1', 'a');
  await expect(textOf(connections.logs('n1', request, never()))).rejects.toMatchObject({
    reason: 'ServiceUnavailable',
    message: 'node "n1" is not connected',
  });
  ports[0] = 1;
  await expect(textOf(connections.logs('n1', request, never()))).rejects.toMatchObject({
    reason: 'ServiceUnavailable',
    message: expect.stringContaining('the server of node "n1" (127.0.0.1) cannot be asked'),
  });
});

it('ends the session of a node that has connected to another server since', async () => {
  await using agent = await startAgent(first(), directory);
  await eventually(async () => agent.agent.isConnected);
  await eventually(async () => holders.get('n1') === 'a');
  lost.get('n1')?.();
  await eventually(async () => !agent.agent.isConnected);
  // It comes again, and is taken.
  await eventually(async () => agent.agent.isConnected);
});

const open = async (pair: KeyPairPem | undefined): Promise<RelayResponse | undefined> => {
  const { pki, port } = first();
  const client = new PeerServiceClient(
    `127.0.0.1:${port}`,
    credentials.createSsl(
      Buffer.from(pki.caCertificate),
      pair === undefined ? null : Buffer.from(pair.key),
      pair === undefined ? null : Buffer.from(pair.certificate),
    ),
    { 'grpc.ssl_target_name_override': 'kubernetes' },
  );
  try {
    const call = client.relay();
    const messages = messagesOf<RelayResponse>(call);
    const kind: OpenStream['kind'] = { $case: 'usage', value: {} };
    call.write({
      message: { $case: 'open', value: { nodeName: 'n1', stream: { streamId: '', kind } } },
    });
    const next = await messages.next();
    call.cancel();
    return next.done === true ? undefined : next.value;
  } finally {
    client.close();
  }
};

it('is asked by servers alone', async () => {
  await using _agent = await startAgent(first(), directory);
  await runningPod();
  const { pki } = first();
  const admin = await pki.issueClient('kubernetes-admin', 'system:masters');
  const node = await pki.issueClient('system:node:n1', 'system:nodes');
  const named = await pki.issueClient('dhow-server');
  // What somebody was let have who asked for the name of the servers.
  const { request, key } = await createRequest();
  const serving = await pki.signServingRequest(request, ['dhow-server'], 3_600_000);
  for (const pair of [undefined, admin, node, named, { certificate: serving, key }])
    await expect(open(pair)).rejects.toThrow(
      /a server's certificate of this cluster is required|UNAVAILABLE/,
    );
  expect((await open(pki.server))?.message?.$case).toBe('opened');
});
