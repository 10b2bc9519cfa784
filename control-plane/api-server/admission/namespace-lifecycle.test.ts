import { startTestServer, type TestServer } from '../testing';

const CORE = '/api/v1/namespaces/shop';
const APPS = '/apis/apps/v1/namespaces/shop';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/shop/leases';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

let server: TestServer;
const make = async (path: string, body: object) =>
  expect((await server.request('POST', path, body)).status).toBe(201);
const map = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const lease = (name: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name },
});
const SPEC = { containers: [{ name: 'c', image: 'x' }] };

beforeEach(async () => {
  server = await startTestServer();
  await make('/api/v1/namespaces', { ...map('shop'), kind: 'Namespace' });
  await make('/api/v1/nodes', { ...map('n1'), kind: 'Node' });
  await make(`${CORE}/configmaps`, map('a'));
  await make(`${CORE}/serviceaccounts`, { ...map('a'), kind: 'ServiceAccount' });
  await make(`${CORE}/pods`, { ...map('a'), kind: 'Pod', spec: SPEC });
  await make(`${APPS}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: SPEC },
    },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

type Row = readonly [string, string, unknown, Readonly<Record<string, string>>];

const CREATES: readonly Row[] = [
  ['POST', `${CORE}/configmaps`, map('b'), {}],
  ['POST', `${CORE}/configmaps?dryRun=All`, map('b'), {}],
  ['PUT', `${LEASES}/b`, lease('b'), {}],
  ['PATCH', `${CORE}/configmaps/b?fieldManager=m`, map('b'), APPLY],
  ['POST', `${CORE}/pods/a/binding`, { target: { name: 'n1' } }, {}],
  ['POST', `${CORE}/pods/a/eviction`, { metadata: { name: 'a' } }, {}],
  ['POST', `${CORE}/serviceaccounts/a/token`, {}, {}],
];

const OTHERS: readonly Row[] = [
  ['PUT', `${CORE}/configmaps/a`, map('a'), {}],
  ['PATCH', `${CORE}/configmaps/a`, { data: { a: 'b' } }, MERGE],
  ['PATCH', `${CORE}/pods/a/status`, { status: { phase: 'Running' } }, MERGE],
  ['PATCH', `${APPS}/deployments/a/scale`, { spec: { replicas: 2 } }, MERGE],
  ['DELETE', `${CORE}/configmaps/a`, undefined, {}],
  ['DELETE', `${CORE}/configmaps`, undefined, {}],
];

describe('in a namespace that is going', () => {
  beforeEach(async () => {
    await server.request('DELETE', CORE);
    await server.request('GET', '/api/v1/namespaces');
  });

  it.each(CREATES)('nothing is made: %s %s', async (method, path, body, headers) => {
    const { status, json } = await server.request(method, path, body, { headers });
    expect([status, json.message, json.details.causes]).toEqual([
      403,
      expect.stringContaining(
        'is forbidden: unable to create new content in namespace shop because it is being terminated',
      ),
      [
        {
          reason: 'NamespaceTerminating',
          message: 'namespace shop is being terminated',
          field: 'metadata.namespace',
        },
      ],
    ]);
  });

  it.each(OTHERS)('all else goes on: %s %s', async (method, path, body, headers) => {
    expect((await server.request(method, path, body, { headers })).status).toBe(200);
  });
});

describe('in a namespace that is not there', () => {
  beforeEach(async () => {
    const key = { resource: 'namespaces', namespace: '', name: 'shop' };
    const stored = await server.store.get(key, new AbortController().signal);
    await server.store.delete(key, stored?.resourceVersion ?? 0);
    await server.request('GET', '/api/v1/namespaces');
  });

  it.each([...CREATES, ...OTHERS.filter(([method]) => method !== 'DELETE')])(
    'nothing is made or changed: %s %s',
    async (method, path, body, headers) => {
      const { status, json } = await server.request(method, path, body, { headers });
      expect([status, json.message]).toEqual([404, 'namespaces "shop" not found']);
    },
  );

  it('what is left can be deleted', async () => {
    expect((await server.request('DELETE', `${CORE}/configmaps/a`)).status).toBe(200);
  });
});

it.each(['default', 'kube-system', 'kube-public'])('keeps the namespace %s', async (name) => {
  const { status, json } = await server.request('DELETE', `/api/v1/namespaces/${name}`);
  expect([status, json.message]).toEqual([
    403,
    `namespaces "${name}" is forbidden: this namespace may not be deleted`,
  ]);
});
