import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const kindFor = async (accept: string) => {
  const { status, json } = await server.request('GET', '/apis', undefined, { headers: { accept } });
  return status === 200 ? (json as { kind: string }).kind : status;
};

it.each([
  [AGGREGATED, 'APIGroupDiscoveryList'],
  [`${AGGREGATED};profile=nopeer,application/json`, 'APIGroupDiscoveryList'],
  [
    `application/json;as=APIGroupDiscoveryList;v="v2";g=apidiscovery.k8s.io`,
    'APIGroupDiscoveryList',
  ],
  [`application/json,${AGGREGATED}`, 'APIGroupList'],
  [`application/json;q=0.5,${AGGREGATED};q=0.9`, 'APIGroupDiscoveryList'],
  [`${AGGREGATED};q=0.1,application/json`, 'APIGroupList'],
  ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,*/*', 'APIGroupList'],
  ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList', 406],
  ['text/html', 406],
  ['', 'APIGroupList'],
])('answers %p by %p', async (accept, kind) => {
  expect(await kindFor(accept)).toBe(kind);
});

it('answers nothing new to who has it', async () => {
  const ask = (more: object) =>
    server.request('GET', '/apis', undefined, { headers: { accept: AGGREGATED, ...more } });
  const { headers } = await ask({});
  const etag = String(headers['etag']);
  expect(etag).toMatch(/^"[0-9A-F]{128}"$/);
  expect(headers).toMatchObject({ vary: 'Accept', 'cache-control': 'public' });
  expect((await ask({ 'if-none-match': etag })).status).toBe(304);
});

it('sends who asks for another hash to the document that is', async () => {
  const path = '/openapi/v3/apis/apps/v1';
  const { status, headers } = await server.request('GET', `${path}?hash=ABC`);
  expect(status).toBe(301);
  expect(headers['location']).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
  const answer = await server.request('GET', String(headers['location']));
  expect(answer.headers['cache-control']).toContain('immutable');
});

it.each([
  ['application/json', 200, 'application/json'],
  [
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    200,
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  ],
  [
    'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
    200,
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  ],
  ['text/html', 406, undefined],
])('gives OpenAPI v2 as %p: %p', async (accept, status, type) => {
  const answer = await server.request('GET', '/openapi/v2', undefined, { headers: { accept } });
  expect([answer.status, answer.headers['content-type']]).toEqual([status, type]);
});

it('says honestly that v3 is JSON only', async () => {
  const accept = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';
  const { status } = await server.request('GET', '/openapi/v3/api/v1', undefined, {
    headers: { accept },
  });
  expect(status).toBe(406);
});

it('names groups in the order of upstream, and those of others after them', async () => {
  const { json } = await server.request('GET', '/apis');
  const names = (json as { groups: { name: string }[] }).groups.map(({ name }) => name);
  const placesOf = (...groups: string[]) => groups.map((group) => names.indexOf(group));
  const places = placesOf('apps', 'policy', 'scheduling.k8s.io', 'coordination.k8s.io');
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(names[0]).toBe('apiregistration.k8s.io');
});

describe('a path that names nothing', () => {
  const PLAIN = 'text/plain; charset=utf-8';

  it.each([
    ['/nosuch', 404, PLAIN],
    ['/api/v1/%zz', 404, PLAIN],
    ['/apis/example.com/v1/widgets', 404, PLAIN],
    ['/apis/apps/v9/deployments', 404, PLAIN],
    ['/api/v1/nosuch', 404, 'application/json'],
    ['/apis/apps/v1/namespaces/default/nosuch', 404, 'application/json'],
    ['/apis/authorization.k8s.io/v1/nosuch', 404, 'application/json'],
  ])('%s is %i %s', async (path, status, type) => {
    await using server = await startTestServer();
    const answer = await server.request('GET', path);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, type]);
    if (type === PLAIN) expect(answer.text).toBe('404 page not found\n');
    else expect(answer.json.reason).toBe('NotFound');
  });
});

it.each([
  ['/api/v1', undefined],
  ['/apis/apps/v1', 'v1'],
])('says at %s of its own form what upstream says: %s', async (path, apiVersion) => {
  const { json } = await server.request('GET', path);
  expect(json).toMatchObject({ kind: 'APIResourceList' });
  expect((json as { apiVersion?: string }).apiVersion).toBe(apiVersion);
});

it('tells by a hash in which version the objects of a kind are stored', async () => {
  type Entries = { resources: { name: string; storageVersionHash?: string }[] };
  const hashOf = async (path: string, plural: string) => {
    const { resources } = (await server.request('GET', path)).json as unknown as Entries;
    return resources.find(({ name }) => name === plural)?.storageVersionHash;
  };
  expect(await hashOf('/api/v1', 'pods')).toBe('xPOwRZ+Yhw8=');
  expect(await hashOf('/api/v1', 'pods/status')).toBeUndefined();
  expect(await hashOf('/api/v1', 'events')).toBe('r2yiGXH7wu8=');
  expect(await hashOf('/apis/events.k8s.io/v1', 'events')).toBe('r2yiGXH7wu8=');
  expect(await hashOf('/apis/apiregistration.k8s.io/v1', 'apiservices')).toBeUndefined();
});
