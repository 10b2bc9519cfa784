import { NODE_METRICS, POD_METRICS, type PodMetrics } from '../../../api/resource-metrics';
import { startTestServer, type TestServer } from '../testing';

const METRICS = '/apis/metrics.k8s.io/v1beta1';

const metricsOf = (name: string): PodMetrics => ({
  ...{ kind: 'PodMetrics', apiVersion: 'metrics.k8s.io/v1beta1' },
  metadata: { name, namespace: 'default', labels: { app: name } },
  ...{ timestamp: '2026-01-01T00:00:00Z', window: '15.032s' },
  containers: [
    { name: 'main', usage: { cpu: '1500000n', memory: '1024Ki' } },
    { name: 'helper', usage: { cpu: '2m', memory: '2Mi' } },
  ],
});

let server: TestServer;

beforeEach(async () => {
  const pods = ['a', 'b'].map(metricsOf);
  server = await startTestServer({
    virtual: [
      {
        resource: POD_METRICS,
        get: async () => pods[0]!,
        list: async () => ({ items: pods, resourceVersion: '1' }),
      },
      { resource: NODE_METRICS, get: async () => pods[0]! },
    ],
  });
});

afterEach(() => server[Symbol.asyncDispose]());

it('are found as metrics-server announces them', async () => {
  const { json } = await server.request('GET', METRICS);
  expect(json.resources).toEqual([
    {
      ...{ name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics' },
      verbs: ['get', 'list'],
    },
    {
      ...{ name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics' },
      verbs: ['get', 'list'],
    },
  ]);
  const service = '/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io';
  expect((await server.request('GET', service)).json.spec).toEqual({
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    groupPriorityMinimum: 100,
    versionPriority: 1,
  });
});

it('are listed by labels, and cannot be watched or written', async () => {
  const list = await server.request(
    'GET',
    `${METRICS}/namespaces/default/pods?labelSelector=app=b`,
  );
  expect(list.json).toMatchObject({ kind: 'PodMetricsList', items: [{ metadata: { name: 'b' } }] });
  const write = await server.request('POST', `${METRICS}/namespaces/default/pods`, metricsOf('c'));
  expect(write.status).toBe(405);
});

it('are printed with what their containers use together', async () => {
  const { json } = await server.request('GET', `${METRICS}/pods`, undefined, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  expect(json.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    ...['Name', 'cpu', 'memory', 'Window'],
  ]);
  expect(json.rows[0].cells).toEqual(['a', '4m', '3Mi', '15.032s']);
});

it('are described by OpenAPI', async () => {
  const { json } = await server.request('GET', '/openapi/v3/apis/metrics.k8s.io/v1beta1');
  expect(
    json.components.schemas['io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics'],
  ).toMatchObject({ required: ['timestamp', 'window', 'containers'] });
});

it('may be read by whoever may view', async () => {
  const user = { name: 'ann', groups: ['system:authenticated'] };
  const read = async () =>
    (await server.request('GET', `${METRICS}/namespaces/default/pods`, undefined, { user })).status;
  expect(await read()).toBe(403);
  await server.request(
    'POST',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings',
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'view' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
    },
  );
  expect(await read()).toBe(200);
});
