import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import { startTestServer, type TestServer } from '../testing';

const NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
const SUMMARY = '/api/v1/nodes/n1/proxy/stats/summary';
const METRICS = '/api/v1/nodes/n1/proxy/metrics';

let server: TestServer;
let answer: NodeConnections['usage'];
let metrics: NodeConnections['metrics'];

const says = (text: string) => async () => ({
  ...{ clockId: 'one', monotonicMs: 1, summary: Buffer.from(text) },
});

beforeEach(async () => {
  answer = says('{"node":{"cpu":{"usageCoreNanoSeconds":9007199254740993}}}');
  server = await startTestServer({
    nodes: {
      usage: (...args) => answer(...args),
      metrics: (...args) => metrics(...args),
    },
  });
  await server.request('POST', '/api/v1/nodes', NODE);
});

afterEach(() => server[Symbol.asyncDispose]());

it('answers what the node says of its usage, digit for digit', async () => {
  const { status, headers, text } = await server.request('GET', SUMMARY);
  expect({ status, type: headers['content-type'] }).toEqual({
    status: 200,
    type: 'application/json',
  });
  expect(text).toBe('{"node":{"cpu":{"usageCoreNanoSeconds":9007199254740993}}}');
});

it.each(['', 'no JSON', '[1]', '{"a":1'])('passes on nothing but an object: %j', async (text) => {
  answer = says(text);
  const response = await server.request('GET', SUMMARY);
  expect(response.json).toMatchObject({ code: 500, message: 'the node answers no summary' });
});

it.each(['metrics', 'metrics/cadvisor', 'metrics/resource'])(
  'answers %s as the text that the node says, whatever it is',
  async (path) => {
    const asked: unknown[] = [];
    metrics = async (...args) => {
      asked.push(args.slice(0, 2));
      return Buffer.from('<b>\u0000up 1\n');
    };
    const { status, headers, text } = await server.request('GET', `/api/v1/nodes/n1/proxy/${path}`);
    expect([status, text, asked]).toEqual([200, '<b>\u0000up 1\n', [['n1', path]]]);
    expect(headers).toMatchObject({
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
  },
);

it('says why the node does not answer', async () => {
  const away = () =>
    Promise.reject(new ApiError('ServiceUnavailable', 'node "n1" is not connected'));
  [answer, metrics] = [away, away];
  for (const path of [SUMMARY, METRICS])
    expect((await server.request('GET', path)).json).toMatchObject({
      ...{ code: 503, message: 'node "n1" is not connected' },
    });
});

it.each([
  ['GET', '/api/v1/nodes/n2/proxy/stats/summary', 404],
  ['GET', '/api/v1/nodes/n2/proxy/metrics', 404],
  ['GET', '/api/v1/nodes/n1/proxy/metrics/probes', 404],
  ['POST', '/api/v1/nodes/n1/proxy/metrics', 405],
  ['GET', '/api/v1/nodes/n1/proxy/stats/summary/more', 404],
  ['GET', '/api/v1/nodes/n1/proxy', 404],
  ['POST', SUMMARY, 405],
  ['GET', '/api/v1/namespaces/default/pods/a/proxy/stats/summary', 404],
])('serves nothing else: %s %s', async (method, path, status) => {
  expect((await server.request(method, path)).status).toBe(status);
});

it('is for those who may proxy to nodes', async () => {
  const user = { name: 'ann', groups: ['system:authenticated'] };
  const refused = await server.request('GET', SUMMARY, undefined, { user });
  expect(refused.json.message).toBe(
    'nodes "n1" is forbidden: User "ann" cannot get resource "nodes/proxy" in API group "" at the cluster scope',
  );
  const role = (resources: readonly string[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'reader' },
    rules: [{ apiGroups: [''], resources, verbs: ['get'] }],
  });
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  await server.request('POST', roles, role(['nodes']));
  await server.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
  });
  const ask = async () => (await server.request('GET', SUMMARY, undefined, { user })).status;
  expect(await ask()).toBe(403);
  // That is for who asks a kubelet itself: it is the server that asks here.
  await server.request('PUT', `${roles}/reader`, role(['nodes/metrics', 'nodes/stats']));
  expect(await ask()).toBe(403);
  expect((await server.request('GET', METRICS, undefined, { user })).status).toBe(403);
  await server.request('PUT', `${roles}/reader`, role(['nodes/proxy']));
  expect(await ask()).toBe(200);
  metrics = async () => Buffer.from('up 1\n');
  expect((await server.request('GET', METRICS, undefined, { user })).status).toBe(200);
});
