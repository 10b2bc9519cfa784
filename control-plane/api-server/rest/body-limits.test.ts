import { startTestServer, type Answer, type TestServer } from '../testing';

const MAPS = '/api/v1/namespaces/default/configmaps';

const keys = (count: number, value = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_none, i) => [`k${i}`, value]));

const configMap = (data: object) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a' },
  data,
});

const yamlOf = (count: number) =>
  `kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata:\n${'  k: v\n'.repeat(count)}`;

/** A protobuf body whose ConfigMap holds so many empty entries. */
const protobufOf = (count: number) => {
  const field = (number: number, bytes: Buffer) => {
    const length: number[] = [];
    for (let rest = bytes.length; length.length === 0 || rest > 0; rest = Math.floor(rest / 128))
      length.push((rest % 128) + (rest >= 128 ? 128 : 0));
    return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
  };
  const typeMeta = Buffer.concat([field(1, Buffer.from('v1')), field(2, Buffer.from('ConfigMap'))]);
  const raw = Buffer.concat(Array.from({ length: count }, () => field(2, Buffer.alloc(0))));
  return Buffer.concat([Buffer.from('k8s\0'), field(1, typeMeta), field(2, raw)]);
};

const patchType = (type: string) => ({ 'content-type': `application/${type}` });
const [MERGE, STRATEGIC, JSON_PATCH, APPLY] = [
  'merge-patch+json',
  'strategic-merge-patch+json',
  'json-patch+json',
  'apply-patch+yaml',
].map(patchType);

const expectTooLarge = ({ status, json }: Answer, message: string | RegExp) => {
  expect({ status, reason: json.reason }).toEqual({ status: 413, reason: 'RequestEntityTooLarge' });
  expect(json.message).toMatch(message);
};

describe('a body beyond a limit', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
    await server.request('POST', MAPS, configMap({ k0: 'v' }));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const many = configMap(keys(230_000));
  const some = configMap(keys(15_000));
  const apply = `${MAPS}/a?fieldManager=m`;
  it.each([
    ['a create', 'POST', MAPS, many, {}, 'limit is 30000 values in a body'],
    ['a rehearsal', 'POST', `${MAPS}?dryRun=All`, many, {}, 'limit is 30000 values in a body'],
    ['an object', 'POST', MAPS, some, {}, 'limit is 10000 values in an object'],
    ['an update', 'PUT', `${MAPS}/a`, some, {}, 'limit is 10000 values in an object'],
    ['a merge', 'PATCH', `${MAPS}/a`, some, MERGE, 'limit is 10000 values in an object'],
    ['a strategic merge', 'PATCH', `${MAPS}/a`, some, STRATEGIC, 'limit is 10000 values'],
    ['an apply', 'PATCH', apply, some, APPLY, 'limit is 10000 values in an object'],
    ['an apply with space first', 'PATCH', apply, ` \n${JSON.stringify(many)}`, APPLY, 'limit is'],
    ['an apply in YAML', 'PATCH', apply, yamlOf(10_000), APPLY, 'more than 20000 words and marks'],
    ['YAML', 'POST', MAPS, yamlOf(10_000), { 'content-type': 'application/yaml' }, 'more than'],
    [
      'nested YAML',
      'POST',
      MAPS,
      '? '.repeat(20_000),
      { 'content-type': 'application/yaml' },
      'nested too deeply',
    ],
    [
      'protobuf',
      'POST',
      MAPS,
      protobufOf(300_000),
      { 'content-type': 'application/vnd.kubernetes.protobuf' },
      'limit is 30000 fields',
    ],
    [
      'a JSON patch',
      'PATCH',
      `${MAPS}/a`,
      Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' })),
      JSON_PATCH,
      'The allowed maximum operations in a JSON patch is 10000, got 10001',
    ],
    [
      'a value in a JSON patch',
      'PATCH',
      `${MAPS}/a`,
      [{ op: 'add', path: '/data', value: keys(100_000) }],
      JSON_PATCH,
      'limit is 64000 values in a body',
    ],
    [
      'an object that a JSON patch makes',
      'PATCH',
      `${MAPS}/a`,
      [{ op: 'add', path: '/data', value: keys(15_000) }],
      JSON_PATCH,
      'limit is 10000 values in an object',
    ],
    [
      'options of a deletion',
      'DELETE',
      `${MAPS}/a`,
      { preconditions: keys(100_000) },
      {},
      'limit is 30000 values in a body',
    ],
    [
      'a review',
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      { spec: keys(100_000) },
      {},
      'limit is 30000 values in a body',
    ],
    ['a key', 'POST', MAPS, configMap({ ['k'.repeat(9000)]: 'v' }), {}, 'limit is 8192 bytes'],
  ])('is refused by name: %s', async (_title, method, path, body, headers, message) => {
    expectTooLarge(
      await server.request(method, path, body, { headers: headers as Record<string, string> }),
      message,
    );
  });

  it('is refused where patches make an object grow little by little', async () => {
    const patch = (from: number) =>
      server.request(
        'PATCH',
        `${MAPS}/a`,
        { data: Object.fromEntries(Object.keys(keys(4000)).map((key) => [`${key}-${from}`, 'v'])) },
        { headers: MERGE ?? {} },
      );
    expect((await patch(0)).status).toBe(200);
    expect((await patch(1)).status).toBe(200);
    expectTooLarge(await patch(2), 'limit is 10000 values in an object');
  });

  it('is refused where it is more than the store takes', async () => {
    const text = 'x'.repeat(1_600_000);
    const secret = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'b', annotations: { a: 'v' } },
      data: { text },
    };
    for (const query of ['', '?dryRun=All']) {
      const { status } = await server.request('POST', `${MAPS}${query}`, secret);
      // Kubernetes' own bound on the data of a ConfigMap comes first.
      expect(status).toBe(422);
    }
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: { namespace: 'default' },
      action: text,
    };
    const events = '/api/v1/namespaces/default/events';
    for (const query of ['', '?dryRun=All'])
      expectTooLarge(
        await server.request('POST', `${events}${query}`, event),
        'Request entity too large: limit is 1556480',
      );
  });
});

it('takes an object at the limit, whole and in every kind of change', async () => {
  await using server = await startTestServer();
  const data = keys(9000);
  expect((await server.request('POST', MAPS, configMap(data))).status).toBe(201);
  const got = await server.request('GET', `${MAPS}/a`);
  expect((await server.request('PUT', `${MAPS}/a`, got.text)).status).toBe(200);
  for (const headers of [MERGE, STRATEGIC, APPLY]) {
    const body = configMap({ ...data, k0: String(headers?.['content-type']) });
    const path = headers === APPLY ? `${MAPS}/a?fieldManager=m&force=true` : `${MAPS}/a`;
    const { status } = await server.request('PATCH', path, body, { headers: headers ?? {} });
    expect([headers, status]).toEqual([headers, 200]);
  }
});

it('lets the event loop turn between the steps of heavy work', async () => {
  await using server = await startTestServer();
  let isDone = false;
  const heavy = server.request('POST', MAPS, configMap(keys(9000))).then(() => (isDone = true));
  let turnCount = 0;
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    turnCount++;
  }
  await heavy;
  expect(turnCount).toBeGreaterThanOrEqual(6);
});
