import { judgeNode } from './node-authorizer';
import { startTestServer, type TestServer } from '../testing';
import { AUTHENTICATED, NODES_GROUP, type User } from './user';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  await make('/api/v1/nodes', node('n1'));
  await make('/api/v1/nodes', node('n2'));
  for (const [name, nodeName, account] of [
    ['mine', 'n1', 'mine'],
    ['other', 'n2', 'other'],
  ] as const) {
    await make(`${CORE}/serviceaccounts`, meta('v1', 'ServiceAccount', name));
    await make(`${CORE}/secrets`, meta('v1', 'Secret', name));
    await make(`${CORE}/pods`, pod(name, nodeName, account));
  }
  // The authorizer looks at the cache.
  await server.request('GET', `${CORE}/pods`);
});
afterEach(() => server[Symbol.asyncDispose]());

const CORE = '/api/v1/namespaces/default';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces';
const NODE: User = { name: 'system:node:n1', groups: [NODES_GROUP, AUTHENTICATED] };
const MERGE = { 'content-type': 'application/merge-patch+json' };

const meta = (apiVersion: string, kind: string, name: string) => ({
  apiVersion,
  kind,
  metadata: { name },
});
const node = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  ...meta('v1', 'Node', name),
  metadata: { name, labels },
});
const lease = (name: string) => meta('coordination.k8s.io/v1', 'Lease', name);
const pod = (name: string, nodeName: string, serviceAccountName: string) => ({
  ...meta('v1', 'Pod', name),
  spec: {
    nodeName,
    serviceAccountName,
    containers: [{ name: 'c', image: 'x', envFrom: [{ secretRef: { name } }] }],
  },
});
const make = async (path: string, body: object) =>
  expect((await server.request('POST', path, body)).status).toBe(201);
const ask = (method: string, path: string, body?: unknown) =>
  server.request(method, path, body, { user: NODE, headers: method === 'PATCH' ? MERGE : {} });

it.each<[string, string, string, unknown, number]>([
  ['read itself', 'GET', '/api/v1/nodes/n1', undefined, 200],
  ['not read another', 'GET', '/api/v1/nodes/n2', undefined, 403],
  ['not read all nodes', 'GET', '/api/v1/nodes', undefined, 403],
  ['watch itself', 'GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dn1', undefined, 200],
  ['not make another', 'POST', '/api/v1/nodes', node('n3'), 403],
  [
    'not make one whose name begins as its own',
    'POST',
    '/api/v1/nodes',
    { apiVersion: 'v1', kind: 'Node', metadata: { generateName: 'n1' } },
    403,
  ],
  ['not write another', 'PATCH', '/api/v1/nodes/n2', { metadata: { labels: { a: 'b' } } }, 403],
  ['not apply another', 'PATCH', '/api/v1/nodes/n3', node('n3'), 403],
  ['label itself', 'PATCH', '/api/v1/nodes/n1', { metadata: { labels: { 'a.b/c': 'd' } } }, 200],
  ['make its lease', 'POST', `${LEASES}/kube-node-lease/leases`, lease('n1'), 201],
  ['make its lease by PUT', 'PUT', `${LEASES}/kube-node-lease/leases/n1`, lease('n1'), 201],
  ['not make another lease', 'POST', `${LEASES}/kube-node-lease/leases`, lease('n2'), 403],
  ['not make a lease elsewhere', 'POST', `${LEASES}/kube-system/leases`, lease('n1'), 403],
  ['not make a lease there by PUT', 'PUT', `${LEASES}/kube-system/leases/n1`, lease('n1'), 403],
  ['not read leases elsewhere', 'GET', `${LEASES}/kube-system/leases/n1`, undefined, 403],
  ['read its secret', 'GET', `${CORE}/secrets/mine`, undefined, 200],
  ['not read another secret', 'GET', `${CORE}/secrets/other`, undefined, 403],
  [
    'not list secrets of a name',
    'GET',
    `${CORE}/secrets?fieldSelector=metadata.name%3Dmine`,
    undefined,
    403,
  ],
  ['read its account', 'GET', `${CORE}/serviceaccounts/mine`, undefined, 200],
  ['not read another account', 'GET', `${CORE}/serviceaccounts/other`, undefined, 403],
  ['read its pod', 'GET', `${CORE}/pods/mine`, undefined, 200],
  ['not read another pod', 'GET', `${CORE}/pods/other`, undefined, 403],
  [
    'not list pods of another',
    'GET',
    '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2',
    undefined,
    403,
  ],
  ['not patch its pod', 'PATCH', `${CORE}/pods/mine`, { metadata: { labels: { a: 'b' } } }, 403],
  ['not evict another pod', 'POST', `${CORE}/pods/other/eviction`, {}, 403],
  ['not delete all pods', 'DELETE', `${CORE}/pods`, undefined, 403],
  ['not bind', 'POST', `${CORE}/pods/mine/binding`, { target: { name: 'n1' } }, 403],
  ['not make a pod', 'POST', `${CORE}/pods`, pod('new', 'n1', 'mine'), 403],
])('a node may %s', async (_title, method, path, body, status) => {
  const answer = await ask(method, path, body);
  expect([answer.status, answer.json?.message]).toEqual([status, answer.json?.message]);
});

describe('a node changes itself', () => {
  it.each([
    ['node-restriction.kubernetes.io/tier', false],
    ['a.node-restriction.kubernetes.io/tier', false],
    ['node-role.kubernetes.io/control-plane', false],
    ['kubernetes.io/any', false],
    ['x.k8s.io/any', false],
    ['k8s.io/any', false],
    ['a.kubelet.kubernetes.io/b', true],
    ['node.kubernetes.io/instance-type', true],
    ['topology.kubernetes.io/zone', true],
    ['kubernetes.io/hostname', true],
    ['notkubernetes.io/any', true],
    ['plain', true],
  ])('by the label %s: %s', async (key, isAllowed) => {
    const set = await ask('PATCH', '/api/v1/nodes/n1', { metadata: { labels: { [key]: 'x' } } });
    expect(set.status).toBe(isAllowed ? 200 : 403);
    if (isAllowed) return;
    expect(set.json.message).toBe(
      `nodes "n1" is forbidden: is not allowed to modify labels: ${key}`,
    );
    await server.request(
      'PATCH',
      '/api/v1/nodes/n1',
      { metadata: { labels: { [key]: 'x' } } },
      {
        headers: MERGE,
      },
    );
    // Nor may it take one away that an administrator gave.
    const gone = await ask('PATCH', '/api/v1/nodes/n1', { metadata: { labels: { [key]: null } } });
    expect(gone.status).toBe(403);
    const status = await ask('PATCH', '/api/v1/nodes/n1/status', {
      metadata: { labels: { [key]: 'y' } },
    });
    expect(status.status).toBe(403);
    await server.request('DELETE', '/api/v1/nodes/n1');
    expect((await ask('POST', '/api/v1/nodes', node('n1', { [key]: 'x' }))).status).toBe(403);
  });

  it.each([
    ['taints', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
    [
      'ownerReferences',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'u' }] } },
    ],
  ])('never by its %s', async (field, body) => {
    const { status, json } = await ask('PATCH', '/api/v1/nodes/n1', body);
    expect([status, json.message]).toEqual([
      403,
      `nodes "n1" is forbidden: node "n1" is not allowed to modify ${field}`,
    ]);
  });

  it('never by what says who may act as it', async () => {
    const annotations = { 'dhow.dev/node-identity': '{}' };
    expect((await ask('PATCH', '/api/v1/nodes/n1', { metadata: { annotations } })).status).toBe(
      403,
    );
    const status = await ask('PATCH', '/api/v1/nodes/n1/status', { metadata: { annotations } });
    expect(status.status).toBe(403);
  });
});

it.each(['labels', 'annotations'])('a pod’s status carries no %s of a node', async (field) => {
  const path = `${CORE}/pods/mine/status`;
  const { status, json } = await ask('PATCH', path, {
    metadata: { [field]: { app: 'bank' } },
    status: { phase: 'Running' },
  });
  expect([status, json.message]).toEqual([
    403,
    `pods "mine" is forbidden: node "n1" cannot update ${field} through pod status`,
  ]);
  const spec = { activeDeadlineSeconds: 1 };
  const written = await ask('PATCH', path, { spec, status: { phase: 'Running' } });
  expect([written.status, written.json.spec.activeDeadlineSeconds]).toEqual([200, undefined]);
});

describe('a token for an account', () => {
  const token = async (account: string, podName?: string) => {
    const { json } = await server.request('GET', `${CORE}/pods/${podName ?? ''}`);
    const { uid } = json.metadata;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: podName, uid };
    return ask('POST', `${CORE}/serviceaccounts/${account}/token`, {
      spec: podName === undefined ? {} : { boundObjectRef },
    });
  };

  it('is for a node to have only bound to its own pod', async () => {
    expect((await token('mine', 'mine')).status).toBe(201);
    expect((await token('mine')).status).toBe(403);
    expect((await token('mine', 'other')).status).toBe(403);
    expect((await token('other', 'mine')).status).toBe(403);
  });

  it('is bound to pods of that account only', async () => {
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'other' };
    const { status, json } = await server.request('POST', `${CORE}/serviceaccounts/mine/token`, {
      spec: { boundObjectRef },
    });
    expect([status, json.message]).toEqual([
      400,
      'cannot bind token for serviceaccount "mine" to pod running with different serviceaccount name.',
    ]);
  });
});

it('may not touch kinds that are called as what every object has', async () => {
  const { status } = await server.request('GET', '/apis/example.com/v1/constructor', undefined, {
    user: NODE,
  });
  expect(status).not.toBe(500);
  expect(() =>
    judgeNode(
      'n1',
      {
        verb: 'list',
        group: '',
        resource: 'constructor',
        subresource: '',
        namespace: '',
        name: '',
      },
      { pod: () => undefined, podsIn: () => [] },
    ),
  ).not.toThrow();
});
