import { ApiError } from '../../../api/errors';
import type { NodeConnections } from '../../../client/node-connections';
import { startTestServer, type TestServer } from '../testing';

const PODS = '/api/v1/namespaces/default/pods';
const podOn = (nodeName: string | undefined) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } },
  spec: { containers: [{ name: 'app', image: 'app:1' }], ...(nodeName && { nodeName }) },
});

const FACTS = {
  ...{ name: 'app', pid: 7, oomScoreAdj: 0 },
  namespaces: [{ type: 'net', id: '1', isHost: false }],
  userMappings: { uid: [], gid: [] },
  identity: {
    ...{ uid: 0, gid: 0, groups: [], noNewPrivileges: false },
    ...{ seccomp: 'filter', seccompFilters: 1 },
    capabilities: { effective: [], permitted: [], bounding: [], ambient: [] },
  },
  ...{ cgroups: [], mounts: [] },
};

let server: TestServer;
let answer: NodeConnections['isolation'];

beforeEach(async () => {
  answer = async () => Buffer.from(JSON.stringify({ containers: [FACTS] }));
  server = await startTestServer({ nodes: { isolation: (...args) => answer(...args) } });
});
afterEach(() => server[Symbol.asyncDispose]());

it('answers what the node of the pod reports, of this pod', async () => {
  const { json } = await server.request('POST', PODS, podOn('n1'));
  const { uid } = (json as { metadata: { uid: string } }).metadata;
  const asked: unknown[] = [];
  answer = async (node, target) => {
    asked.push(node, target);
    return Buffer.from(JSON.stringify({ containers: [{ ...FACTS, unknown: 1 }] }));
  };
  const response = await server.request('GET', `${PODS}/web/isolation`);
  expect(asked).toEqual(['n1', { namespace: 'default', podName: 'web', podUid: uid }]);
  expect(response.json).toEqual({
    apiVersion: 'isolation.dhow.dev/v1',
    kind: 'PodIsolation',
    metadata: { name: 'web', namespace: 'default', uid },
    nodeName: 'n1',
    containers: [FACTS],
  });
});

it.each([
  'no JSON',
  '{}',
  '{"containers":[{"name":"app"}]}',
  JSON.stringify({ containers: [{ ...FACTS, pid: 'one' }] }),
  JSON.stringify({ containers: [{ ...FACTS, name: 'x'.repeat(5000) }] }),
])('passes on nothing but a report: %.60s', async (text) => {
  await server.request('POST', PODS, podOn('n1'));
  answer = async () => Buffer.from(text);
  const { json } = await server.request('GET', `${PODS}/web/isolation`);
  expect(json).toMatchObject({ code: 500, message: 'the node answers no report of isolation' });
});

it('says that the pod is on no node, and passes on why a node does not answer', async () => {
  await server.request('POST', PODS, podOn(undefined));
  const waiting = await server.request('GET', `${PODS}/web/isolation`);
  expect(waiting.json).toMatchObject({
    code: 400,
    message: 'pod web does not have a host assigned',
  });
  await server.request('DELETE', `${PODS}/web`);
  await server.request('POST', PODS, podOn('n1'));
  answer = () => Promise.reject(new ApiError('NotFound', 'pod "web" is not on this node'));
  const gone = await server.request('GET', `${PODS}/web/isolation`);
  expect(gone.json).toMatchObject({ code: 404, message: 'pod "web" is not on this node' });
});

it('is read, not written', async () => {
  await server.request('POST', PODS, podOn('n1'));
  const { status } = await server.request('POST', `${PODS}/web/isolation`, {});
  expect(status).toBe(405);
});
