import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const define = (name: string, more: object = {}) =>
  server.request('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name },
    handler: 'dhow',
    ...more,
  });

const create = (spec: object) =>
  server.request('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  });

const refused = async (spec: object): Promise<unknown> => {
  const { status, json } = await create(spec);
  expect(status).toBe(403);
  return json.message;
};

it('runs nobody without the sandbox that they ask for', async () => {
  expect(await refused({ runtimeClassName: 'gvisor' })).toBe(
    'pods "a" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
  );
});

it('gives a pod what its class says of it', async () => {
  await define('boxed', {
    overhead: { podFixed: { cpu: '250m', memory: '120Mi' } },
    scheduling: {
      nodeSelector: { box: 'yes' },
      tolerations: [{ key: 'box', operator: 'Exists', effect: 'NoSchedule' }],
    },
  });
  const { status, json } = await create({
    runtimeClassName: 'boxed',
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'box', operator: 'Equal', value: 'a', effect: 'NoSchedule' }],
    overhead: { memory: '120Mi', cpu: '0.25' },
  });
  expect(status).toBe(201);
  expect(json.spec).toMatchObject({
    overhead: { cpu: '250m', memory: '120Mi' },
    nodeSelector: { box: 'yes', disk: 'ssd' },
  });
  expect(json.spec.tolerations).toContainEqual({
    key: 'box',
    operator: 'Exists',
    effect: 'NoSchedule',
  });
  expect(json.spec.tolerations.filter(({ key }: { key: string }) => key === 'box')).toHaveLength(1);
});

it('leaves a pod as it is whose class says nothing of it', async () => {
  await define('plain');
  const { json } = await create({ runtimeClassName: 'plain' });
  expect(json.spec).not.toHaveProperty('overhead');
  expect(json.spec).not.toHaveProperty('nodeSelector');
});

it('lets nobody contradict the class', async () => {
  await define('boxed', {
    overhead: { podFixed: { cpu: '250m' } },
    scheduling: { nodeSelector: { box: 'yes' } },
  });
  expect(await refused({ runtimeClassName: 'boxed', overhead: { cpu: '1m' } })).toBe(
    'pods "a" is forbidden: pod rejected: ' +
      "Pod's Overhead doesn't match RuntimeClass's defined Overhead",
  );
  expect(await refused({ runtimeClassName: 'boxed', nodeSelector: { box: 'no' } })).toBe(
    'pods "a" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[box] = yes; ' +
      'pod.spec.nodeSelector[box] = no',
  );
  expect(await refused({ overhead: { cpu: '1m' } })).toBe(
    'pods "a" is forbidden: pod rejected: ' +
      'Pod Overhead set without corresponding RuntimeClass defined Overhead',
  );
});

it('knows what a class may say, and that its handler stays', async () => {
  const { json } = await define('bad', {
    handler: 'No Such',
    overhead: { podFixed: { cpu: '-1', colour: '1' } },
    scheduling: {
      nodeSelector: { 'a b': 'c' },
      tolerations: [{ key: 'k', operator: 'Sometimes' }],
    },
  });
  const fields = json.details.causes.map(({ field }: { field: string }) => field);
  expect(new Set(fields)).toEqual(
    new Set([
      'handler',
      'overhead.limits[cpu]',
      'overhead.limits',
      'scheduling.nodeSelector',
      'scheduling.tolerations[0].operator',
    ]),
  );
  await define('good');
  const changed = await server.request('PUT', '/apis/node.k8s.io/v1/runtimeclasses/good', {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'good' },
    handler: 'x',
  });
  expect(changed.json.message).toContain('handler: Invalid value: "x": field is immutable');
});
