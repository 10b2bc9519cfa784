import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const CORE = '/api/v1/namespaces/default';
const POD = `${CORE}/pods/p`;

const create = async (resources: object) =>
  (
    await server.request('POST', `${CORE}/pods`, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', labels: { a: 'b' } } },
      spec: { containers: [{ name: 'c', image: 'x', resources }] },
    })
  ).json;

const resized = (
  pod: Awaited<ReturnType<typeof create>>,
  resources: object,
  more: object = {},
) => ({
  ...pod,
  ...more,
  spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0], resources }] },
});

it('takes over resources alone, and counts a generation', async () => {
  const pod = await create({ requests: { cpu: '1' } });
  const metadata = { ...pod.metadata, labels: { a: 'other' } };
  const wanted = resized(pod, { requests: { cpu: '2' } }, { metadata });
  wanted.spec.containers[0].image = 'y';
  const { status, json } = await server.request('PUT', `${POD}/resize`, wanted);
  expect(status).toBe(200);
  expect(json.spec.containers[0]).toMatchObject({
    image: 'x',
    resources: { requests: { cpu: '2' } },
  });
  expect(json.metadata).toMatchObject({ generation: 2, labels: { a: 'b' } });
  expect((await server.request('GET', `${POD}/resize`)).json).toEqual(json);
});

it('leaves the resources of a pod to its subresource', async () => {
  const pod = await create({ requests: { cpu: '1' } });
  const { status, json } = await server.request(
    'PUT',
    POD,
    resized(pod, { requests: { cpu: '2' } }),
  );
  expect(status).toBe(422);
  expect(json.message).toContain('pod updates may not change fields other than');
});

it('notices containers that are missing, added or in another order', async () => {
  const pod = await create({ requests: { cpu: '1' } });
  const without = { ...pod, spec: { ...pod.spec, containers: [] } };
  const { status, json } = await server.request('PUT', `${POD}/resize`, without);
  expect(status).toBe(422);
  expect(json.message).toContain('containers may not be added or removed on resize');
});

it('holds a pod that is resized to the limit ranges of its namespace', async () => {
  await server.request('POST', `${CORE}/limitranges`, {
    ...{ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'r' } },
    spec: { limits: [{ type: 'Container', max: { cpu: '2' }, default: { cpu: '1' } }] },
  });
  const pod = await create({ requests: { cpu: '500m' } });
  const { status, json } = await server.request(
    'PUT',
    `${POD}/resize`,
    resized(pod, { requests: { cpu: '500m' }, limits: { cpu: '3' } }),
  );
  expect(status).toBe(403);
  expect(json.message).toBe(
    'pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 3',
  );
});
