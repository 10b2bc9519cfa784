import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const PODS = '/api/v1/namespaces/default/pods';
const pod = (name: string, more: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...more },
  spec: { containers: [{ name: 'c', image: 'nginx' }], ...spec },
});

describe('create', () => {
  it('stores the object with what the server adds', async () => {
    const { status, json } = await server.request('POST', PODS, pod('web'));
    expect(status).toBe(201);
    expect(json.metadata).toMatchObject({
      name: 'web',
      namespace: 'default',
      creationTimestamp: '2026-01-01T00:00:00Z',
      generation: 1,
    });
    expect(json.metadata.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
    expect(json.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
    const read = await server.request('GET', `${PODS}/web`);
    expect(read.json).toEqual(json);
  });

  it('refuses a pod of a generated name in the same words each time, as upstream', async () => {
    const body = pod('');
    const refused = {
      ...body,
      metadata: { generateName: 'web-' },
      spec: { ...body.spec, serviceAccountName: 'nobody' },
    };
    const { status, json } = await server.request('POST', PODS, refused);
    expect(status).toBe(403);
    expect((json as { message: string }).message).toBe(
      'pods "web-" is forbidden: error looking up service account default/nobody: ' +
        'serviceaccount "nobody" not found',
    );
  });

  it('makes a name from generateName', async () => {
    const body = { ...pod(''), metadata: { generateName: 'web-' } };
    const first = await server.request('POST', PODS, body);
    const second = await server.request('POST', PODS, body);
    expect(first.json.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
    expect(second.json.metadata.name).not.toBe(first.json.metadata.name);
  });

  it('refuses a second object of the name', async () => {
    await server.request('POST', PODS, pod('web'));
    const { status, json } = await server.request('POST', PODS, pod('web'));
    expect(status).toBe(409);
    expect(json).toMatchObject({ reason: 'AlreadyExists', message: 'pods "web" already exists' });
  });

  it('refuses a namespace that is not there', async () => {
    const { status, json } = await server.request(
      'POST',
      '/api/v1/namespaces/nope/pods',
      pod('web'),
    );
    expect([status, json.message]).toEqual([404, 'namespaces "nope" not found']);
  });

  it('stores nothing in a dry run', async () => {
    const { status } = await server.request('POST', `${PODS}?dryRun=All`, pod('web'));
    expect(status).toBe(201);
    expect((await server.request('GET', `${PODS}/web`)).status).toBe(404);
  });
});

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});
const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'c', image: 'nginx' }] },
    },
  },
});

describe('bad input', () => {
  it.each<[string, string, string, unknown, Record<string, string>, number, string]>([
    ['broken JSON', 'POST', PODS, '{"kind":', {}, 400, 'unexpected end of JSON input'],
    ['an empty body', 'POST', PODS, '', {}, 400, 'it is not a JSON object'],
    ['another kind', 'POST', PODS, configMap('a'), {}, 400, 'does not match the expected kind'],
    [
      'another version',
      'POST',
      PODS,
      { ...pod('a'), apiVersion: 'v2' },
      {},
      400,
      'does not match the expected API version',
    ],
    [
      'an unknown field',
      'POST',
      `${PODS}?fieldValidation=Strict`,
      pod('a', {}, { nosuch: 1 }),
      {},
      400,
      'strict decoding error: unknown field "spec.nosuch"',
    ],
    [
      'a field given twice',
      'POST',
      `${CONFIG_MAPS}?fieldValidation=Strict`,
      '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"k":"1","k":"2"}}',
      {},
      400,
      'duplicate field "data.k"',
    ],
    [
      'an unknown media type',
      'POST',
      PODS,
      'a: b',
      { 'content-type': 'text/x' },
      415,
      'unknown format',
    ],
    ['an Accept it cannot meet', 'GET', PODS, undefined, { accept: 'text/html' }, 406, 'accepted'],
    [
      'an unknown dryRun',
      'POST',
      `${PODS}?dryRun=Some`,
      pod('a'),
      {},
      422,
      'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some"',
    ],
    ['a bad limit', 'GET', `${PODS}?limit=two`, undefined, {}, 400, 'invalid syntax'],
    ['a bad version', 'GET', `${PODS}?resourceVersion=x`, undefined, {}, 400, 'resourceVersion'],
    [
      'a match without a version',
      'GET',
      `${PODS}?resourceVersionMatch=Exact`,
      undefined,
      {},
      422,
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: ' +
        'resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      'an unknown match',
      'GET',
      `${PODS}?resourceVersionMatch=Foo&resourceVersion=1`,
      undefined,
      {},
      422,
      'resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", ""',
    ],
    [
      'initial events of a list',
      'GET',
      `${PODS}?sendInitialEvents=true`,
      undefined,
      {},
      422,
      'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
    ],
    [
      'initial events of no known age',
      'GET',
      `${PODS}?watch=1&sendInitialEvents=true`,
      undefined,
      {},
      422,
      'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      'a match for a plain watch',
      'GET',
      `${PODS}?watch=1&resourceVersionMatch=NotOlderThan`,
      undefined,
      {},
      422,
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
    [
      'a body nested without bounds',
      'POST',
      PODS,
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      {},
      413,
      'json: exceeded max depth: limit is 500',
    ],
    [
      'a patch nested without bounds',
      'PATCH',
      `${PODS}/web`,
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      { 'content-type': 'application/merge-patch+json' },
      413,
      'json: exceeded max depth: limit is 500',
    ],
    [
      'a bad label selector',
      'GET',
      `${PODS}?labelSelector=app%3D%3D(x`,
      undefined,
      {},
      400,
      "unable to parse requirement: found '(', expected: identifier",
    ],
    [
      'an unknown field selector',
      'GET',
      `${PODS}?fieldSelector=spec.foo%3D1`,
      undefined,
      {},
      400,
      'field label not supported: spec.foo',
    ],
    ['a bad continue token', 'GET', `${PODS}?continue=abc`, undefined, {}, 400, 'continue key'],
    ['an unknown path', 'GET', '/api/v1/nosuch', undefined, {}, 404, 'could not find'],
    ['a method that does not fit', 'PUT', PODS, pod('a'), {}, 405, 'does not allow this method'],
    [
      'another namespace',
      'POST',
      PODS,
      pod('a', { namespace: 'kube-system' }),
      {},
      400,
      'does not match the namespace sent on the request',
    ],
    ['no name', 'POST', PODS, pod(''), {}, 422, 'name or generateName is required'],
    ['bad JSON types', 'POST', PODS, pod('a', {}, { containers: 1 }), {}, 400, 'cannot unmarshal'],
  ])('refuses %s', async (_title, method, path, body, headers, status, message) => {
    const answer = await server.request(method, path, body, { headers });
    expect(answer.json).toMatchObject({ kind: 'Status', status: 'Failure', code: status });
    expect(answer.json.message).toContain(message);
    expect(answer.status).toBe(status);
  });

  it.each([
    ['{"a":'.repeat(50_000), 'json'],
    ['['.repeat(50_000), 'yaml'],
    [
      `{"kind":"Pod","apiVersion":"v1","metadata":${'{"a":'.repeat(9000)}1${'}'.repeat(9001)}`,
      'json',
    ],
  ])('survives depth', async (body, type) => {
    const headers = { 'content-type': `application/${type}` };
    const { status } = await server.request('POST', PODS, body, { headers });
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('takes YAML, one document of it', async () => {
    const headers = { 'content-type': 'application/yaml' };
    const one = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {a: "1"}\n';
    const created = await server.request('POST', CONFIG_MAPS, one, { headers });
    expect([created.status, created.json.data]).toEqual([201, { a: '1' }]);
    const two = await server.request('POST', CONFIG_MAPS, `${one}---\n${one}`, { headers });
    expect(two.json.message).toContain('one document is expected');
    const twice = await server.request(
      'POST',
      `${CONFIG_MAPS}?fieldValidation=Strict`,
      one.replace('\ndata:', '\nkind: ConfigMap\ndata:'),
      { headers },
    );
    expect(twice.json.message).toContain('duplicate field "kind"');
  });

  it('warns of an unknown field when asked to', async () => {
    const { status, headers } = await server.request(
      'POST',
      `${PODS}?fieldValidation=Warn`,
      pod('a', {}, { nosuch: 1 }),
    );
    expect(status).toBe(201);
    expect(headers['warning']).toContain('299 - "unknown field \\"spec.nosuch\\""');
  });
});

describe('update', () => {
  beforeEach(async () => {
    await server.request('POST', CONFIG_MAPS, configMap('cfg', { data: { a: '1' } }));
  });

  it('replaces the object and keeps what the server set', async () => {
    const { json: before } = await server.request('GET', `${CONFIG_MAPS}/cfg`);
    const next = configMap('cfg', { data: { b: '2' } });
    const { status, json } = await server.request('PUT', `${CONFIG_MAPS}/cfg`, next);
    expect(status).toBe(200);
    expect(json.data).toEqual({ b: '2' });
    expect(json.metadata.uid).toBe(before.metadata.uid);
    expect(Number(json.metadata.resourceVersion)).toBeGreaterThan(
      Number(before.metadata.resourceVersion),
    );
  });

  it('writes nothing when nothing changes', async () => {
    const { json: before } = await server.request('GET', `${CONFIG_MAPS}/cfg`);
    const { json } = await server.request('PUT', `${CONFIG_MAPS}/cfg`, before);
    expect(json.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });

  it('refuses an update of an older version', async () => {
    const { json: before } = await server.request('GET', `${CONFIG_MAPS}/cfg`);
    await server.request('PUT', `${CONFIG_MAPS}/cfg`, { ...before, data: { a: '2' } });
    const late = await server.request('PUT', `${CONFIG_MAPS}/cfg`, { ...before, data: { a: '3' } });
    expect([late.status, late.json.reason]).toEqual([409, 'Conflict']);
    expect(late.json.message).toContain('the object has been modified');
  });

  it('refuses an update meant for another object of the name', async () => {
    const next = { ...configMap('cfg'), metadata: { name: 'cfg', uid: 'abc' } };
    const { json } = await server.request('PUT', `${CONFIG_MAPS}/cfg`, next);
    expect(json.message).toContain('Precondition failed: UID in precondition: abc');
  });

  it('answers NotFound, except for kinds that a PUT may create', async () => {
    const missing = await server.request('PUT', `${CONFIG_MAPS}/no`, configMap('no'));
    expect(missing.status).toBe(404);
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l' },
      spec: {},
    };
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
    expect((await server.request('PUT', path, lease)).status).toBe(201);
  });

  it('lets fifty writers each add a key without losing one', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        server.request(
          'PATCH',
          `${CONFIG_MAPS}/cfg`,
          { data: { [`k${i}`]: 'x' } },
          { headers: { 'content-type': 'application/merge-patch+json' } },
        ),
      ),
    );
    const { json } = await server.request('GET', `${CONFIG_MAPS}/cfg`);
    expect(Object.keys(json.data)).toHaveLength(51);
  });
});

describe('generation and status', () => {
  beforeEach(async () => {
    await server.request('POST', DEPLOYMENTS, deployment('web'));
  });

  it('counts changes of the spec, not of labels or status', async () => {
    const patchWith = async (path: string, body: object) =>
      (
        await server.request('PATCH', path, body, {
          headers: { 'content-type': 'application/merge-patch+json' },
        })
      ).json;
    const path = `${DEPLOYMENTS}/web`;
    expect((await patchWith(path, { metadata: { labels: { a: 'b' } } })).metadata.generation).toBe(
      1,
    );
    expect((await patchWith(path, { spec: { replicas: 3 } })).metadata.generation).toBe(2);
    const status = await patchWith(`${path}/status`, { status: { replicas: 3 } });
    expect(status.metadata.generation).toBe(2);
    expect(status.status.replicas).toBe(3);
  });

  it('keeps status and spec apart', async () => {
    const path = `${DEPLOYMENTS}/web`;
    const { json } = await server.request('GET', path);
    const both = {
      ...json,
      spec: { ...json.spec, replicas: 7 },
      status: { ...json.status, replicas: 9 },
    };
    const main = await server.request('PUT', path, { ...both, metadata: { name: 'web' } });
    expect([main.json.spec.replicas, main.json.status.replicas]).toEqual([7, undefined]);
    const status = await server.request('PUT', `${path}/status`, {
      ...both,
      metadata: { name: 'web' },
      spec: { ...json.spec, replicas: 1 },
    });
    expect([status.json.spec.replicas, status.json.status.replicas]).toEqual([7, 9]);
  });

  it('scales through /scale', async () => {
    const path = `${DEPLOYMENTS}/web/scale`;
    const { json: scale } = await server.request('GET', path);
    expect(scale).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 2 },
      status: { selector: 'app=web' },
    });
    const as = (what: string) => ({
      headers: { accept: `application/json;as=${what};v=v1;g=meta.k8s.io` },
    });
    const { json: table } = await server.request('GET', path, undefined, as('Table'));
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      ...['Name', 'Desired', 'Available', 'Age'],
    ]);
    expect(table.rows).toMatchObject([{ cells: ['web', 2, 0, expect.any(String)] }]);
    expect(
      (await server.request('GET', path, undefined, as('PartialObjectMetadata'))).json,
    ).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'web' } });
    const put = await server.request('PUT', path, { ...scale, spec: { replicas: 5 } });
    expect(put.json.spec.replicas).toBe(5);
    const stale = await server.request('PUT', path, { ...scale, spec: { replicas: 6 } });
    expect(stale.status).toBe(409);
    const negative = await server.request(
      'PATCH',
      path,
      { spec: { replicas: -1 } },
      { headers: { 'content-type': 'application/merge-patch+json' } },
    );
    expect(negative.status).toBe(422);
  });
});

describe('patch', () => {
  const patchWith = (type: string, body: unknown, path = `${PODS}/web`) =>
    server.request('PATCH', path, body, { headers: { 'content-type': `application/${type}` } });

  beforeEach(async () => {
    await server.request('POST', PODS, pod('web', { labels: { a: '1', b: '2' } }));
  });

  it.each<[string, unknown]>([
    ['merge-patch+json', { metadata: { labels: { a: null, c: '3' } } }],
    ['strategic-merge-patch+json', { metadata: { labels: { a: null, c: '3' } } }],
    [
      'json-patch+json',
      [
        { op: 'remove', path: '/metadata/labels/a' },
        { op: 'add', path: '/metadata/labels/c', value: '3' },
      ],
    ],
  ])('%s changes the labels', async (type, body) => {
    const { status, json } = await patchWith(type, body);
    expect(status).toBe(200);
    expect(json.metadata.labels).toEqual({ b: '2', c: '3' });
  });

  it('merges containers by name, strategically', async () => {
    const body = { spec: { containers: [{ name: 'c', image: 'nginx:2' }] } };
    const { json } = await patchWith('strategic-merge-patch+json', body);
    expect(json.spec.containers).toHaveLength(1);
    expect(json.spec.containers[0]).toMatchObject({ image: 'nginx:2', imagePullPolicy: 'Always' });
  });

  it('refuses what does not apply, and what may not change', async () => {
    const failing = await patchWith('json-patch+json', [
      { op: 'test', path: '/metadata/name', value: 'x' },
    ]);
    expect(failing.status).toBe(422);
    const uid = await patchWith('merge-patch+json', { metadata: { uid: 'x' } });
    expect(uid.json.message).toContain('metadata.uid: Invalid value: "x": field is immutable');
    const version = await patchWith('merge-patch+json', { metadata: { resourceVersion: '1' } });
    expect(version.status).toBe(409);
    const name = await patchWith('merge-patch+json', { metadata: { name: 'other' } });
    expect(name.status).toBe(400);
  });

  it('keeps a hostile key plain data', async () => {
    await patchWith('merge-patch+json', '{"metadata":{"labels":{"__proto__":"x"}}}');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

it('names the media types that it takes, and no more', async () => {
  const headers = { 'content-type': 'text/x' };
  const { json } = await server.request('PATCH', `${PODS}/web`, {}, { headers });
  expect((json as { message: string }).message).toBe(
    'the body of the request was in an unknown format - accepted media types include: ' +
      'application/json-patch+json, application/merge-patch+json, ' +
      'application/strategic-merge-patch+json, application/apply-patch+yaml',
  );
});
