import { type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Node } from '../../api/types';
import { endAgent, takeOver } from './support/agent-takeover';
import { podYaml, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

const NAME = 'e2e-cni';
const NODES = ['node-1', 'node-2'];

let before: readonly string[];
let cluster: TestCluster;
const agents = new Map<string, ChildProcess>();
const folder = mkdtempSync(join(tmpdir(), 'e2e-cni-'));

const configure = (node: string, plugins: readonly object[]): void =>
  writeFileSync(
    join(folder, node, '10-net.conflist'),
    JSON.stringify({ cniVersion: '1.0.0', name: `net-${node}`, plugins }),
  );

const BRIDGE = {
  ...{ type: 'bridge', bridge: 'cni0', isGateway: true, capabilities: { ipRanges: true } },
  ipam: {
    ...{ type: 'host-local', dataDir: join(folder, 'leases') },
    routes: [{ dst: '0.0.0.0/0' }],
  },
};
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };

const leased = (node: string): readonly string[] => {
  try {
    return readdirSync(join(folder, 'leases', `net-${node}`)).filter((name) => /^\d/.test(name));
  } catch {
    return [];
  }
};

const restart = async (node: string): Promise<void> => {
  const flags = ['--network-plugin', 'cni', '--cni-conf-dir', join(folder, node)];
  const pid = agents.get(node)?.pid ?? cluster.pid(node);
  agents.set(node, await takeOver(cluster, pid, /^--(network-plugin|cni)/, flags));
};

beforeAll(async () => {
  before = sharedState();
  cluster = await TestCluster.start(NAME, { nodes: 2 });
  for (const node of NODES) {
    mkdirSync(join(folder, node));
    configure(node, [BRIDGE, PORTMAP]);
    await restart(node);
  }
});
afterEach(() => cluster.clear());
afterAll(async () => {
  for (const agent of agents.values()) await endAgent(agent);
  await cluster[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  expect(leftBehind(NAME, before)).toEqual([]);
});

const server = (name: string, node: string, container: object = {}) =>
  podYaml(
    name,
    ['sh', '-c', `mkdir /w && echo ${name} > /w/index.html && exec httpd -f -p 8080 -h /w`],
    { ports: [{ containerPort: 8080 }], ...container },
    { nodeName: node },
  );

const fetched = (client: string, url: string): Promise<string> =>
  cluster.untilSaid(/\S/, () => cluster.wget(client, url, 5));

it('connects pods by plugins: on a node, across nodes, by a Service’s name and by a host port', async () => {
  await cluster.apply(
    server('web', 'node-1', { ports: [{ containerPort: 8080, hostPort: 8088 }] }),
  );
  for (const [at, node] of NODES.entries())
    await cluster.apply(podYaml(`client-${at}`, ['sleep', '1000000'], {}, { nodeName: node }));
  await cluster.must('expose', 'pod', 'web', '--port', '80', '--target-port', '8080');
  const { status } = await cluster.podIsReady('web');
  expect(leased('node-1')).toContain(status.podIP);
  expect(status.podIPs).toEqual([{ ip: status.podIP }]);
  for (const client of ['client-0', 'client-1']) {
    await cluster.podIsReady(client);
    expect(await fetched(client, `http://${status.podIP ?? ''}:8080`)).toBe('web\n');
    expect(await fetched(client, 'http://web')).toBe('web\n');
  }
  expect(await fetched('client-1', `http://${status.hostIP ?? ''}:8088`)).toBe('web\n');

  await restart('node-1');
  await cluster.apply(podYaml('later', ['sleep', '1000000'], {}, { nodeName: 'node-1' }));
  await cluster.podIsReady('later');
  expect(await fetched('later', 'http://web')).toBe('web\n');
  expect((await cluster.pod('web'))?.status.podIP).toBe(status.podIP);

  await cluster.clear();
  for (const node of NODES) expect(leased(node)).toEqual([]);
});

it('says in the pod’s events what a plugin has said, and goes on once it is mended', async () => {
  configure('node-1', [BRIDGE, { type: 'bandwidth', ingressRate: -1 }]);
  await cluster.apply(server('late', 'node-1'));
  await cluster.until('the event', async () => {
    const said = await cluster.must('get', 'events', '-o', 'yaml');
    return (
      said.includes('reason: FailedCreatePodSandBox') &&
      said.includes('plugin type="bandwidth" name="net-node-1" failed (add)') &&
      said.includes('(code ')
    );
  });
  configure('node-1', [BRIDGE, PORTMAP]);
  await cluster.podIsReady('late');
  expect(leased('node-1')).toHaveLength(1);
});

it('is not ready while it has no network', async () => {
  rmSync(join(folder, 'node-2', '10-net.conflist'));
  const message = async () => {
    const { status } = (await cluster.object('node', 'node-2')) as Node;
    const { conditions = [] } = status;
    const ready = conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'False' ? ready.message : undefined;
  };
  expect(await cluster.until('the node to say so', message)).toContain(
    'cni plugin not initialized',
  );
  configure('node-2', [BRIDGE, PORTMAP]);
  await cluster.until('the node to be well', async () => (await message()) === undefined);
});
