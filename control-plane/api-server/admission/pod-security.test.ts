import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
const NAMESPACE = '/api/v1/namespaces/shop';
const P = 'pod-security.kubernetes.io';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const namespace = async (labels: object) => {
  const answer = await server.request('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels },
  });
  await server.request('GET', '/api/v1/namespaces');
  return answer;
};
const SPEC = {
  // A patch below replaces the containers, whose mounts may not change.
  automountServiceAccountToken: false,
  containers: [{ name: 'c', image: 'x', securityContext: { privileged: true } }],
};
const create = (name: string, spec: object = SPEC, metadata = {}) =>
  server.request('POST', `${NAMESPACE}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec,
  });

it('refuses what the namespace forbids, however it is written', async () => {
  await namespace({ [`${P}/enforce`]: 'baseline' });
  const why =
    'violates PodSecurity "baseline:latest": privileged (container "c" must not set ' +
    'securityContext.privileged=true)';
  const { status, json } = await create('a');
  expect([status, json.message]).toEqual([403, `pods "a" is forbidden: ${why}`]);
  expect((await create('a', SPEC, { name: undefined, generateName: 'a-' })).json.message).toContain(
    why,
  );
  const applied = await server.request(
    'PATCH',
    `${NAMESPACE}/pods/a?fieldManager=m`,
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: SPEC },
    { headers: { 'content-type': 'application/apply-patch+yaml' } },
  );
  expect(applied.json.message).toContain(why);
  const dry = await server.request('POST', `${NAMESPACE}/pods?dryRun=All`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: SPEC,
  });
  expect(dry.status).toBe(403);
  expect((await create('plain', { containers: [{ name: 'c', image: 'x' }] })).status).toBe(201);
});

it('warns of workloads and lets them be', async () => {
  await namespace({ [`${P}/enforce`]: 'baseline', [`${P}/enforce-version`]: 'v1.30' });
  const { status, headers } = await server.request(
    'POST',
    '/apis/apps/v1/namespaces/shop/deployments',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: SPEC },
      },
    },
  );
  expect(status).toBe(201);
  expect(String(headers['warning'])).toContain(
    'would violate PodSecurity \\"baseline:v1.30\\": privileged',
  );
});

it('tells of pods that a new label would have forbidden, and lets them change in peace', async () => {
  await namespace({});
  for (const name of ['a', 'b']) expect((await create(name)).status).toBe(201);
  await server.request('GET', `${NAMESPACE}/pods`);
  const body = { metadata: { labels: { [`${P}/enforce`]: 'baseline' } } };
  const { status, headers } = await server.request('PATCH', NAMESPACE, body, MERGE);
  expect(status).toBe(200);
  expect(headers['warning']).toEqual([
    expect.stringContaining('existing pods in namespace'),
    expect.stringContaining('a (and 1 other pod): privileged'),
  ]);
  await server.request('GET', '/api/v1/namespaces');
  const labelled = await server.request(
    'PATCH',
    `${NAMESPACE}/pods/a`,
    { metadata: { labels: { x: 'y' } } },
    MERGE,
  );
  expect(labelled.status).toBe(200);
  const other = { spec: { containers: [{ ...SPEC.containers[0], image: 'other' }] } };
  expect((await server.request('PATCH', `${NAMESPACE}/pods/a`, other, MERGE)).status).toBe(403);
});

it.each([
  [{ [`${P}/enforce`]: 'strict' }, 422],
  [{ [`${P}/warn-version`]: 'newest' }, 422],
  [{ [`${P}/audit`]: 'restricted' }, 201],
])('takes labels that name standards: %j', async (labels, status) => {
  const answer = await namespace(labels);
  expect(answer.status).toBe(status);
  expect(answer.headers['warning']).toBeUndefined();
});
