import { cronTab, cronTabs, MERGE, openWorld, SCHEMA, version, type World } from './world';

let world: World;

beforeEach(async () => {
  world = await openWorld();
});

afterEach(() => world[Symbol.asyncDispose]());

const COLLECTION = '/apis/stable.example.com/v1/namespaces/default/crontabs';

const define = (changes: object, schema: object = SCHEMA) =>
  world.define(cronTabs({}, version('v1', { schema: { openAPIV3Schema: schema }, ...changes })));

const create = (name: string, spec: object = {}) =>
  world.request('POST', COLLECTION, cronTab(name, spec));

it('refuses objects that the schema does not allow, in words that say where', async () => {
  await define({});
  const { status, json } = await create('a', { cronSpec: 'never', replicas: 11 });
  expect([status, json.message]).toEqual([
    422,
    'CronTab.stable.example.com "a" is invalid: [spec.cronSpec: Invalid value: "never": ' +
      "spec.cronSpec in body should match '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', " +
      'spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10]',
  ]);
});

it('tells of unknown fields as strictly as it is asked to', async () => {
  await define({});
  const ask = (name: string, how: string) =>
    world.request('POST', `${COLLECTION}?fieldValidation=${how}`, cronTab(name, { typo: 1 }));
  expect((await ask('a', 'Strict')).json.message).toBe(
    'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field ' +
      '"spec.typo"',
  );
  const { status, headers, json } = await ask('a', 'Warn');
  expect([status, headers['warning'], json.spec.typo]).toEqual([
    201,
    ['299 - "unknown field \\"spec.typo\\""'],
    undefined,
  ]);
  expect((await ask('b', 'Ignore')).headers['warning']).toBeUndefined();
});

it('merges by JSON merge patches and JSON patches alone', async () => {
  await define({});
  await create('a');
  const type = { headers: { 'content-type': 'application/strategic-merge-patch+json' } };
  const { status, json } = await world.request('PATCH', `${COLLECTION}/a`, { spec: {} }, type);
  expect([status, json.message]).toEqual([
    415,
    expect.stringContaining('application/merge-patch+json, application/apply-patch+yaml'),
  ]);
  const patched = await world.request('PATCH', `${COLLECTION}/a`, { spec: { image: 'x' } }, MERGE);
  expect([patched.json.spec.image, patched.json.metadata.generation]).toEqual(['x', 2]);
});

it('replaces only what its author has seen', async () => {
  await define({});
  await create('a');
  const { status, json } = await world.request('PUT', `${COLLECTION}/a`, cronTab('a'));
  expect([status, json.message]).toEqual([
    422,
    'CronTab.stable.example.com "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be ' +
      'specified for an update',
  ]);
});

describe('with a status of its own', () => {
  it('keeps spec and status apart, and counts changes of the spec', async () => {
    await define({ subresources: { status: {} } });
    const { json: made } = await world.request('POST', COLLECTION, {
      ...cronTab('a'),
      status: { replicas: 3 },
    });
    expect(made.status).toBeUndefined();
    const patch = {
      status: { replicas: 2 },
      spec: { image: 'x' },
      metadata: { labels: { a: 'b' } },
    };
    const { json: told } = await world.request('PATCH', `${COLLECTION}/a/status`, patch, MERGE);
    expect([told.status, told.spec.image, told.metadata.labels, told.metadata.generation]).toEqual([
      { replicas: 2 },
      undefined,
      undefined,
      1,
    ]);
    const { json: changed } = await world.request('PATCH', `${COLLECTION}/a`, patch, MERGE);
    expect([changed.status, changed.spec.image, changed.metadata.generation]).toEqual([
      { replicas: 2 },
      'x',
      2,
    ]);
    const wrong = { status: { replicas: 'many' } };
    const refused = await world.request('PATCH', `${COLLECTION}/a/status`, wrong, MERGE);
    expect(refused.json.details.causes[0].field).toBe('status.replicas');
  });
});

it('counts changes of a status that is part of the object', async () => {
  await define({});
  await create('a');
  expect((await world.request('GET', `${COLLECTION}/a/status`)).status).toBe(404);
  const patch = { status: { replicas: 2 } };
  const { json } = await world.request('PATCH', `${COLLECTION}/a`, patch, MERGE);
  expect([json.status, json.metadata.generation]).toEqual([{ replicas: 2 }, 2]);
});

it('is scaled by the paths that its definition names', async () => {
  await define({
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.labelSelector',
      },
    },
  });
  await create('a');
  const status = { status: { replicas: 4, labelSelector: 'app=x' } };
  await world.request('PATCH', `${COLLECTION}/a/status`, status, MERGE);
  const { json: scale } = await world.request('GET', `${COLLECTION}/a/scale`);
  expect([scale.kind, scale.spec, scale.status]).toEqual([
    'Scale',
    { replicas: 1 },
    { replicas: 4, selector: 'app=x' },
  ]);
  const change = { spec: { replicas: 3 } };
  await world.request('PATCH', `${COLLECTION}/a/scale`, change, MERGE);
  const { json } = await world.request('GET', `${COLLECTION}/a`);
  expect([json.spec.replicas, json.metadata.generation]).toEqual([3, 2]);
});

it('prints the columns of its definition', async () => {
  await define({
    additionalPrinterColumns: [
      { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec', description: 'When.' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
      { name: 'Made', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      { name: 'None', type: 'string', jsonPath: '.spec.conditions[?(@.type=="Ready")].status' },
    ],
  });
  await create('a');
  const accept = { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } };
  const { json: table } = await world.request('GET', COLLECTION, undefined, accept);
  expect(
    table.columnDefinitions.map((each: { name: string; type: string; priority: number }) => [
      each.name,
      each.type,
      each.priority,
    ]),
  ).toEqual([
    ['Name', 'string', 0],
    ['Spec', 'string', 0],
    ['Replicas', 'integer', 1],
    ['Made', 'date', 0],
    ['None', 'string', 0],
  ]);
  expect(table.columnDefinitions[1].description).toBe('When.');
  expect(table.rows[0].cells).toEqual(['a', '* * * * */5', 1, expect.stringMatching(/s$/), null]);
});

it('is selected by the fields that its definition names', async () => {
  await define({ selectableFields: [{ jsonPath: '.spec.image' }] });
  await create('a', { image: 'x' });
  await create('b', { image: 'y' });
  const { json } = await world.request('GET', `${COLLECTION}?fieldSelector=spec.image%3Dy`);
  expect(json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
    'b',
  ]);
  const unknown = await world.request('GET', `${COLLECTION}?fieldSelector=spec.replicas%3D1`);
  expect([unknown.status, unknown.json.message]).toEqual([
    400,
    'field label not supported: spec.replicas',
  ]);
});

it('warns whoever uses a version that is deprecated', async () => {
  await define({ deprecated: true, deprecationWarning: 'use v2' });
  expect((await world.request('GET', COLLECTION)).headers['warning']).toEqual(['299 - "use v2"']);
});

it('is described to clients, with its list', async () => {
  await define({});
  const { json } = await world.request('GET', '/openapi/v3/apis/stable.example.com/v1');
  const { schemas } = json.components;
  expect(schemas['com.example.stable.v1.CronTab'].properties.spec.properties.replicas).toEqual({
    ...{ type: 'integer', minimum: 0, maximum: 10, default: 1 },
  });
  expect(schemas['com.example.stable.v1.CronTab'].properties.metadata.allOf[0].$ref).toContain(
    'ObjectMeta',
  );
  expect(schemas).toHaveProperty(['com.example.stable.v1.CronTabList']);
});

it('merges lists that are applied by their keys', async () => {
  const part = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, size: { type: 'integer' } },
  };
  const spec = {
    type: 'object',
    properties: {
      parts: {
        type: 'array',
        items: part,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
      plain: { type: 'array', items: { type: 'string' } },
    },
  };
  await define({}, { type: 'object', properties: { spec } });
  const apply = (manager: string, content: object) =>
    world.request(
      'PATCH',
      `${COLLECTION}/a?fieldManager=${manager}`,
      { ...cronTab('a'), spec: content },
      { headers: { 'content-type': 'application/apply-patch+yaml' } },
    );
  expect((await apply('one', { parts: [{ name: 'x', size: 1 }], plain: ['a'] })).status).toBe(201);
  const { json } = await apply('two', { parts: [{ name: 'y', size: 2 }] });
  expect(json.spec).toEqual({
    parts: [
      { name: 'x', size: 1 },
      { name: 'y', size: 2 },
    ],
    plain: ['a'],
  });
  const conflict = await apply('two', { plain: ['b'] });
  expect([conflict.status, conflict.json.details.causes[0].field]).toEqual([409, '.spec.plain']);
});

it('owns and is owned as all objects are', async () => {
  await define({});
  const { json: owner } = await create('owner');
  const { uid } = owner.metadata;
  const ownerReferences = [
    { apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'owner', uid },
  ];
  await world.request('POST', COLLECTION, cronTab('owned', {}, { ownerReferences }));
  const map = { metadata: { name: 'config', ownerReferences } };
  await world.request('POST', '/api/v1/namespaces/default/configmaps', map);
  await world.request('DELETE', `${COLLECTION}/owner`);
  for (const path of [`${COLLECTION}/owned`, '/api/v1/namespaces/default/configmaps/config'])
    await world.until(
      `${path} is collected`,
      async () => (await world.request('GET', path)).status === 404,
    );
});

it('is for those whom an aggregated role lets', async () => {
  await define({});
  const user = { name: 'ann', groups: ['system:authenticated'] };
  const RBAC = '/apis/rbac.authorization.k8s.io/v1';
  const ask = async () => (await world.request('GET', COLLECTION, undefined, { user })).status;
  await world.request('POST', `${RBAC}/clusterrolebindings`, {
    metadata: { name: 'ann' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'User', name: 'ann' }],
  });
  await world.request('GET', `${RBAC}/clusterrolebindings`);
  expect(await ask()).toBe(403);
  await world.request('POST', `${RBAC}/clusterroles`, {
    metadata: {
      name: 'crontabs-view',
      labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' },
    },
    rules: [{ apiGroups: ['stable.example.com'], resources: ['crontabs'], verbs: ['list'] }],
  });
  await world.until('the role counts', async () => (await ask()) === 200);
});
