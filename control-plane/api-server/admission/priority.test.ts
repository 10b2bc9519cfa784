import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';
const PODS = '/api/v1/namespaces/default/pods';
const priorityClass = (name: string, more: object = {}) => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  value: 1000,
  ...more,
});
const create = async (spec: object = {}) =>
  server.request('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'p-' },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  });

it('gives a pod the priority of its class', async () => {
  await server.request('POST', CLASSES, priorityClass('high', { preemptionPolicy: 'Never' }));
  const { json } = await create({ priorityClassName: 'high' });
  expect(json.spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
  expect((await create({ priorityClassName: 'nope' })).json.message).toContain(
    'no PriorityClass with name nope was found',
  );
  expect((await create({ priority: 7 })).json.message).toContain(
    'the integer value of priority (7) must not be provided in pod spec',
  );
});

it('gives a pod without class the default, of which there is one', async () => {
  expect((await create()).json.spec.priority).toBe(0);
  await server.request('POST', CLASSES, priorityClass('usual', { globalDefault: true }));
  await server.request('GET', CLASSES);
  expect((await create()).json.spec).toMatchObject({ priority: 1000, priorityClassName: 'usual' });
  const second = await server.request('POST', CLASSES, priorityClass('b', { globalDefault: true }));
  expect(second.json.message).toContain('PriorityClass usual is already marked as default');
});

it('has the classes of the system, and no others of their names', async () => {
  expect((await create({ priorityClassName: 'system-node-critical' })).json.spec.priority).toBe(
    2_000_001_000,
  );
  const reserved = await server.request('POST', CLASSES, priorityClass('system-mine'));
  expect(reserved.json.message).toContain('reserved for system use only');
  const high = await server.request('POST', CLASSES, priorityClass('x', { value: 2e9 }));
  expect(high.json.message).toContain('maximum allowed value of a user defined priority');
  await server.request('POST', CLASSES, priorityClass('high'));
  const changed = await server.request(
    'PUT',
    `${CLASSES}/high`,
    priorityClass('high', { value: 5 }),
  );
  expect(changed.json.message).toContain('value: Forbidden: may not be changed in an update.');
});
