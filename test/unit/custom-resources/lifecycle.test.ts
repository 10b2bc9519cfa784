import { MemoryStore } from '../../../control-plane/store/memory-store';
import { cronTab, cronTabs, DEFINITIONS, MERGE, openWorld, version, type World } from './world';

let world: World;

beforeEach(async () => {
  world = await openWorld();
});

afterEach(() => world[Symbol.asyncDispose]());

const COLLECTION = '/apis/stable.example.com/v1/namespaces/default/crontabs';
const DEFINITION = `${DEFINITIONS}/crontabs.stable.example.com`;

const isGone = async (path: string) => (await world.request('GET', path)).status === 404;

it('serves what is defined, and says so', async () => {
  expect(await isGone(COLLECTION)).toBe(true);
  const { json: definition } = await world.define(cronTabs());
  expect(definition.status).toEqual({
    acceptedNames: {
      ...{ plural: 'crontabs', singular: 'crontab', kind: 'CronTab', listKind: 'CronTabList' },
      ...{ shortNames: ['ct'], categories: ['all'] },
    },
    conditions: [
      expect.objectContaining({ type: 'NamesAccepted', status: 'True', reason: 'NoConflicts' }),
      expect.objectContaining({
        ...{ type: 'Established', status: 'True', reason: 'InitialNamesAccepted' },
        message: 'the initial names have been accepted',
      }),
    ],
    storedVersions: ['v1'],
  });
  const { json: made, status } = await world.request('POST', COLLECTION, cronTab('a'));
  expect([status, made.spec]).toEqual([201, { cronSpec: '* * * * */5', replicas: 1 }]);
  const { json: resources } = await world.request('GET', '/apis/stable.example.com/v1');
  expect(resources.resources).toEqual([
    expect.objectContaining({ name: 'crontabs', shortNames: ['ct'], categories: ['all'] }),
  ]);
});

it('serves again what was defined before the server started', async () => {
  const store = new MemoryStore();
  const first = await openWorld(store);
  await first.define(cronTabs());
  await first.request('POST', COLLECTION, cronTab('a'));
  await first[Symbol.asyncDispose]();
  const second = await openWorld(store);
  await second.until(
    'the kind is back',
    async () => (await second.request('GET', `${COLLECTION}/a`)).status === 200,
  );
  await second[Symbol.asyncDispose]();
});

it('deletes all objects before a definition goes, and makes no more', async () => {
  await world.define(cronTabs());
  await world.request('POST', COLLECTION, cronTab('a'));
  await world.request('POST', COLLECTION, cronTab('b', {}, { finalizers: ['example.com/hold'] }));
  const { json: going } = await world.request('DELETE', DEFINITION);
  expect(going.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
  expect(going.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Terminating', reason: 'InstanceDeletionPending' }),
  );
  const refused = await world.request('POST', COLLECTION, cronTab('c'));
  expect([refused.status, refused.json.message]).toEqual([
    403,
    'crontabs.stable.example.com "c" is forbidden: create not allowed while custom resource ' +
      'definition is terminating',
  ]);
  await world.until('the first is gone', () => isGone(`${COLLECTION}/a`));
  expect(await isGone(DEFINITION)).toBe(false);
  await world.request('PATCH', `${COLLECTION}/b`, { metadata: { finalizers: null } }, MERGE);
  await world.until('the definition is gone', () => isGone(DEFINITION));
  await world.until('its kind is gone', () => isGone('/apis/stable.example.com/v1'));
});

it('gives no two definitions of a group one name', async () => {
  await world.define(cronTabs());
  const other = cronTabs({
    names: { plural: 'timers', kind: 'Timer', shortNames: ['ct'], listKind: 'CronTabList' },
  });
  other.metadata.name = 'timers.stable.example.com';
  await world.request('POST', DEFINITIONS, other);
  const path = `${DEFINITIONS}/timers.stable.example.com`;
  const conditions = async () => (await world.request('GET', path)).json.status.conditions;
  await world.until('it is judged', async () => (await conditions()).length === 2);
  expect(await conditions()).toEqual([
    expect.objectContaining({
      ...{ type: 'NamesAccepted', status: 'False', reason: 'ListKindConflict' },
      message: '"CronTabList" is already in use',
    }),
    expect.objectContaining({ type: 'Established', status: 'False', reason: 'NotAccepted' }),
  ]);
  await world.request('DELETE', DEFINITION);
  const isEstablished = async () =>
    (await conditions()).some(
      (each: { type: string; status: string }) =>
        each.type === 'Established' && each.status === 'True',
    );
  await world.until('the names are free', isEstablished);
});

it('takes nothing from what is always there', async () => {
  const clash = cronTabs({
    group: 'rbac.authorization.k8s.io',
    names: { plural: 'roles', kind: 'Role' },
  });
  const annotations = { 'api-approved.kubernetes.io': 'unapproved, a test' };
  const metadata = { name: 'roles.rbac.authorization.k8s.io', annotations };
  await world.request('POST', DEFINITIONS, { ...clash, metadata });
  const path = `${DEFINITIONS}/${metadata.name}`;
  const conditions = async () => (await world.request('GET', path)).json.status.conditions;
  await world.until('it is judged', async () => (await conditions()).length === 2);
  expect((await conditions())[0].message).toBe('"RoleList" is already in use');
  const { json } = await world.request('GET', '/apis/rbac.authorization.k8s.io/v1');
  expect(json.resources.filter(({ kind }: { kind: string }) => kind === 'Role')).toHaveLength(1);
});

describe('several versions', () => {
  const V2 = '/apis/stable.example.com/v2/namespaces/default/crontabs';
  const v2 = version('v2', {
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: { cronSpec: { type: 'string' }, zone: { type: 'string', default: 'UTC' } },
          },
        },
      },
    },
  });

  it('show one object each in its own way', async () => {
    await world.define(cronTabs({}, version('v1'), v2));
    await world.request('POST', COLLECTION, cronTab('a', { image: 'x' }));
    const { json: seen } = await world.request('GET', `${V2}/a`);
    expect([seen.apiVersion, seen.spec]).toEqual([
      'stable.example.com/v2',
      { cronSpec: '* * * * */5', zone: 'UTC' },
    ]);
    const { json: list } = await world.request('GET', V2);
    expect([list.kind, list.apiVersion, list.items[0].spec.zone]).toEqual([
      'CronTabList',
      'stable.example.com/v2',
      'UTC',
    ]);
    const [event] = await world.server.watch(`${V2}?watch=1`, 1);
    expect(event?.object.apiVersion).toBe('stable.example.com/v2');
    const second = { ...cronTab('b', { zone: 'CET' }), apiVersion: 'stable.example.com/v2' };
    const { json: made } = await world.request('POST', V2, second);
    // What the version that is stored does not know is lost, as upstream loses it.
    expect(made.spec).toEqual({ cronSpec: '* * * * */5', zone: 'UTC' });
    const { json: stored } = await world.request('GET', `${COLLECTION}/b`);
    expect([stored.apiVersion, stored.spec]).toEqual([
      'stable.example.com/v1',
      { cronSpec: '* * * * */5', replicas: 1 },
    ]);
  });

  it('end their watches when they go, while others stay', async () => {
    await world.define(cronTabs({}, version('v1'), v2));
    await world.request('POST', COLLECTION, cronTab('a'));
    const { body } = await world.server.api.handle({
      method: 'GET',
      path: V2,
      query: new URLSearchParams({ watch: '1' }),
      headers: {},
      user: { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
      body: async () => Buffer.alloc(0),
      signal: new AbortController().signal,
    });
    const watch = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await watch.next();
    const end = watch.next();
    const versions = [version('v1'), { ...v2, served: false }];
    await world.request('PATCH', DEFINITION, { spec: { versions } }, MERGE);
    expect(await end).toMatchObject({ done: true });
    expect(await isGone(V2)).toBe(true);
    expect((await world.request('GET', `${COLLECTION}/a`)).status).toBe(200);
  });

  it('are remembered while objects may be stored in them', async () => {
    await world.define(cronTabs({}, version('v1'), v2));
    const versions = [version('v1', { storage: false }), { ...v2, storage: true }];
    const { json: changed } = await world.request(
      'PATCH',
      DEFINITION,
      { spec: { versions } },
      MERGE,
    );
    expect(changed.status.storedVersions).toEqual(['v1', 'v2']);
    const alone = { spec: { versions: [{ ...v2, storage: true }] } };
    const { status, json } = await world.request('PATCH', DEFINITION, alone, MERGE);
    expect([status, json.details.causes[0].field]).toEqual([422, 'status.storedVersions[0]']);
  });
});

it('fills defaults into what was stored without them', async () => {
  const { json: definition } = await world.define(cronTabs());
  await world.request('POST', COLLECTION, cronTab('a'));
  const [{ schema, ...rest }] = definition.spec.versions;
  const changed = structuredClone(schema);
  changed.openAPIV3Schema.properties.spec.properties.zone = { type: 'string', default: 'UTC' };
  delete changed.openAPIV3Schema.properties.spec.properties.replicas;
  const versions = [{ ...rest, schema: changed }];
  await world.request('PATCH', DEFINITION, { spec: { versions } }, MERGE);
  await world.until('the schema is in force', async () => {
    const { json } = await world.request('GET', `${COLLECTION}/a`);
    return JSON.stringify(json.spec) === '{"cronSpec":"* * * * */5","zone":"UTC"}';
  });
});
