import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import { startTestServer, type TestServer } from '../testing';

const NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
const SUMMARY = '/api/v1/nodes/n1/proxy/stats/summary';

let server: TestServer;
let answer: NodeConnections['usage'];

const says = (text: string) => async () => ({
  ...{ clockId: 'one', monotonicMs: 1, summary: Buffer.from(text) },
});

beforeEach(async () => {
  answer = says('{"node":{"cpu":{"usageCoreNanoSeconds":9007199254740993}}}');
  server = await startTestServer({ nodes: { usage: (...args) => answer(...args) } });
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

it('says why the node does not answer', async () => {
  answer = () => Promise.reject(new ApiError('ServiceUnavailable', 'node "n1" is not connected'));
  expect((await server.request('GET', SUMMARY)).json).toMatchObject({
    ...{ code: 503, message: 'node "n1" is not connected' },
  });
});

it.each([
  ['GET', '/api/v1/nodes/n2/proxy/stats/summary', 404],
  ['GET', '/api/v1/nodes/n1/proxy/metrics', 404],
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
  await server.request('PUT', `${roles}/reader`, role(['nodes/proxy']));
  expect(await ask()).toBe(200);
});
