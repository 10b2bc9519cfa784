import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { ApiObject, Pod } from '../../api/types';
import { parseJson, stringifyJson } from '../../lib/json';
import { eventually } from './support/agent-plane';
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

const start = async (): Promise<OwnServer> => {
  const [first] = servers;
  const server = await startOwnServer({
    flags: ['--etcd-endpoint', etcd.endpoint, '--node-grace', '3600'],
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
  const { status, text } = await second.ask(
    'GET',
    '/apis/scheduling.dhow.dev/v1/schedulingdecisions',
  );
  expect([status, text]).toEqual([503, expect.stringContaining('another server leads')]);

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
