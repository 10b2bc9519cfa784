import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const CORE = '/api/v1/namespaces/default';
const limit = async (...limits: readonly object[]) => {
  const body = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'r' }, spec: { limits } };
  const answer = await server.request('POST', `${CORE}/limitranges`, body);
  expect(answer.status).toBe(201);
  return answer.json;
};
const create = async (resources: object = {}, spec: object = {}) =>
  (
    await server.request('POST', `${CORE}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'x', resources }], ...spec },
    })
  ).json;
const refusedFor = async (resources: object, spec: object = {}): Promise<string> => {
  const { reason, message } = await create(resources, spec);
  expect(reason).toBe('Forbidden');
  return (message as string).replace('pods "p" is forbidden: ', '');
};

it('derives what a range leaves out from what it says', async () => {
  const { spec } = await limit(
    {
      type: 'Container',
      max: { cpu: '2', memory: '1Gi' },
      min: { cpu: '100m', 'ephemeral-storage': '1Gi' },
    },
    { type: 'Pod', max: { cpu: '4' } },
  );
  expect(spec.limits).toEqual([
    expect.objectContaining({
      default: { cpu: '2', memory: '1Gi' },
      defaultRequest: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1Gi' },
    }),
    { type: 'Pod', max: { cpu: '4' } },
  ]);
});

it('gives containers, init containers too, what they do not say, and tells so', async () => {
  await limit({
    type: 'Container',
    default: { cpu: '2', memory: '2Gi' },
    defaultRequest: { cpu: '1' },
  });
  const { spec, metadata, status } = await create(
    { limits: { memory: '1Gi' } },
    { initContainers: [{ name: 'i', image: 'x' }] },
  );
  expect(spec.containers[0].resources).toEqual({
    limits: { cpu: '2', memory: '1Gi' },
    requests: { cpu: '1', memory: '1Gi' },
  });
  expect(spec.initContainers[0].resources).toEqual({
    limits: { cpu: '2', memory: '2Gi' },
    requests: { cpu: '1', memory: '2Gi' },
  });
  expect(metadata.annotations).toEqual({
    'kubernetes.io/limit-ranger':
      'LimitRanger plugin set: cpu request for container c; cpu limit for container c; ' +
      'cpu, memory request for init container i; cpu, memory limit for init container i',
  });
  expect(status.qosClass).toBe('Burstable');
});

it('leaves alone what says all of it', async () => {
  await limit({ type: 'Container', default: { cpu: '2' } });
  const { metadata } = await create({ limits: { cpu: '1' } });
  expect(metadata.annotations).toBeUndefined();
});

const BOTH = { requests: { cpu: '1' }, limits: { cpu: '3' } };

it.each<[string, object, object, string]>([
  ['min', { min: { memory: '1Gi' } }, {}, ''],
  [
    'min',
    { min: { cpu: '2' } },
    { requests: { cpu: '1' } },
    'minimum cpu usage per Container is 2, but request is 1',
  ],
  [
    'min',
    { min: { cpu: '2' }, defaultRequest: { cpu: '3' }, default: { cpu: '4' } },
    { requests: { cpu: '500m' }, limits: { cpu: '1' } },
    'minimum cpu usage per Container is 2, but request is 500m',
  ],
  [
    'max',
    { max: { cpu: '2' } },
    { limits: { cpu: '3' } },
    'maximum cpu usage per Container is 2, but limit is 3',
  ],
  [
    'max',
    { max: { cpu: '2', memory: '1Gi' } },
    { limits: { cpu: '3', memory: '2Gi' } },
    '[maximum cpu usage per Container is 2, but limit is 3, ' +
      'maximum memory usage per Container is 1Gi, but limit is 2Gi]',
  ],
  [
    'maxLimitRequestRatio',
    { maxLimitRequestRatio: { cpu: '2' } },
    BOTH,
    'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
  ],
  ['maxLimitRequestRatio', { maxLimitRequestRatio: { cpu: '3' } }, BOTH, ''],
  [
    'maxLimitRequestRatio',
    { maxLimitRequestRatio: { cpu: '2' } },
    {},
    'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
  ],
  [
    'maxLimitRequestRatio',
    { maxLimitRequestRatio: { cpu: '2' } },
    { requests: { cpu: '1' } },
    'cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0',
  ],
])('holds containers to %s of %j: %j', async (_name, item, resources, expected) => {
  await limit({ type: 'Container', ...item });
  const { message = '' } = await create(resources);
  const why = (message as string).replace('pods "p" is forbidden: ', '');
  expect(why).toBe(expected);
});

it('holds init containers to the same', async () => {
  await limit({ type: 'Container', max: { cpu: '2' } });
  const initContainers = [{ name: 'i', image: 'x', resources: { limits: { cpu: '3' } } }];
  expect(await refusedFor({}, { initContainers })).toBe(
    'maximum cpu usage per Container is 2, but limit is 3',
  );
});

it('holds the whole pod to what its containers need together', async () => {
  await limit({ type: 'Pod', max: { cpu: '3' }, min: { cpu: '1' } });
  const part = (name: string, cpu: string, more: object = {}) => ({
    ...{ name, image: 'x', resources: { limits: { cpu } }, ...more },
  });
  expect(await refusedFor({})).toBe(
    '[minimum cpu usage per Pod is 1.  No request is specified, ' +
      'maximum cpu usage per Pod is 3.  No limit is specified]',
  );
  expect(await refusedFor({ limits: { cpu: '2' } }, { initContainers: [part('i', '4')] })).toBe(
    'maximum cpu usage per Pod is 3, but limit is 4',
  );
  const sidecar = part('s', '2', { restartPolicy: 'Always' });
  expect(await refusedFor({ limits: { cpu: '2' } }, { initContainers: [sidecar] })).toBe(
    'maximum cpu usage per Pod is 3, but limit is 4',
  );
  const fitting = { initContainers: [part('i', '3')] };
  expect((await create({ limits: { cpu: '2' } }, fitting)).kind).toBe('Pod');
});

it('asks nothing of pods that are there, or elsewhere', async () => {
  await create();
  await limit({ type: 'Container', min: { cpu: '1' }, max: { cpu: '1' } });
  const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
  const label = { metadata: { labels: { a: 'b' } } };
  expect((await server.request('PATCH', `${CORE}/pods/p`, label, merge)).status).toBe(200);
  const elsewhere = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'q' } },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  };
  const there = await server.request('POST', '/api/v1/namespaces/kube-system/pods', elsewhere);
  expect(there.status).toBe(201);
});
