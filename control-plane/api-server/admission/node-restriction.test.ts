import { AUTHENTICATED, MASTERS, NODES_GROUP, type User } from '../auth/user';
import { startTestServer, type TestServer } from '../testing';

/** Roles let it do anything: what stops it is admission. */
const NODE: User = { name: 'system:node:n1', groups: [NODES_GROUP, MASTERS, AUTHENTICATED] };
const CORE = '/api/v1/namespaces/default';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces';
const MERGE = { 'content-type': 'application/merge-patch+json' };

let server: TestServer;
const make = async (path: string, body: object) =>
  expect((await server.request('POST', path, body)).status).toBe(201);
const meta = (apiVersion: string, kind: string, metadata: object) => ({
  apiVersion,
  kind,
  metadata,
});
const pod = (name: string, nodeName: string) => ({
  ...meta('v1', 'Pod', { name }),
  spec: { nodeName, containers: [{ name: 'c', image: 'x' }] },
});
const eviction = (name: string) => meta('policy/v1', 'Eviction', { name });
const lease = (name: string) => meta('coordination.k8s.io/v1', 'Lease', { name });

beforeEach(async () => {
  server = await startTestServer();
  for (const name of ['n1', 'n2']) {
    await make('/api/v1/nodes', meta('v1', 'Node', { name }));
    await make(`${LEASES}/kube-node-lease/leases`, lease(name));
  }
  await make(`${CORE}/pods`, pod('mine', 'n1'));
  await make(`${CORE}/pods`, pod('other', 'n2'));
  await server.request('GET', `${CORE}/pods`);
});
afterEach(() => server[Symbol.asyncDispose]());

type Row = readonly [string, string, unknown, string];

const OTHER_NODE = 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"';
const OTHER_LEASE = 'can only access node lease with the same name as the requesting node';
const ELSEWHERE = 'can only access leases in the "kube-node-lease" system namespace';
const STATUS_ONLY = 'node "n1" can only update the status of pods';

/** Method, path, body; `''` where there is nothing against it, or why it is refused. */
const ROWS: readonly Row[] = [
  ['POST', '/api/v1/nodes', meta('v1', 'Node', { name: 'n3' }), 'not allowed to modify node "n3"'],
  ['POST', '/api/v1/nodes', meta('v1', 'Node', { generateName: 'n1' }), 'to modify node ""'],
  ['PATCH', '/api/v1/nodes/n1', { metadata: { labels: { a: 'b' } } }, ''],
  ['PATCH', '/api/v1/nodes/n2', { metadata: { labels: { a: 'b' } } }, OTHER_NODE],
  ['PATCH', '/api/v1/nodes/n2/status', { status: { phase: 'x' } }, OTHER_NODE],
  ['DELETE', '/api/v1/nodes/n2', undefined, OTHER_NODE],
  ['DELETE', '/api/v1/nodes/n1', undefined, ''],
  ['DELETE', '/api/v1/nodes', undefined, OTHER_NODE],
  ['POST', `${CORE}/pods`, pod('new', 'n1'), STATUS_ONLY],
  ['PATCH', `${CORE}/pods/mine`, { metadata: { labels: { a: 'b' } } }, STATUS_ONLY],
  ['PATCH', `${CORE}/pods/mine/status`, { status: { phase: 'Running' } }, ''],
  ['PATCH', `${CORE}/pods/other/status`, { status: { phase: 'Running' } }, 'can only update pod'],
  ['DELETE', `${CORE}/pods/mine`, undefined, ''],
  [
    'DELETE',
    `${CORE}/pods/other`,
    undefined,
    'pods "other" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself',
  ],
  ['DELETE', `${CORE}/pods/other?dryRun=All`, undefined, 'can only delete pods'],
  ['DELETE', `${CORE}/pods`, undefined, 'pods "other" is forbidden: node "n1" can only delete'],
  ['POST', `${CORE}/pods/mine/eviction`, eviction('mine'), ''],
  [
    'POST',
    `${CORE}/pods/other/eviction`,
    eviction('other'),
    'pods "other" is forbidden: node n1 can only evict pods with spec.nodeName set to itself',
  ],
  [
    'POST',
    `${CORE}/pods/mine/binding`,
    { target: { name: 'n1' } },
    `unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
  ],
  ['POST', `${LEASES}/default/leases`, lease('n1'), ELSEWHERE],
  ['PUT', `${LEASES}/kube-node-lease/leases/n1`, lease('n1'), ''],
  ['PUT', `${LEASES}/kube-node-lease/leases/n2`, lease('n2'), OTHER_LEASE],
  ['DELETE', `${LEASES}/kube-node-lease/leases/n1`, undefined, ''],
  ['DELETE', `${LEASES}/kube-node-lease/leases/n2`, undefined, OTHER_LEASE],
];

it.each(ROWS)('holds a node to what is its own: %s %s %j', async (method, path, body, why) => {
  const headers = method === 'PATCH' ? MERGE : {};
  const { status, json } = await server.request(method, path, body, { user: NODE, headers });
  if (why === '') {
    expect(status).toBe(method === 'POST' ? 201 : 200);
    return;
  }
  expect([status, json.message]).toEqual([403, expect.stringContaining(why)]);
});

describe('a token of an account', () => {
  const token = async (reference?: object) => {
    const spec = reference === undefined ? {} : { boundObjectRef: reference };
    const path = `${CORE}/serviceaccounts/default/token`;
    const { status, json } = await server.request('POST', path, { spec }, { user: NODE });
    return [status, json.message];
  };
  const refused = (why: string) => [403, `serviceaccounts "default" is forbidden: ${why}`];
  const bound = async (name: string, more: object = {}) => {
    const { json } = await server.request('GET', `${CORE}/pods/${name}`);
    return { apiVersion: 'v1', kind: 'Pod', name, uid: json.metadata.uid, ...more };
  };

  beforeEach(() =>
    make(`${CORE}/serviceaccounts`, meta('v1', 'ServiceAccount', { name: 'default' })),
  );

  it('is for a node to have only while a pod of its own is there', async () => {
    expect(await token(await bound('mine'))).toEqual([201, undefined]);
    const unbound = refused('node requested token not bound to a pod');
    expect(await token()).toEqual(unbound);
    expect(await token({ apiVersion: 'v1', kind: 'Secret', name: 'a', uid: 'u' })).toEqual(unbound);
    expect(await token(await bound('other'))).toEqual(
      refused('node requested token bound to a pod scheduled on a different node'),
    );
  });

  it('is of that very pod', async () => {
    expect(await token(await bound('mine', { uid: undefined }))).toEqual(
      refused('node requested token with a pod binding without a uid'),
    );
    const [, message] = await token(await bound('mine', { uid: 'u' }));
    expect(message).toContain('the UID in the bound object reference (u) does not match');
    expect(await token(await bound('mine', { name: 'gone' }))).toEqual([
      404,
      'pods "gone" not found',
    ]);
  });
});
