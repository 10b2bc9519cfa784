import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ServerView } from '../../api/servers';
import type { ApiObject, Node, Pod } from '../../api/types';
import { parseJoinToken } from '../../lib/join-token';
import { parseJson, stringifyJson } from '../../lib/json';
import { eventually, podDraft, startAgent, type RunningAgent } from './support/agent-plane';
import { openBareEtcd, type BareEtcd } from './support/etcd';
import { startOwnServer, type OwnServer } from './support/own-server';

jest.setTimeout(300_000);

let etcd: BareEtcd;
let servers: OwnServer[];

beforeEach(async () => {
  servers = [];
  etcd = await openBareEtcd();
});

afterEach(async () => {
  for (const server of servers.reverse()) await server[Symbol.asyncDispose]();
  await etcd[Symbol.asyncDispose]();
});

const start = async (flags = ['--node-grace', '3600']): Promise<OwnServer> => {
  const [first] = servers;
  const server = await startOwnServer({
    flags: ['--etcd-endpoint', etcd.endpoint, ...flags],
    prepare: async (dataDir) => {
      if (first === undefined) return;
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      await cp(join(first.dataDir, 'pki'), join(dataDir, 'pki'), { recursive: true });
    },
  });
  servers.push(server);
  return server;
};

const leads = async (server: OwnServer): Promise<boolean> =>
  /^dhow_leader 1$/m.test((await server.ask('GET', '/metrics')).text);

const post = async (server: OwnServer, path: string, object: object): Promise<void> => {
  const { status, text } = await server.ask('POST', path, stringifyJson(object));
  if (status !== 201) throw new Error(`${path}: ${String(status)} ${text}`);
};

/** A node that nobody looks after: pods are bound to it, and stay Pending. */
const addNode = async (server: OwnServer, name: string): Promise<void> => {
  const amounts = { cpu: '64', memory: '64Gi', pods: '500' };
  await post(server, '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: {
      ...{ capacity: amounts, allocatable: amounts },
      conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '' }],
    },
  });
};

const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

const deploymentOf = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'app' }] },
    },
  },
});

const podsOf = async (server: OwnServer, app: string): Promise<readonly Pod[]> => {
  const { text } = await server.ask('GET', `${PODS}?labelSelector=app%3D${app}`);
  return (parseJson(text) as { readonly items: readonly Pod[] }).items;
};

/** All are there, none too many, and each is placed. */
const isPlaced = async (server: OwnServer, app: string, replicas: number): Promise<boolean> => {
  const pods = await podsOf(server, app);
  return pods.length === replicas && pods.every(({ spec }) => spec.nodeName !== undefined);
};

it('answers on each server what is written on another; one leads, and the next when it is killed', async () => {
  const first = await start();
  await eventually(() => leads(first));
  const second = await start();
  expect(await leads(second)).toBe(false);
  await addNode(first, 'node-1');
  await post(second, DEPLOYMENTS, deploymentOf('before', 3));
  await eventually(() => isPlaced(second, 'before', 3));
  await eventually(() => isPlaced(first, 'before', 3));
  // Only the leader has taken decisions; the other asks it.
  for (const server of [first, second]) {
    const { text } = await server.ask('GET', '/apis/scheduling.dhow.dev/v1/schedulingdecisions');
    expect((parseJson(text) as { readonly items: readonly unknown[] }).items).toHaveLength(3);
  }
  const rebalance = { apiVersion: 'scheduling.dhow.dev/v1', kind: 'RebalancePlan', spec: {} };
  const [planned, here] = await Promise.all(
    [second, first].map((server) =>
      server.ask('POST', '/apis/scheduling.dhow.dev/v1/rebalanceplans', stringifyJson(rebalance)),
    ),
  );
  expect([planned?.status, planned?.text]).toEqual([here?.status, here?.text]);
  expect(planned?.status).toBeLessThan(300);
  const missing = await second.ask(
    'GET',
    '/apis/scheduling.dhow.dev/v1/namespaces/default/podexplanations/nobody',
  );
  expect(missing.status).toBe(404);

  first.kill('SIGKILL');
  // While nobody leads yet, the API is answered all the same.
  await post(second, DEPLOYMENTS, deploymentOf('after', 3));
  await eventually(() => leads(second));
  await eventually(() => isPlaced(second, 'after', 3));
});

it('leaves a leader that slept longer than its lease nothing to write; it serves on and leads no more', async () => {
  const first = await start();
  await eventually(() => leads(first));
  const second = await start();
  await addNode(first, 'node-1');
  await post(first, DEPLOYMENTS, deploymentOf('before', 3));
  await eventually(() => isPlaced(second, 'before', 3));

  first.kill('SIGSTOP');
  await eventually(() => leads(second));
  await post(second, DEPLOYMENTS, deploymentOf('meanwhile', 5));
  await eventually(() => isPlaced(second, 'meanwhile', 5));
  const placed = await podsOf(second, 'meanwhile');
  first.kill('SIGCONT');
  await eventually(async () => !(await leads(first)));
  expect(first.exit()).toBeUndefined();

  await post(first, DEPLOYMENTS, deploymentOf('after', 4));
  await eventually(() => isPlaced(first, 'after', 4));
  expect(await leads(second)).toBe(true);
  const uidsOf = (pods: readonly ApiObject[]) => pods.map(({ metadata }) => metadata.uid).sort();
  expect(uidsOf(await podsOf(first, 'meanwhile'))).toEqual(uidsOf(placed));
});

const serversKnownTo = async (server: OwnServer): Promise<readonly ServerView[]> => {
  const { text } = await server.ask('GET', '/apis/cluster.dhow.dev/v1/servers');
  return (parseJson(text) as { readonly items: readonly ServerView[] }).items;
};

const logOf = async (server: OwnServer): Promise<string> =>
  (await server.ask('GET', `${PODS}/web/log`)).text;

/** What is there cannot be what another server said before. */
const isReady = async (server: OwnServer): Promise<boolean> => {
  const { text } = await server.ask('GET', '/api/v1/nodes/n1');
  const { conditions = [] } = (parseJson(text) as Node).status;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
};

/** Two servers, and an agent that is connected to the first and runs a pod. */
const withAgent = async (
  work: (of: { first: OwnServer; second: OwnServer; agent: RunningAgent }) => Promise<void>,
): Promise<void> => {
  const flags = ['--node-grace', '15', '--heartbeat', '1'];
  const first = await start(flags);
  await eventually(() => leads(first));
  const second = await start(flags);
  await eventually(async () => (await serversKnownTo(first)).length === 2);
  const directory = await mkdtemp(join(tmpdir(), 'dhow-agent-'));
  try {
    const token = (await readFile(join(first.dataDir, 'join-token'), 'utf8')).trim();
    const { agentsPort: port } = parseJoinToken(token);
    await using agent = await startAgent({ token, port }, directory);
    await eventually(async () => {
      const draft = stringifyJson(podDraft('web'));
      return (await second.ask('POST', PODS, draft)).status === 201;
    });
    for (const server of [first, second])
      await eventually(async () => (await logOf(server)) === 'hello\n');
    await work({ first, second, agent });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

const nodesAt = async (server: OwnServer): Promise<readonly number[]> =>
  (await serversKnownTo(server)).map(({ status }) => status.nodes);

it('reaches a node by way of any server, also when the one that it was connected to is killed', () =>
  withAgent(async ({ first, second, agent }) => {
    expect([...(await nodesAt(second))].sort()).toEqual([0, 1]);
    const sandboxes = agent.runtime.sandboxes().map(({ id }) => id);
    first.kill('SIGKILL');
    await eventually(async () => {
      // Through all of it.
      expect(await isReady(second)).toBe(true);
      return (await logOf(second)) === 'hello\n';
    });
    await eventually(async () => {
      expect(await isReady(second)).toBe(true);
      return (await leads(second)) && (await serversKnownTo(second)).length === 1;
    });
    const [view] = await serversKnownTo(second);
    expect(view?.status).toMatchObject({ leads: true, nodes: 1 });
    expect(agent.runtime.sandboxes().map(({ id }) => id)).toEqual(sandboxes);
    expect(agent.agent.isConnected).toBe(true);
  }));

it('leaves a server that says nothing any more, which then asks the other for the node', () =>
  withAgent(async ({ first, second }) => {
    first.kill('SIGSTOP');
    await eventually(async () => (await logOf(second)) === 'hello\n');
    expect(await isReady(second)).toBe(true);
    first.kill('SIGCONT');
    // It takes the node for its own no more.
    await eventually(async () => {
      const views = await serversKnownTo(first);
      return (
        views.length === 2 && views.every(({ status }) => status.nodes === (status.leads ? 1 : 0))
      );
    });
    await eventually(async () => (await logOf(first)) === 'hello\n');
    expect(await logOf(second)).toBe('hello\n');
  }));
