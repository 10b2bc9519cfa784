import { VOYAGE } from '../../../test/unit/sample-kind/served';
import { startTestServer, type TestServer } from '../testing';

const SERVICES = '/apis/apiregistration.k8s.io/v1/apiservices';
let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

it('names every group version that is served, each available', async () => {
  const { json } = await server.request('GET', SERVICES);
  const names = (json.items as { metadata: { name: string } }[]).map(
    ({ metadata }) => metadata.name,
  );
  expect(names).toEqual(
    expect.arrayContaining([
      'v1.',
      'v1.apps',
      'v1.authentication.k8s.io',
      'v1.apiregistration.k8s.io',
    ]),
  );
  const { json: apps } = await server.request('GET', `${SERVICES}/v1.apps`);
  expect(apps).toMatchObject({
    spec: { group: 'apps', version: 'v1', groupPriorityMinimum: 17_800, versionPriority: 1 },
    status: { conditions: [{ type: 'Available', status: 'True', reason: 'Local' }] },
  });
  expect(apps.spec.service).toBeUndefined();
});

it('follows what comes and goes', async () => {
  const { json } = await server.request('GET', SERVICES);
  const { resourceVersion } = json.metadata;
  const watching = server.watch(`${SERVICES}?watch=1&resourceVersion=${resourceVersion}`, 2);
  await new Promise((resolve) => setImmediate(resolve));
  server.api.kinds.add(VOYAGE);
  expect((await server.request('GET', `${SERVICES}/v1.fleet.example.com`)).status).toBe(200);
  server.api.kinds.remove(VOYAGE);
  expect((await watching).map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
    'ADDED v1.fleet.example.com',
    'DELETED v1.fleet.example.com',
  ]);
  expect((await server.request('GET', `${SERVICES}/v1.fleet.example.com`)).status).toBe(404);
});

it.each([
  ['POST', SERVICES],
  ['DELETE', `${SERVICES}/v1.apps`],
  ['DELETE', SERVICES],
])('refuses to be changed by %s, and says why', async (method, path) => {
  const remote = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: { service: { name: 'metrics', namespace: 'kube-system' } },
  };
  const { status, json } = await server.request(method, path, remote);
  expect([status, json.message]).toEqual([
    405,
    expect.stringContaining('it passes no requests on to others'),
  ]);
});
