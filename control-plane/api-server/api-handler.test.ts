import { AUTHENTICATED, NODES_GROUP, ANONYMOUS, type User } from './auth/user';
import { setMaxListeners } from 'node:events';
import { silentLog } from '../../lib/log';
import { expireEvents } from './objects/event-expiry';
import { startTestServer, type TestServer } from './testing';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };
const NODE: User = { name: 'system:node:n1', groups: [NODES_GROUP, AUTHENTICATED] };
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

describe('who may', () => {
  it.each<[string, User, string, string, number]>([
    ['anyone look at the health', ANONYMOUS, 'GET', '/readyz', 200],
    ['anyone read the version', ANONYMOUS, 'GET', '/version', 200],
    ['nobody without a name discover', ANONYMOUS, 'GET', '/api', 401],
    ['nobody without a name read', ANONYMOUS, 'GET', '/api/v1/pods', 401],
    ['a user discover', DEV, 'GET', '/api', 200],
    ['a user not read', DEV, 'GET', '/api/v1/pods', 403],
    ['a node not read all pods', NODE, 'GET', '/api/v1/pods', 403],
    ['a node read its pods', NODE, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', 200],
    ['a node not read deployments', NODE, 'GET', '/apis/apps/v1/deployments', 403],
    ['a node not create pods', NODE, 'POST', '/api/v1/namespaces/default/pods', 403],
    ['a node not touch another', NODE, 'PATCH', '/api/v1/nodes/n2/status', 403],
    ['a node not delete itself', NODE, 'DELETE', '/api/v1/nodes/n1', 403],
  ])('may %s', async (_title, user, method, path, status) => {
    expect((await server.request(method, path, {}, { user })).status).toBe(status);
  });

  it('is told whom it was refused and what', async () => {
    const { json } = await server.request(
      'DELETE',
      '/api/v1/namespaces/default/pods/x',
      undefined,
      {
        user: DEV,
      },
    );
    expect(json.message).toBe(
      'pods "x" is forbidden: User "dev" cannot delete resource "pods" in API group "" in the namespace "default"',
    );
  });

  it('answers only masters who act as another', async () => {
    const as = { 'impersonate-user': 'dev' };
    const acting = await server.request('GET', '/api/v1/secrets', undefined, { headers: as });
    expect(acting.json.message).toContain(
      'secrets is forbidden: User "dev" cannot list resource "secrets" in API group "" at the cluster scope',
    );
    const other = await server.request('GET', '/api', undefined, { headers: as, user: NODE });
    expect(other.status).toBe(403);
  });

  it('takes no bearer tokens', async () => {
    const headers = { authorization: 'Bearer x' };
    expect((await server.request('GET', '/api', undefined, { headers })).status).toBe(401);
  });
});

it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])(
  'nobody without a name gets beyond health and version by %s',
  async (method) => {
    const resources = await server.request('GET', '/api/v1');
    const names = (resources.json.resources as { name: string; namespaced: boolean }[]).map(
      ({ name, namespaced }) => {
        const [plural, part] = name.split('/');
        const place = namespaced ? '/api/v1/namespaces/default' : '/api/v1';
        return part === undefined ? `${place}/${plural}` : `${place}/${plural}/x/${part}`;
      },
    );
    const paths = [...names, ...names.map((path) => `${path}/x`), ...OTHER_PATHS];
    for (const path of paths) {
      const answer = await server.request(method, path, {}, { user: ANONYMOUS });
      expect([path, answer.status]).toEqual([path, 401]);
    }
  },
);

const OTHER_PATHS = [
  '/',
  '/api',
  '/apis',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/.well-known/openid-configuration',
  '/apis/authentication.k8s.io/v1/tokenreviews',
  '/apis/authorization.k8s.io/v1/subjectaccessreviews',
  '/apis/scheduling.dhow.dev/v1/schedulingdecisions',
  '/healthz/..',
  '/healthz/../api/v1/pods',
  '//api/v1/pods',
  '/version/x',
  '/nosuch',
];

describe('a node', () => {
  const PODS = '/api/v1/namespaces/default/pods';
  const SECRETS = '/api/v1/namespaces/default/secrets';
  const MERGE = { 'content-type': 'application/merge-patch+json' };
  const status = { status: { phase: 'Running' } };

  beforeEach(async () => {
    const pod = (name: string, nodeName: string, secret: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        nodeName,
        containers: [{ name: 'c', image: 'x', envFrom: [{ secretRef: { name: secret } }] }],
        volumes: [{ name: 'v', configMap: { name: 'cfg' } }],
      },
    });
    await server.request('POST', PODS, pod('mine', 'n1', 'mine'));
    await server.request('POST', PODS, pod('other', 'n2', 'other'));
    for (const name of ['mine', 'other'])
      await server.request('POST', SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name },
      });
    // The guard looks at the cache.
    await server.request('GET', PODS);
  });

  it.each<[string, string, unknown, number]>([
    ['PATCH', `${PODS}/mine/status`, status, 200],
    ['PATCH', `${PODS}/other/status`, status, 403],
    ['DELETE', `${PODS}/other`, undefined, 403],
    ['DELETE', `${PODS}/mine`, undefined, 200],
    ['GET', `${SECRETS}/mine`, undefined, 200],
    ['GET', `${SECRETS}/other`, undefined, 403],
    ['GET', SECRETS, undefined, 403],
    ['GET', '/api/v1/namespaces/default/configmaps/cfg', undefined, 404],
    ['GET', '/api/v1/namespaces/default/configmaps/any', undefined, 403],
  ])('%s %s', async (method, path, body, expected) => {
    const answer = await server.request(method, path, body, { user: NODE, headers: MERGE });
    expect(answer.status).toBe(expected);
  });
});

it('forgets events an hour after they last happened', async () => {
  const EVENTS = '/api/v1/namespaces/default/events';
  const event = (name: string, lastTimestamp: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    lastTimestamp,
  });
  await server.request('POST', EVENTS, event('old', '2026-01-01T00:00:00Z'));
  await server.request('POST', EVENTS, event('new', '2026-01-01T00:30:00Z'));
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const { client } = server.api;
  const expiring = expireEvents({ client, clock: server.clock, log: silentLog }, stop.signal);
  await server.clock.advance(66 * 60_000);
  const { json } = await server.request('GET', EVENTS);
  expect(json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
    'new',
  ]);
  stop.abort();
  await expiring;
});

describe('discovery', () => {
  it('lists groups and resources, aggregated and not', async () => {
    const { json, headers } = await server.request('GET', '/apis', undefined, {
      headers: { accept: `${AGGREGATED},application/json` },
    });
    expect(headers['content-type']).toBe(AGGREGATED);
    const apps = json.items.find(
      (item: { metadata: { name: string } }) => item.metadata.name === 'apps',
    );
    const deployments = apps.versions[0].resources.find(
      ({ resource }: { resource: string }) => resource === 'deployments',
    );
    expect(deployments).toMatchObject({
      resource: 'deployments',
      scope: 'Namespaced',
      singularResource: 'deployment',
      shortNames: ['deploy'],
      categories: ['all'],
      responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    });
    const plain = await server.request('GET', '/apis/apps/v1');
    const names = plain.json.resources.map(({ name }: { name: string }) => name);
    expect(names).toEqual([
      ...['controllerrevisions', 'daemonsets', 'daemonsets/status'],
      ...['deployments', 'deployments/scale', 'deployments/status'],
      ...['replicasets', 'replicasets/scale', 'replicasets/status'],
      ...['statefulsets', 'statefulsets/scale', 'statefulsets/status'],
    ]);
    expect((await server.request('GET', '/apis/apps')).json.kind).toBe('APIGroup');
    expect((await server.request('GET', '/apis/nosuch/v1')).status).toBe(404);
  });

  it('lists evictions where kubectl drain looks for them', async () => {
    const { json } = await server.request('GET', '/api/v1');
    const eviction = json.resources.find(({ name }: { name: string }) => name === 'pods/eviction');
    expect(eviction).toMatchObject({ group: 'policy', version: 'v1', kind: 'Eviction' });
  });
});

it('describes itself by OpenAPI that may be kept for ever', async () => {
  const { json } = await server.request('GET', '/openapi/v3');
  const url = json.paths['apis/apps/v1'].serverRelativeURL as string;
  const document = await server.request('GET', url);
  expect(document.headers['cache-control']).toContain('immutable');
  expect(document.json.components.schemas).toHaveProperty(['io.k8s.api.apps.v1.Deployment']);
  const etag = document.headers['etag'] as string;
  const again = await server.request('GET', url, undefined, { headers: { 'if-none-match': etag } });
  expect([again.status, again.text]).toEqual([304, '']);
});

it('says in detail how it is', async () => {
  const { text } = await server.request('GET', '/readyz?verbose');
  expect(text).toBe(
    '[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n',
  );
  server.store.currentVersion = () => Promise.reject(new Error('down'));
  const unready = await server.request('GET', '/readyz');
  expect([unready.status, unready.text]).toEqual([
    500,
    '[+]ping ok\n[-]etcd failed: reason withheld\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check failed\n',
  ]);
  const why = await server.request('GET', '/readyz/etcd');
  expect([why.status, why.text]).toEqual([500, 'internal server error: down\n']);
  const forbidden = await server.request('GET', '/readyz/etcd', undefined, { user: DEV });
  expect(forbidden.status).toBe(403);
  expect((await server.request('GET', '/livez')).status).toBe(200);
});

describe('reviews', () => {
  const SELF = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

  it('tell who asks', async () => {
    const { status, json } = await server.request(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      { user: DEV },
    );
    expect(status).toBe(201);
    expect(json.status.userInfo).toEqual({ username: 'dev', groups: [AUTHENTICATED] });
  });

  it.each([
    [DEV, 'delete', false],
    [NODE, 'get', true],
    [NODE, 'create', false],
  ])('tell whether %j may %s services', async (user, verb, allowed) => {
    const spec = { resourceAttributes: { verb, resource: 'services', namespace: 'default' } };
    const { json } = await server.request('POST', SELF, { spec }, { user });
    expect(json.status).toEqual({ allowed });
  });
});
