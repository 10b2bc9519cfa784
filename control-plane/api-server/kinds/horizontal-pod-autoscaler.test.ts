import { startTestServer, type TestServer } from '../testing';

const OLD = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
const NEW = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';
const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };
const APPLY = { headers: { 'content-type': 'application/apply-patch+yaml' } };

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const autoscaler = (version: string, spec: object = {}, metadata: object = {}) => ({
  ...{ apiVersion: `autoscaling/${version}`, kind: 'HorizontalPodAutoscaler' },
  metadata: { name: 'web', ...metadata },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    ...{ maxReplicas: 3, ...spec },
  },
});
const at = '2026-01-01T00:00:00Z';
const conditions = [
  { type: 'AbleToScale', status: 'True', lastTransitionTime: at, reason: 'R', message: 'm' },
];
const made = async (spec: object = {}) => {
  const { status, json } = await server.request('POST', OLD, autoscaler('v1', spec));
  expect(status).toBe(201);
  return json;
};

it('is one object in both versions, and watched in each', async () => {
  const { spec, status } = await made({ targetCPUUtilizationPercentage: 50 });
  expect(spec).toMatchObject({ minReplicas: 1, targetCPUUtilizationPercentage: 50 });
  expect(status).toEqual({ currentReplicas: 0, desiredReplicas: 0 });
  const { json } = await server.request('GET', `${NEW}/web`);
  expect(json.apiVersion).toBe('autoscaling/v2');
  expect(json.spec.metrics[0].resource.target.averageUtilization).toBe(50);
  const [line] = await server.watch(`${OLD}?watch=1`, 1);
  expect(line).toMatchObject({ type: 'ADDED', object: { apiVersion: 'autoscaling/v1' } });
  expect((await server.request('DELETE', `${OLD}/web`)).status).toBe(200);
  expect((await server.request('GET', `${NEW}/web`)).status).toBe(404);
});

it('says what is wrong of the object that it is', async () => {
  const { json } = await server.request('POST', OLD, {
    ...autoscaler('v1', { targetCPUUtilizationPercentage: 0, maxReplicas: 0 }),
  });
  expect(json.message).toContain('spec.maxReplicas: Invalid value: 0');
  expect(json.message).toContain('spec.metrics[0].resource.target.averageUtilization');
});

it('shows what the older version has no field for, and lets nobody write a status by it', async () => {
  await made();
  await server.request('PATCH', `${NEW}/web/status`, { status: { conditions } }, MERGE);
  const { json } = await server.request('GET', `${OLD}/web`);
  const name = `${PREFIX}conditions`;
  expect(JSON.parse(json.metadata.annotations[name])).toEqual(conditions);
  json.metadata.annotations[name] = '[{"type":"Forged","status":"True"}]';
  json.spec.maxReplicas = 5;
  expect((await server.request('PUT', `${OLD}/web`, json)).status).toBe(200);
  const after = (await server.request('GET', `${NEW}/web`)).json;
  expect(after.spec.maxReplicas).toBe(5);
  expect(after.status.conditions).toEqual(conditions);
  expect(after.metadata.annotations).toBeUndefined();
});

it('lets nobody write a spec by the status', async () => {
  await made();
  const { json } = await server.request('GET', `${OLD}/web`);
  const metrics = '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1"}}]';
  json.metadata.annotations = { [`${PREFIX}metrics`]: metrics };
  json.status.currentReplicas = 2;
  expect((await server.request('PUT', `${OLD}/web/status`, json)).status).toBe(200);
  const after = (await server.request('GET', `${NEW}/web`)).json;
  expect(after.status.currentReplicas).toBe(2);
  expect(after.spec.metrics).toHaveLength(1);
  expect(after.spec.metrics[0].resource.name).toBe('cpu');
});

it('has fields owned in the version that they were set in', async () => {
  const apply = (version: string, manager: string, spec: object) =>
    server.request(
      'PATCH',
      `${version === 'v1' ? OLD : NEW}/web?fieldManager=${manager}`,
      autoscaler(version, spec),
      APPLY,
    );
  expect((await apply('v1', 'old', { targetCPUUtilizationPercentage: 50 })).status).toBe(201);
  const target = { type: 'Utilization', averageUtilization: 60 };
  const metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  const { status, json } = await apply('v2', 'new', { metrics });
  expect(status).toBe(409);
  expect(json.message).toContain('.spec.targetCPUUtilizationPercentage');
  await server.request('PATCH', `${NEW}/web`, { spec: { metrics } }, MERGE);
  const { metadata } = (await server.request('GET', `${OLD}/web`)).json;
  const owned = metadata.managedFields.map(
    ({ manager, apiVersion, fieldsV1 }: Record<string, unknown>) => [
      manager,
      apiVersion,
      JSON.stringify(fieldsV1).includes('f:targetCPUUtilizationPercentage'),
    ],
  );
  expect(owned).toEqual([
    ['old', 'autoscaling/v1', false],
    ['unknown', 'autoscaling/v2', false],
  ]);
});
