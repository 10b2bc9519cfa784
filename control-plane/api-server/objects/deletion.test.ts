import { parseJson } from '../../../lib/json';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
const PODS = '/api/v1/namespaces/default/pods';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const create = (name: string, { finalizers = [] as string[], nodeName = '' } = {}) =>
  server.request('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, finalizers },
    spec: {
      containers: [{ name: 'c', image: 'nginx' }],
      ...(nodeName === '' ? {} : { nodeName }),
    },
  });
const remove = (name: string, options?: object) =>
  server.request('DELETE', `${PODS}/${name}`, options);
const get = (name: string) => server.request('GET', `${PODS}/${name}`);

it('removes an unbound pod at once and says so', async () => {
  const { json: created } = await create('a');
  const { json } = await remove('a');
  expect(json).toMatchObject({
    kind: 'Status',
    status: 'Success',
    details: { name: 'a', kind: 'pods', uid: created.metadata.uid },
  });
  expect((await get('a')).status).toBe(404);
});

it('gives a bound pod its grace, which may be shortened but not prolonged', async () => {
  await create('a', { nodeName: 'n1' });
  const { json } = await remove('a');
  expect(json.metadata).toMatchObject({
    deletionTimestamp: '2026-01-01T00:00:30Z',
    deletionGracePeriodSeconds: 30,
    generation: 2,
  });
  const longer = await remove('a', { gracePeriodSeconds: 60 });
  expect(longer.json.metadata.deletionGracePeriodSeconds).toBe(30);
  const shorter = await remove('a', { gracePeriodSeconds: 5 });
  expect(shorter.json.metadata).toMatchObject({
    deletionTimestamp: '2026-01-01T00:00:05Z',
    deletionGracePeriodSeconds: 5,
  });
  const again = await remove('a');
  expect(again.json.metadata.deletionGracePeriodSeconds).toBe(5);
});

it('keeps a grace of 64 bits digit for digit, and lets it be shortened', async () => {
  const pod =
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"nodeName":"n1",' +
    '"terminationGracePeriodSeconds":9223372036854775807,"containers":[{"name":"c","image":"i"}]}}';
  await server.request('POST', PODS, parseJson(pod));
  const { json } = await remove('a');
  expect(json.metadata).toMatchObject({
    deletionTimestamp: '9999-12-31T23:59:59Z',
    deletionGracePeriodSeconds: 2n ** 63n - 1n,
  });
  const shorter = await remove('a', { gracePeriodSeconds: 5 });
  expect(shorter.json.metadata).toMatchObject({ deletionGracePeriodSeconds: 5 });
});

it.each([1.5, 1e300, 2n ** 63n])('refuses a grace of %s seconds', async (gracePeriodSeconds) => {
  await create('a', { nodeName: 'n1' });
  expect((await remove('a', { gracePeriodSeconds })).json).toMatchObject({ reason: 'BadRequest' });
});

it('removes a pod by force', async () => {
  await create('a', { nodeName: 'n1' });
  expect((await remove('a', { gracePeriodSeconds: 0 })).json.kind).toBe('Status');
  expect((await get('a')).status).toBe(404);
});

it('removes an ended pod at once', async () => {
  await create('a', { nodeName: 'n1' });
  await server.request('PATCH', `${PODS}/a/status`, { status: { phase: 'Succeeded' } }, MERGE);
  await remove('a');
  expect((await get('a')).status).toBe(404);
});

it('waits for the last finalizer', async () => {
  await create('a', { finalizers: ['example.com/one', 'example.com/two'] });
  expect((await remove('a')).json.metadata.deletionGracePeriodSeconds).toBe(0);
  const patch = (finalizers: string[]) =>
    server.request('PATCH', `${PODS}/a`, { metadata: { finalizers } }, MERGE);
  expect((await patch(['example.com/two'])).status).toBe(200);
  expect((await get('a')).status).toBe(200);
  const added = await patch(['example.com/two', 'example.com/three']);
  expect(added.json.message).toContain('no new finalizers can be added');
  await patch([]);
  expect((await get('a')).status).toBe(404);
});

it.each([
  [{ propagationPolicy: 'Foreground' }, ['foregroundDeletion']],
  [{ propagationPolicy: 'Orphan' }, ['orphan']],
  [{ orphanDependents: true }, ['orphan']],
])('%j leaves the object to the garbage collector', async (options, finalizers) => {
  await create('a');
  const { json } = await remove('a', options);
  expect(json.metadata.finalizers).toEqual(finalizers);
  expect(json.metadata.deletionTimestamp).toBeDefined();
});

it('holds to preconditions', async () => {
  const { json } = await create('a');
  const { uid, resourceVersion } = json.metadata;
  const wrong = await remove('a', { preconditions: { uid: 'x' } });
  expect([wrong.status, wrong.json.reason]).toEqual([409, 'Conflict']);
  const stale = await remove('a', { preconditions: { resourceVersion: '1' } });
  expect(stale.status).toBe(409);
  expect((await remove('a', { preconditions: { uid, resourceVersion } })).status).toBe(200);
});

it('refuses options that make no sense', async () => {
  await create('a');
  expect((await remove('a', { propagationPolicy: 'Never' })).json.message).toBe(
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Never": ' +
      'supported values: "Foreground", "Background", "Orphan", "nil"',
  );
  const both = { propagationPolicy: 'Orphan', orphanDependents: true };
  expect((await remove('a', both)).status).toBe(422);
  expect((await remove('a', { gracePeriodSeconds: 'soon' })).status).toBe(400);
  expect((await remove('nope')).json.message).toBe('pods "nope" not found');
});

it('refuses to delete what it cannot read', async () => {
  await create('a');
  const option = { ignoreStoreReadErrorWithClusterBreakingPotential: true };
  const { status, json } = await remove('a', option);
  expect([status, json.message]).toEqual([
    422,
    'DeleteOptions.meta.k8s.io "" is invalid: ignoreStoreReadErrorWithClusterBreakingPotential: ' +
      'Forbidden: an object that cannot be read is not deleted through the API',
  ]);
  expect((await get('a')).status).toBe(200);
});

it('only looks in a dry run', async () => {
  await create('a');
  expect((await remove('a', { dryRun: ['All'] })).status).toBe(200);
  expect((await get('a')).status).toBe(200);
});

it('deletes what a selector finds', async () => {
  await Promise.all(['a', 'b', 'c'].map((name) => create(name)));
  await server.request('PATCH', `${PODS}/b`, { metadata: { labels: { keep: 'x' } } }, MERGE);
  const { json } = await server.request('DELETE', `${PODS}?labelSelector=!keep`);
  expect(json.items).toHaveLength(2);
  const left = await server.request('GET', PODS);
  expect(left.json.items.map((pod: { metadata: { name: string } }) => pod.metadata.name)).toEqual([
    'b',
  ]);
});

describe('namespaces', () => {
  const NAMESPACES = '/api/v1/namespaces';
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } };

  it('empty before they go', async () => {
    const { json } = await server.request('POST', NAMESPACES, namespace);
    expect(json).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'team' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    const going = await server.request('DELETE', `${NAMESPACES}/team`);
    expect(going.json.status.phase).toBe('Terminating');
    const late = await server.request('POST', `${NAMESPACES}/team/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late' },
    });
    expect([late.status, late.json.details.causes[0].reason]).toEqual([
      403,
      'NamespaceTerminating',
    ]);
    const { json: read } = await server.request('GET', `${NAMESPACES}/team`);
    await server.request('PUT', `${NAMESPACES}/team/finalize`, {
      ...read,
      spec: { finalizers: [] },
    });
    expect((await server.request('GET', `${NAMESPACES}/team`)).status).toBe(404);
  });

  it('keep their finalizer through ordinary updates', async () => {
    await server.request('POST', NAMESPACES, namespace);
    const { json } = await server.request('PUT', `${NAMESPACES}/team`, namespace);
    expect(json.spec.finalizers).toEqual(['kubernetes']);
    const emptied = await server.request(
      'PATCH',
      `${NAMESPACES}/team`,
      { spec: { finalizers: [] } },
      MERGE,
    );
    expect(emptied.json.spec.finalizers).toEqual(['kubernetes']);
  });

  it('of the system stay', async () => {
    const { status, json } = await server.request('DELETE', `${NAMESPACES}/default`);
    expect([status, json.message]).toEqual([
      403,
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ]);
  });
});

describe('a create on its way while its namespace', () => {
  const SHOP = '/api/v1/namespaces/shop';
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late' } };

  /** Answers a create that admission let pass, once `meanwhile` has happened. */
  const createAfter = async (meanwhile: () => Promise<unknown>) => {
    await server.request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
    });
    await server.request('GET', '/api/v1/namespaces');
    const { store } = server;
    const create = store.create.bind(store);
    store.create = async (...args) => {
      store.create = create;
      await meanwhile();
      return create(...args);
    };
    return server.request('POST', `${SHOP}/configmaps`, config);
  };
  const left = async () => (await server.store.list('configmaps')).items.map(({ key }) => key);

  it('goes leaves nothing behind', async () => {
    const { status, json } = await createAfter(async () => {
      await server.request('DELETE', SHOP);
      const empty = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
      await server.request('PUT', `${SHOP}/finalize`, { ...empty, spec: { finalizers: [] } });
    });
    expect([status, json.message]).toEqual([404, 'namespaces "shop" not found']);
    expect(await left()).toEqual([]);
  });

  it('is marked for deletion is refused', async () => {
    const { status, json } = await createAfter(() => server.request('DELETE', SHOP));
    expect([status, json.details.causes]).toEqual([
      403,
      [expect.objectContaining({ reason: 'NamespaceTerminating' })],
    ]);
    expect(await left()).toEqual([]);
  });

  it('is only labelled takes place', async () => {
    const { status } = await createAfter(() =>
      server.request(
        'PATCH',
        SHOP,
        { metadata: { labels: { a: 'b' } } },
        { headers: { 'content-type': 'application/merge-patch+json' } },
      ),
    );
    expect(status).toBe(201);
    expect(await left()).toHaveLength(1);
  });
});
