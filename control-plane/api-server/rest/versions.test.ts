import { startTestServer, type TestServer } from '../testing';

const MAPS = '/api/v1/namespaces/default/configmaps';
let server: TestServer;
/** Of the collection, after each of the changes below. */
let versions: string[];

const list = (query: string) => server.request('GET', `${MAPS}?${query}`);
const names = (json: { items: { metadata: { name: string } }[] }) =>
  json.items.map(({ metadata }) => metadata.name).join(' ');
const change = async (method: string, name: string, data?: object) => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
  const path = method === 'POST' ? MAPS : `${MAPS}/${name}`;
  const { status } = await server.request(method, path, object);
  expect(status).toBeLessThan(300);
  versions.push((await list('')).json.metadata.resourceVersion as string);
};

beforeEach(async () => {
  server = await startTestServer();
  versions = [];
  for (const name of ['b', 'd']) await change('POST', name);
  await change('POST', 'a');
  await change('PUT', 'b', { x: '1' });
  await change('DELETE', 'd');
});
afterEach(() => server[Symbol.asyncDispose]());

describe('a list at a version', () => {
  it.each([
    [0, 'b'],
    [1, 'b d'],
    [2, 'a b d'],
    [3, 'a b d'],
    [4, 'a b'],
  ])('is as it was after change %d: %s', async (change, expected) => {
    const version = versions[change]!;
    const { json } = await list(`resourceVersion=${version}&resourceVersionMatch=Exact`);
    expect([names(json), json.metadata.resourceVersion]).toEqual([expected, version]);
    const b = (json.items as { metadata: { name: string }; data?: object }[]).find(
      ({ metadata }) => metadata.name === 'b',
    );
    expect(b?.data).toEqual(change < 3 ? undefined : { x: '1' });
  });

  it('is meant by a version with a limit, as clients of old do', async () => {
    const { json } = await list(`resourceVersion=${versions[2]}&limit=2`);
    expect([names(json), json.metadata.remainingItemCount]).toEqual(['a b', 1]);
    const next = await list(`limit=2&continue=${json.metadata.continue}`);
    expect([names(next.json), next.json.metadata.resourceVersion]).toEqual(['d', versions[2]]);
  });

  it('is at least as new without one, and any at 0', async () => {
    const newest = versions[4];
    for (const query of [
      `resourceVersion=${versions[1]}`,
      `resourceVersion=${versions[1]}&resourceVersionMatch=NotOlderThan`,
      `resourceVersion=${versions[1]}&resourceVersionMatch=NotOlderThan&limit=5`,
      'resourceVersion=0',
      'resourceVersion=0&resourceVersionMatch=NotOlderThan',
      'resourceVersion=0&limit=5',
    ])
      expect((await list(query)).json.metadata.resourceVersion).toBe(newest);
  });

  it('is refused when it is forgotten', async () => {
    const { status, json } = await list('resourceVersion=1&resourceVersionMatch=Exact');
    expect([status, json.reason, json.message]).toEqual([
      410,
      'Expired',
      'The resourceVersion for the provided list is too old.',
    ]);
  });
});

const LIST_OPTIONS = 'ListOptions.meta.k8s.io "" is invalid: ';
const OLD = '1';

it.each([
  [
    'resourceVersionMatch=Exact',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
  ],
  [
    'resourceVersionMatch=Exact&resourceVersion=0',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"`,
  ],
  [
    'resourceVersionMatch=Other&resourceVersion=1',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Unsupported value: "Other": supported values: "Exact", "NotOlderThan", ""`,
  ],
  [
    'sendInitialEvents=true',
    422,
    `${LIST_OPTIONS}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`,
  ],
  [
    'resourceVersion=x',
    400,
    'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
  ],
  [
    'resourceVersion=-1',
    400,
    'invalid resource version: resourceVersion: Invalid value: "-1": strconv.ParseUint: parsing "-1": invalid syntax',
  ],
  [
    'resourceVersion=18446744073709551616',
    400,
    'invalid resource version: resourceVersion: Invalid value: "18446744073709551616": strconv.ParseUint: parsing "18446744073709551616": value out of range',
  ],
  ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  [
    'limit=9223372036854775808',
    400,
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  ],
  ['continue=x', 400, 'invalid continue token: continue key is not valid'],
  [
    `continue=${token({ v: 'other' })}`,
    400,
    'invalid continue token: server does not recognize this encoded version',
  ],
  [
    `continue=${token({ v: 'meta.k8s.io/v1', start: 'a/b' })}`,
    400,
    'invalid continue token: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
  ],
  [
    `continue=${token({ v: 'meta.k8s.io/v1', rv: 5 })}`,
    400,
    'invalid continue token: encoded start key empty (version meta.k8s.io/v1)',
  ],
  [
    `continue=${token({ v: 'meta.k8s.io/v1', rv: 5, start: 'a/b' })}&resourceVersion=${OLD}`,
    400,
    'specifying resource version is not allowed when using continue',
  ],
  [
    'watch=1&sendInitialEvents=true',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
  ],
  [
    'watch=1&resourceVersionMatch=NotOlderThan',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided`,
  ],
  [
    'watch=1&sendInitialEvents=1&resourceVersionMatch=NotOlderThan&continue=x',
    422,
    `${LIST_OPTIONS}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided`,
  ],
  [
    'watch=1&resourceVersion=x',
    422,
    'configmaps "" is invalid: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
  ],
  ['watch=1&timeoutSeconds=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
])('refuses ?%s', async (query, status, message) => {
  const answer = await list(query);
  expect([answer.status, answer.json.message]).toEqual([status, message]);
});

it.each(['limit=-1', 'limit=%2B2', 'resourceVersion=007', 'watch=false', 'watch=0', 'watch=False'])(
  'takes ?%s as upstream does',
  async (query) => {
    const { status, json } = await list(query);
    expect([status, json.kind]).toEqual([200, 'ConfigMapList']);
  },
);

describe('a watch', () => {
  const watch = async (query: string, count: number) =>
    (await server.watch(`${MAPS}?watch=yes&${query}`, count)).map(
      ({ type, object }) =>
        `${type} ${object.metadata.name ?? Object.keys(object.metadata.annotations ?? {}).join()}`,
    );
  const START = ['ADDED a', 'ADDED b'];
  const END = 'BOOKMARK k8s.io/initial-events-end';
  const INITIAL = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan';

  it.each([
    ['', START],
    ['resourceVersion=0', START],
    [INITIAL, START],
    [`${INITIAL}&resourceVersion=0`, START],
    [`${INITIAL}&resourceVersion=1`, START],
    [`${INITIAL}&allowWatchBookmarks=true`, [...START, END]],
    ['allowWatchBookmarks=true', [...START, END]],
    ['allowWatchBookmarks=true&resourceVersion=0', [...START, END]],
  ])('with ?%s begins with %p', async (query, expected) => {
    expect(await watch(query, expected.length)).toEqual(expected);
  });

  it.each(['', '&resourceVersion=0'])(
    'begins from now on without initial events%s',
    async (more) => {
      const query = `sendInitialEvents=false&resourceVersionMatch=NotOlderThan${more}`;
      const lines = watch(query, 1);
      // The watch has begun when it is told of this.
      await change('POST', 'new');
      expect(await lines).toEqual(['ADDED new']);
    },
  );

  it('tells metadata alone of its bookmarks too', async () => {
    const stop = new AbortController();
    const { body } = await server.api.handle({
      method: 'GET',
      path: MAPS,
      query: new URLSearchParams('watch=1&allowWatchBookmarks=1'),
      headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
      user: { name: 'admin', groups: ['system:masters'] },
      body: async () => Buffer.alloc(0),
      signal: stop.signal,
    });
    const kinds: string[] = [];
    for await (const batch of body as AsyncIterable<Uint8Array>) {
      for (const line of Buffer.from(batch).toString().trim().split('\n'))
        kinds.push((JSON.parse(line) as { object: { kind: string } }).object.kind);
      if (kinds.length === 3) break;
    }
    stop.abort();
    expect(kinds).toEqual(Array(3).fill('PartialObjectMetadata'));
  });

  it('ends at once with less than no time', async () => {
    const asking = list(`watch=1&timeoutSeconds=-5&resourceVersion=${versions[4]}`);
    await server.clock.advance(1);
    expect((await asking).status).toBe(200);
  });
});

function token(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}
