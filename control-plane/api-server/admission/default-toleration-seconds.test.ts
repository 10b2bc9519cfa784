import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const PODS = '/api/v1/namespaces/default/pods';
const BOTH = ['not-ready', 'unreachable'].map((condition) => ({
  effect: 'NoExecute',
  key: `node.kubernetes.io/${condition}`,
  operator: 'Exists',
  tolerationSeconds: 300,
}));
const create = async (name: string, spec: object = {}) =>
  (
    await server.request('POST', PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
    })
  ).json;

it('tolerates silent nodes for five minutes, unless told otherwise', async () => {
  expect((await create('a')).spec.tolerations).toEqual(BOTH);
  const own = [{ operator: 'Exists' }];
  expect((await create('b', { tolerations: own })).spec.tolerations).toEqual(own);
});

it('does so again when a pod is applied without them', async () => {
  const apply = () =>
    server.request(
      'PATCH',
      `${PODS}/a?fieldManager=m`,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a' },
        spec: { containers: [{ name: 'c', image: 'x' }] },
      },
      { headers: { 'content-type': 'application/apply-patch+yaml' } },
    );
  expect((await apply()).status).toBe(201);
  const { status, json } = await apply();
  expect([status, json.spec.tolerations]).toEqual([200, BOTH]);
});

it('changes nothing of the spec through a status', async () => {
  await create('a');
  const stored = await server.store.get(
    { resource: 'pods', namespace: 'default', name: 'a' },
    new AbortController().signal,
  );
  if (stored === undefined) throw new Error('nothing stored');
  const { tolerations, ...spec } = (stored.object as { spec?: Record<string, unknown> }).spec ?? {};
  expect(tolerations).toEqual(BOTH);
  const foreign = { ...stored.object, spec };
  await server.store.update(stored.key, foreign, stored.resourceVersion);
  await server.request('GET', PODS);
  const { status, json } = await server.request(
    'PATCH',
    `${PODS}/a/status`,
    { status: { phase: 'Running' } },
    { headers: { 'content-type': 'application/merge-patch+json' } },
  );
  expect([status, json.spec.tolerations]).toEqual([200, undefined]);
});
