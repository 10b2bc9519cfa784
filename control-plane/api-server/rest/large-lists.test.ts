import { startTestServer, type TestServer } from '../testing';

const MAPS = '/api/v1/namespaces/default/configmaps';
const COUNT = 3000;
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const METADATA = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

describe('a list of many objects', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
    for (let i = 0; i < COUNT; i++)
      await server.request('POST', MAPS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `c${String(i).padStart(5, '0')}`, labels: { half: String(i % 2) } },
        data: { text: 'x'.repeat(400) },
      });
  }, 120_000);
  afterAll(() => server[Symbol.asyncDispose]());

  const ask = (query: string, accept: string) =>
    server.request('GET', `${MAPS}${query}`, undefined, { headers: { accept } });

  it.each([
    ['whole', 'application/json', 'items'],
    ['as a table', TABLE, 'rows'],
    ['as metadata', METADATA, 'items'],
  ])('is complete and in order: %s', async (_title, accept, field) => {
    const { status, json } = await ask('', accept);
    expect(status).toBe(200);
    expect(json.metadata.resourceVersion).toMatch(/^\d+$/);
    const names = json[field].map(
      (member: { object?: { metadata: { name: string } }; metadata?: { name: string } }) =>
        (member.object ?? member).metadata?.name,
    );
    // The namespace has one of its own.
    expect(names.filter((name: string) => name !== 'kube-root-ca.crt')).toEqual(
      Array.from({ length: COUNT }, (_none, i) => `c${String(i).padStart(5, '0')}`),
    );
  });

  it('is the same in pieces and at once', async () => {
    const [large, small] = await Promise.all([ask('', TABLE), ask('?limit=1', TABLE)]);
    const { rows: _rows, metadata: _metadata, ...head } = large.json;
    expect(small.json).toMatchObject(head);
    expect(large.json.rows[0]).toEqual(small.json.rows[0]);
  });

  it('is searched completely', async () => {
    const { json } = await ask('?labelSelector=half%3D1', 'application/json');
    expect(json.items).toHaveLength(COUNT / 2);
    const lines = await server.watch(`${MAPS}?watch=1&labelSelector=half%3D1`, COUNT / 2);
    expect(lines).toHaveLength(COUNT / 2);
  });
});
