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
