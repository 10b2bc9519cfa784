import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LEASES, NODES, PODS, SECRETS } from '../../api/resources';
import { systemClock } from '../../lib/clock';
import { parseJson } from '../../lib/json';
import { silentLog, type LogFields } from '../../lib/log';
import { FakeContainerRuntime } from '../../runtime/containers';
import { eventually, podDraft, startAgent, startPlane, type Plane } from './support/agent-plane';

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

  it('tells what the node and its containers have used', async () => {
    await using _agent = await startAgent(plane, directory);
    await createPod(podDraft('web'));
    await running('web');
    const { signal } = new AbortController();
    const { clockId, monotonicMs, summary } = await plane.nodes.connections.usage('n1', signal);
    expect(clockId).not.toBe('');
    expect(monotonicMs).toBeGreaterThan(0);
    expect(parseJson(summary)).toMatchObject({
      node: { nodeName: 'n1', cpu: { usageCoreNanoSeconds: 10_000_000 } },
      pods: [
        {
          podRef: { namespace: 'default', name: 'web' },
          containers: [{ name: 'web', memory: { workingSetBytes: 1 << 20 } }],
        },
      ],
    });
    await expect(plane.nodes.connections.usage('n2', signal)).rejects.toMatchObject({
      reason: 'ServiceUnavailable',
    });
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
    expect(pod.status.podIP).toBe(agent.network.attachments()[0]?.ips[0]);
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

  it('says in a condition of the node that its clock is off, and when it is right again', async () => {
    let aheadMs = 90_000;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    await using _agent = await startAgent(plane, directory, { clock });
    const conditionIs = (status: string) =>
      eventually(async () => {
        const { items } = await plane.client.list(NODES);
        const found = items[0]?.status.conditions?.find(({ type }) => type === 'ClockSkewed');
        return found?.status === status ? found : undefined;
      });
    const { reason, message } = await conditionIs('True');
    expect(reason).toBe('ClockIsOff');
    expect(message).toMatch(
      /^the clock of this node is 90 s ahead of the server's, measured to with/,
    );
    aheadMs = 0;
    expect(await conditionIs('False')).toMatchObject({
      message: "the clock of this node is within 5 s of the server's",
    });
    aheadMs = -20_000;
    expect((await conditionIs('True')).message).toContain("is 20 s behind the server's");
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

  const targetOf = async (name: string) => {
    const pod = await running(name);
    return { namespace: 'default', podName: name, podUid: pod.metadata.uid!, container: 'web' };
  };

  it('ends a followed log with an error when the agent goes, and with none at the end', async () => {
    const runtime = new FakeContainerRuntime();
    const agent = await startAgent(plane, directory, { runtime });
    await createPod(podDraft('web'));
    const request = { ...(await targetOf('web')), previous: false, timestamps: false };
    const { signal } = new AbortController();
    const follow = () =>
      plane.nodes.connections
        .logs('n1', { ...request, follow: true }, signal)
        [Symbol.asyncIterator]();
    const [broken, whole] = [follow(), follow()];
    expect(Buffer.from((await broken.next()).value as Uint8Array).toString()).toBe('hello\n');
    await whole.next();
    await agent.stop();
    await expect(broken.next()).rejects.toThrow('the connection to the node broke');
    await expect(whole.next()).rejects.toThrow('the connection to the node broke');
    await using _again = await startAgent(plane, directory, { runtime });
    await eventually(async () => plane.nodes.connections.isConnected('n1'));
    const ended = follow();
    await ended.next();
    await runtime.exitContainer(runtime.containers()[0]!.id, 0);
    expect((await ended.next()).done).toBe(true);
  });

  it('says of an attached client that it has seen all, whatever the exit code', async () => {
    const runtime = new FakeContainerRuntime();
    await using _agent = await startAgent(plane, directory, { runtime });
    await createPod(podDraft('web'));
    const target = await targetOf('web');
    const streams = { stdin: false, stdout: true, stderr: true, tty: false };
    const { signal } = new AbortController();
    await using session = await plane.nodes.connections.exec(
      'n1',
      { ...target, ...streams },
      signal,
    );
    const output = session.output[Symbol.asyncIterator]();
    await eventually(async () => runtime.calls.some((call) => call.startsWith('attach')));
    await runtime.exitContainer(runtime.containers()[0]!.id, 3);
    expect(await output.next()).toEqual({ done: false, value: { stream: 'exit', exitCode: 0 } });
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
      const reasons: unknown[] = [];
      const log = { ...silentLog, warn: ({ reason }: LogFields) => void reasons.push(reason) };
      await using twin = await startAgent(plane, other, { name: 'n2', log });
      await eventually(async () => reasons.length > 0);
      expect(String(reasons[0])).toContain(
        'node "n2" has the address 192.0.2.1, which node "n1" has already',
      );
      expect(twin.agent.isConnected).toBe(false);
      expect(plane.nodes.connections.isConnected('n2')).toBe(false);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('tells each node what size of packets the others take, also when that changes', async () => {
    await using a = await startAgent(plane, directory);
    const other = await mkdtemp(join(tmpdir(), 'dhow-nodes-other-'));
    try {
      await using b = await startAgent(plane, other, { name: 'n2', nodeIp: '192.0.2.2' });
      const knows = (mtu: number) =>
        eventually(async () => a.network.peers().some((peer) => peer.mtu === mtu));
      await knows(1500);
      b.network.mtu = 1320;
      await knows(1320);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('tells each node under which keys the others encrypt, and none that another has', async () => {
    const key = (n: number) => Buffer.alloc(32, n).toString('base64');
    const wireguard = { publicKey: key(1), port: 51_820 };
    await using a = await startAgent(plane, directory, { wireguard });
    const other = await mkdtemp(join(tmpdir(), 'dhow-nodes-other-'));
    const second = { name: 'n2', nodeIp: '192.0.2.2' };
    const annotationOf = async (name: string) =>
      (await plane.client.get(NODES, { namespace: '', name })).metadata.annotations?.[
        'dhow.dev/wireguard'
      ];
    const says = (name: string, text: string) =>
      eventually(async () => (await annotationOf(name)) === text);
    try {
      await says('n1', `${key(1)}:51820`);
      const thief = await startAgent(plane, other, { ...second, wireguard });
      await says('n2', 'none');
      await eventually(async () => thief.network.peers().some((peer) => peer.wireguard));
      expect(thief.network.peers()[0]?.wireguard).toEqual(wireguard);
      await thief.stop();
      const own = { publicKey: key(2), port: 7 };
      await using _honest = await startAgent(plane, other, { ...second, wireguard: own });
      await says('n2', `${key(2)}:7`);
      await eventually(async () => a.network.peers()[0]?.wireguard?.port === 7);
      expect(a.network.peers()[0]?.wireguard).toEqual(own);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('shows how a node reaches the others', async () => {
    await using a = await startAgent(plane, directory);
    const says = (text: string) =>
      eventually(async () => {
        const { metadata } = await plane.client.get(NODES, { namespace: '', name: 'n1' });
        return metadata.annotations?.['dhow.dev/peer-ways'] === text;
      });
    await says('no peers');
    a.network.peerWays = [
      { nodeName: 'n2', way: 'wireguard' },
      { nodeName: 'n3', way: 'none', why: 'it has no key' },
    ];
    await says('wireguard; none: n3 (it has no key)');
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
    const runtime = new FakeContainerRuntime();
    await using _agent = await startAgent(plane, directory, { runtime });
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
    const [state] = runtime.containers();
    expect(runtime.specOf(state!.id).process.env).toContain('KEY=used');
  });
});
