import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hasReason } from '../../api/errors';
import { defineKind } from '../../api/kinds';
import { CONFIG_MAPS, NAMESPACES } from '../../api/resources';
import type { OwnerReference } from '../../api/types';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { serveKind } from '../../control-plane/api-server/kinds/served-kind';
import { ADMIN, startTestServer, type TestServer } from '../../control-plane/api-server/testing';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { TaskGroup } from '../../lib/async/task-group';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { isNamedTest, ROOT } from './named-tests';
import { VOYAGES } from './sample-kind/resource';
import { VOYAGE } from './sample-kind/served';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const COLLECTION = '/apis/fleet.example.com/v1/namespaces/default/voyages';

const voyage = (name: string, metadata: object = {}) => ({
  apiVersion: 'fleet.example.com/v1',
  kind: 'Voyage',
  metadata: { name, ...metadata },
  spec: { ship: 'dhow' },
});

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

it('is added as docs/guides/add-a-kind.md says', () => {
  const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');
  const guide = read('docs', 'guides', 'add-a-kind.md');
  const modules = ['resource', 'validation', 'kind', 'served'].map((name) =>
    read('test', 'unit', 'sample-kind', `${name}.ts`),
  );
  const blocks = [...guide.matchAll(/^ *```ts\n(.*?)^ *```$/gms)].map(([, code = '']) =>
    code.replaceAll(/^ {3}/gm, ''),
  );
  expect(blocks).toHaveLength(3);
  for (const block of blocks)
    expect(modules.filter((each) => each.includes(block))).toHaveLength(1);
  const named = [...guide.matchAll(/`([^`]+\.test\.ts)`(?:: ([^|]+))?/g)];
  expect(named.length).toBeGreaterThan(3);
  for (const [, file = '', title = ''] of named)
    expect([file, isNamedTest(file, title.trim())]).toEqual([file, true]);
});

describe('a kind that comes while the server runs', () => {
  it('is not there before', async () => {
    expect((await server.request('GET', COLLECTION)).status).toBe(404);
    expect((await server.request('GET', '/apis/fleet.example.com')).status).toBe(404);
    await expect(server.api.client.list(VOYAGES)).rejects.toMatchObject({ reason: 'NotFound' });
  });

  it('is discovered, with its schema', async () => {
    const core = await server.request('GET', '/openapi/v3');
    server.api.kinds.add(VOYAGE);
    const { json: list } = await server.request('GET', '/apis/fleet.example.com/v1');
    expect(list.resources).toEqual([
      expect.objectContaining({ name: 'voyages', kind: 'Voyage', shortNames: ['voy'] }),
      expect.objectContaining({ name: 'voyages/status' }),
    ]);
    const { json: groups } = await server.request('GET', '/apis');
    expect(groups.groups.map(({ name }: { name: string }) => name)).toContain('fleet.example.com');
    const { text } = await server.request('GET', '/apis', undefined, {
      headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    });
    expect(text).toContain('"resource":"voyages"');
    const { json: index } = await server.request('GET', '/openapi/v3');
    const path = 'apis/fleet.example.com/v1';
    const { json: document } = await server.request('GET', index.paths[path].serverRelativeURL);
    expect(document.components.schemas).toHaveProperty(['com.example.fleet.v1.Voyage']);
    // Clients keep the documents of all others.
    const group = 'apis/fleet.example.com';
    const own = { [path]: index.paths[path], [group]: index.paths[group] };
    expect(index.paths).toEqual({ ...core.json.paths, ...own });
  });

  it('is created, defaulted, validated, changed, listed as a table and deleted', async () => {
    server.api.kinds.add(VOYAGE);
    const { status, json: made } = await server.request('POST', COLLECTION, voyage('v'));
    expect([status, made.spec, made.status, made.metadata.generation]).toEqual([
      201,
      { ship: 'dhow', stops: 1 },
      {},
      1,
    ]);
    const bad = { ...voyage('w'), spec: { stops: -1 } };
    const { json: refused } = await server.request('POST', COLLECTION, bad);
    expect(refused.details.causes.map(({ field }: { field: string }) => field)).toEqual([
      'spec.ship',
      'spec.stops',
    ]);
    const change = { spec: { stops: 0 }, status: { reached: 9 } };
    const patched = await server.request('PATCH', `${COLLECTION}/v`, change, MERGE);
    expect(patched.headers['warning']).toEqual(['299 - "spec.stops: it will never land"']);
    expect([
      patched.json.spec.stops,
      patched.json.status,
      patched.json.metadata.generation,
    ]).toEqual([0, {}, 2]);
    await server.request('PATCH', `${COLLECTION}/v/status`, { status: { reached: 3 } }, MERGE);
    const { json: table } = await server.request(
      'GET',
      `${COLLECTION}?fieldSelector=spec.ship%3Ddhow`,
      undefined,
      { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } },
    );
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      'Name',
      'Ship',
      'Stops',
      'Reached',
      'Age',
    ]);
    expect(table.rows[0].cells.slice(0, 4)).toEqual(['v', 'dhow', 0, 3]);
    expect((await server.request('DELETE', `${COLLECTION}/v`)).status).toBe(200);
    expect((await server.request('GET', `${COLLECTION}/v`)).status).toBe(404);
  });

  it('is watched, and counted among what is stored', async () => {
    server.api.kinds.add(VOYAGE);
    await server.request('POST', COLLECTION, voyage('v'));
    const [first] = await server.watch(`${COLLECTION}?watch=1`, 1);
    expect(first).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'v' } } });
    const { text } = await server.request('GET', '/metrics');
    expect(text).toContain('apiserver_storage_objects{resource="voyages.fleet.example.com"} 1');
  });

  it('is followed in the version that clients prefer, whichever came first', async () => {
    const { kinds } = server.api;
    const beta = { ...VOYAGE, resource: { ...VOYAGES, version: 'v1beta1' } };
    const { length } = kinds.resources();
    kinds.add(beta);
    expect(kinds.resources().at(-1)).toBe(beta.resource);
    kinds.add(VOYAGE);
    expect(kinds.resources().at(-1)).toBe(VOYAGES);
    expect(kinds.resources()).toHaveLength(length + 1);
    const { json: group } = await server.request('GET', '/apis/fleet.example.com');
    expect(group.preferredVersion.version).toBe('v1');
    await server.request('POST', COLLECTION, voyage('v'));
    kinds.remove(VOYAGE);
    expect(kinds.resources().at(-1)).toBe(beta.resource);
    // It is the same objects: their cache goes on.
    const { json: list } = await server.request('GET', COLLECTION.replace('/v1/', '/v1beta1/'));
    expect(list.items).toHaveLength(1);
  });

  it('is for those whom a role lets, and not for others', async () => {
    server.api.kinds.add(VOYAGE);
    const user = { name: 'sailor', groups: ['system:authenticated'] };
    const ask = async () => (await server.request('GET', COLLECTION, undefined, { user })).status;
    expect(await ask()).toBe(403);
    const metadata = { name: 'sailors' };
    await server.request('POST', `${RBAC}/clusterroles`, {
      metadata,
      rules: [{ apiGroups: ['fleet.example.com'], resources: ['voyages'], verbs: ['list'] }],
    });
    await server.request('POST', `${RBAC}/clusterrolebindings`, {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'sailors' },
      subjects: [{ kind: 'User', name: 'sailor' }],
    });
    // Roles are read from caches: a fresh list of them says that they have come.
    for (const plural of ['clusterroles', 'clusterrolebindings'])
      await server.request('GET', `${RBAC}/${plural}`);
    expect(await ask()).toBe(200);
  });

  it('must not take the name or the path of another', () => {
    server.api.kinds.add(VOYAGE);
    const { length } = server.api.kinds.kinds;
    for (const change of [{ kind: 'Trip' }, { plural: 'trips' }]) {
      const resource = { ...VOYAGES, ...change };
      const other = serveKind(
        defineKind(resource, { validateCreate: () => [], validateUpdate: () => [] }),
      );
      expect(() => server.api.kinds.add(other)).toThrow('is served as Voyage already');
    }
    expect(server.api.kinds.kinds).toHaveLength(length);
  });

  it('has nothing of a namesake of another group', async () => {
    const resource = { ...VOYAGES, kind: 'Namespace', plural: 'namespaces', isNamespaced: false };
    server.api.kinds.add(
      serveKind(defineKind(resource, { validateCreate: () => [], validateUpdate: () => [] })),
    );
    const path = '/apis/fleet.example.com/v1/namespaces';
    const body = { ...voyage('default'), kind: 'Namespace' };
    const { json: made } = await server.request('POST', path, body);
    expect([made.spec, made.metadata.labels, made.status]).toEqual([
      { ship: 'dhow' },
      undefined,
      undefined,
    ]);
    expect((await server.request('DELETE', `${path}/default`)).status).toBe(200);
    expect((await server.request('GET', '/api/v1/namespaces/default')).status).toBe(200);
  });
});

/** The events of a watch over HTTP, which is open. */
const openWatch = async (
  path: string,
  resourceVersion: string,
): Promise<AsyncIterator<unknown, unknown>> => {
  const { status, body } = await server.api.handle({
    method: 'GET',
    path,
    query: new URLSearchParams({ watch: '1', resourceVersion }),
    headers: {},
    user: ADMIN,
    body: async () => Buffer.alloc(0),
    signal: new AbortController().signal,
  });
  expect(status).toBe(200);
  return (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a kind that goes', () => {
  it('is found nowhere, its watches end, and it begins anew when it comes again', async () => {
    const { kinds } = server.api;
    kinds.add(VOYAGE);
    await server.request('POST', COLLECTION, voyage('v'));
    const { json: page } = await server.request('GET', `${COLLECTION}?limit=1`);
    const { resourceVersion } = page.metadata;
    const { signal } = new AbortController();
    const watches = [
      await openWatch(COLLECTION, resourceVersion),
      server.api.client.watch(VOYAGES, { resourceVersion }, signal)[Symbol.asyncIterator](),
    ];
    await server.request('POST', COLLECTION, voyage('w'));
    for (const watch of watches) expect(await watch.next()).toMatchObject({ done: false });
    const ends = watches.map((watch) => watch.next());
    kinds.remove(VOYAGE);
    for (const end of ends) expect(await end).toMatchObject({ done: true });
    expect((await server.request('GET', `${COLLECTION}?watch=1`)).status).toBe(404);
    expect((await server.request('GET', '/apis/fleet.example.com/v1')).status).toBe(404);
    const { json: index } = await server.request('GET', '/openapi/v3');
    expect(index.paths).not.toHaveProperty(['apis/fleet.example.com/v1']);
    expect((await server.request('GET', '/metrics')).text).not.toContain('voyages');
    kinds.remove(VOYAGE);
    kinds.add({ ...VOYAGE });
    const { json: list } = await server.request('GET', COLLECTION);
    expect(list.items).toHaveLength(2);
  });

  it('is kept by nobody', async () => {
    const { kinds } = server.api;
    const comeAndGo = async () => {
      const kind = { ...VOYAGE, resource: { ...VOYAGES } };
      kinds.add(kind);
      await server.request('POST', COLLECTION, voyage('v'));
      await server.request('GET', `${COLLECTION}?limit=1`);
      await server.request('GET', '/apis');
      await server.request('GET', '/openapi/v3');
      await server.request('DELETE', `${COLLECTION}/v`);
      kinds.remove(kind);
      return new WeakRef(kind);
    };
    const kept = await comeAndGo();
    await server.request('GET', '/apis');
    await server.request('GET', '/openapi/v3');
    for (let turn = 0; turn < 20 && kept.deref() !== undefined; turn++) {
      await new Promise((next) => setImmediate(next));
      collectGarbage();
    }
    expect(kept.deref()).toBeUndefined();
  });

  it('leaves no cache behind to a request that came before', async () => {
    const { kinds } = server.api;
    kinds.add(VOYAGE);
    const client = server.api.client.watch(
      VOYAGES,
      { resourceVersion: '0' },
      new AbortController().signal,
    );
    const reading = client[Symbol.asyncIterator]().next();
    kinds.remove(VOYAGE);
    const error = await reading.catch((each: unknown) => each);
    expect(hasReason(error, 'NotFound', 'ServiceUnavailable')).toBe(true);
  });
});

describe('beside controllers', () => {
  let group: TaskGroup;
  let informers: Informers;

  beforeEach(() => {
    const { clock, api } = server;
    const shared = { clock, random: seededRandom(1), log: silentLog };
    informers = new Informers({ ...shared, client: api.client });
    const controllers = createControllers(
      {
        ...shared,
        client: api.client,
        informers,
        eventsFor: (component) =>
          new ApiEventRecorder({ client: api.client, clock, log: silentLog, component }),
      },
      { served: api.kinds, caCertificate: () => '', nodeGracePeriodMs: 40_000 },
    );
    group = new TaskGroup();
    group.run((signal) => informers.run(signal));
    group.run((signal) => runControllers(controllers, shared, signal));
  });

  afterEach(async () => {
    const ended = group[Symbol.asyncDispose]();
    await pass(600_000);
    await ended;
  });

  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += Math.max(500, ms / 20)) {
      await server.clock.advance(Math.max(500, ms / 20));
      for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
    }
  };

  const isThere = async (path: string): Promise<boolean> =>
    (await server.request('GET', path)).status === 200;

  const ownerOf = (object: { metadata: { name: string; uid: string } }): OwnerReference => ({
    apiVersion: 'fleet.example.com/v1',
    kind: 'Voyage',
    name: object.metadata.name,
    uid: object.metadata.uid,
  });

  const cargo = (name: string, owner: OwnerReference) =>
    server.api.client.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default', ownerReferences: [owner] },
    });

  const CARGO = '/api/v1/namespaces/default/configmaps';

  it('collects what its objects own, also what was there before it', async () => {
    await pass(2_000);
    const early = ownerOf({ metadata: { name: 'never-there', uid: 'u' } });
    await cargo('early', early);
    await pass(5_000);
    // Of an unknown kind nobody can say that it is gone.
    expect(await isThere(`${CARGO}/early`)).toBe(true);
    server.api.kinds.add(VOYAGE);
    const { json: made } = await server.request('POST', COLLECTION, voyage('v'));
    await cargo('late', ownerOf(made));
    await pass(5_000);
    expect([await isThere(`${CARGO}/early`), await isThere(`${CARGO}/late`)]).toEqual([
      false,
      true,
    ]);
    await server.request('DELETE', `${COLLECTION}/v`);
    await pass(5_000);
    expect(await isThere(`${CARGO}/late`)).toBe(false);
  });

  it('leaves what its objects own when it goes, and ends its informer', async () => {
    server.api.kinds.add(VOYAGE);
    await pass(2_000);
    const { json: made } = await server.request('POST', COLLECTION, voyage('v'));
    await cargo('cargo', ownerOf(made));
    await pass(2_000);
    const informer = informers.of(VOYAGES);
    expect(informer.size).toBe(1);
    server.api.kinds.remove(VOYAGE);
    await pass(5_000);
    expect(await isThere(`${CARGO}/cargo`)).toBe(true);
    expect(informers.of(VOYAGES)).not.toBe(informer);
    informers.release(VOYAGES);
  });

  it('deletes its objects with their namespace', async () => {
    await pass(2_000);
    server.api.kinds.add(VOYAGE);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sea' } };
    await server.api.client.create(NAMESPACES, namespace);
    const path = COLLECTION.replace('default', 'sea');
    const held = voyage('v', { finalizers: ['example.com/harbour'] });
    await server.request('POST', path, held);
    await server.request('DELETE', '/api/v1/namespaces/sea');
    await pass(5_000);
    const { json } = await server.request('GET', '/api/v1/namespaces/sea');
    expect(JSON.stringify(json.status.conditions)).toContain('voyages.fleet.example.com has 1');
    await server.request('PATCH', `${path}/v`, { metadata: { finalizers: null } }, MERGE);
    await pass(20_000);
    expect(await isThere('/api/v1/namespaces/sea')).toBe(false);
  });

  it('does not keep a namespace whose last content is of a kind that has gone', async () => {
    server.api.kinds.add(VOYAGE);
    await pass(2_000);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sea' } };
    await server.api.client.create(NAMESPACES, namespace);
    const held = voyage('v', { finalizers: ['example.com/harbour'] });
    await server.request('POST', COLLECTION.replace('default', 'sea'), held);
    await server.request('DELETE', '/api/v1/namespaces/sea');
    await pass(5_000);
    expect(await isThere('/api/v1/namespaces/sea')).toBe(true);
    server.api.kinds.remove(VOYAGE);
    await pass(20_000);
    expect(await isThere('/api/v1/namespaces/sea')).toBe(false);
  });
});
