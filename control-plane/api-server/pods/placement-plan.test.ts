import type { PlacementQuestion } from '../../../client/placements';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
let asked: PlacementQuestion[];

beforeEach(async () => {
  asked = [];
  server = await startTestServer({
    placements: {
      review: () => ({ nodesConsidered: 0, nodesFeasible: 0, refusals: [] }),
      plan: async (question) => {
        asked.push(question);
        return { placements: [], replaced: 0, nodes: [] };
      },
      rebalance: () => Promise.reject(new Error('is not asked')),
      replay: ({ last }) =>
        Promise.resolve({
          ...{ replayed: last, same: last, rescored: 0, rejudged: 0 },
          ...{ differences: [], warnings: [] },
        }),
      capture: (question) => Promise.resolve(JSON.stringify({ asked: question })),
    },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const PATH = '/apis/scheduling.dhow.dev/v1/placementplans';
const APPS = '/apis/apps/v1/namespaces/default';
const DEV = { name: 'dev', groups: ['system:authenticated'] };

const workload = (kind: string, spec: object = {}, image = 'web:1') => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image }] },
    },
    ...spec,
  },
});

const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const { status, json } = await server.request('POST', path, body);
  if (status !== 201) throw new Error(JSON.stringify(json));
  return json as Record<string, unknown>;
};

const planned = async (spec: object): Promise<PlacementQuestion> => {
  await post(PATH, { spec });
  return asked.pop()!;
};

const namesOf = ({ pods }: PlacementQuestion) => pods.map(({ pod: { metadata } }) => metadata.name);

it('asks about the pods that each kind would make, as they would be stored', async () => {
  const { pods, more } = await planned({
    objects: [workload('Deployment', { replicas: 2 })],
    countsMore: true,
  });
  expect(pods.map(({ owner, pod }) => [owner, pod.metadata.name])).toEqual([
    ['Deployment/web', 'web-1'],
    ['Deployment/web', 'web-2'],
  ]);
  expect(pods[0]?.pod.metadata.labels).toMatchObject({
    app: 'web',
    'pod-template-hash': 'planned',
  });
  expect(pods[0]?.pod.spec).toMatchObject({ schedulerName: 'default-scheduler' });
  expect(new Set(pods.map(({ pod }) => pod.metadata.uid)).size).toBe(2);
  expect(more?.owner).toBe('Deployment/web');
  const set = workload('StatefulSet', { replicas: 2, ordinals: { start: 3 } });
  expect(namesOf(await planned({ objects: [set] }))).toEqual(['web-3', 'web-4']);
  const { template } = set.spec;
  const job = { ...workload('Job'), apiVersion: 'batch/v1' };
  const jobOf = (spec: object) => ({ ...job, spec: { template, ...spec } });
  const never = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
  const two = jobOf({ parallelism: 5, completions: 2, template: never });
  expect(namesOf(await planned({ objects: [two] }))).toEqual(['web-1', 'web-2']);
  const { data } = { data: { a: 'b' } };
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data };
  expect(namesOf(await planned({ objects: [config] }))).toEqual([]);
});

it('asks of a DaemonSet for each node that it wants, those that are added too', async () => {
  const node = (name: string, taints: readonly object[] = []) => ({
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
    spec: { taints },
  });
  await post('/api/v1/nodes', node('n1'));
  await post('/api/v1/nodes', node('n2'));
  await post('/api/v1/nodes', node('n3', [{ key: 'a', effect: 'NoSchedule' }]));
  const question = await planned({
    objects: [workload('DaemonSet')],
    addNodes: [{ name: 'n4', allocatable: { cpu: '4', memory: '8Gi' }, labels: { a: 'b' } }],
    without: ['n2'],
  });
  expect(namesOf(question)).toEqual(['web-n1', 'web-n4']);
  const { affinity } = question.pods[1]!.pod.spec;
  expect(JSON.stringify(affinity)).toContain('"values":["n4"]');
  expect(question.addNodes).toMatchObject([
    {
      metadata: { name: 'n4', labels: { a: 'b', 'kubernetes.io/hostname': 'n4' } },
      status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
    },
  ]);
});

it('asks only for what is missing, or for all where the template is another', async () => {
  const { metadata } = await post(`${APPS}/replicasets`, workload('ReplicaSet', { replicas: 3 }));
  const { uid, name } = metadata as { uid: string; name: string };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid, controller: true };
  await post('/api/v1/namespaces/default/pods', {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'web-abcde', labels: { app: 'web' }, ownerReferences: [owner] },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
  });
  const { json: live } = await server.request('GET', `${APPS}/replicasets/web`);
  const same = await planned({ objects: [live] });
  expect([namesOf(same).length, [...same.replacedOwners!]]).toEqual([2, []]);
  const other = await planned({ objects: [workload('ReplicaSet', { replicas: 3 }, 'web:2')] });
  expect([namesOf(other).length, [...other.replacedOwners!]]).toEqual([3, [uid]]);
});

it('tells what the API would not take, and asks about the rest', async () => {
  const bad = workload('Deployment', { replicas: 2 });
  bad.spec.template.spec.containers = [];
  const good = { ...workload('Deployment'), metadata: { name: 'good', namespace: 'default' } };
  const { status } = await post(PATH, { spec: { objects: [bad, good] } });
  expect(namesOf(asked[0]!)).toEqual(['good-1']);
  expect((status as { placements: object[] }).placements).toMatchObject([
    {
      pod: 'default/web-1',
      outcome: 'Refused',
      message: expect.stringContaining('containers') as string,
    },
    { pod: 'default/web-2', outcome: 'Refused' },
  ]);
  expect((await server.request('GET', '/api/v1/pods')).json.items).toEqual([]);
});

it.each([
  ['spec.drain', { drain: 'n1' }],
  ['spec', { unknown: 1 }],
  [
    'spec.addNodes.0.allocatable.cpu: is no amount',
    { addNodes: [{ name: 'n', allocatable: { cpu: 'x' } }] },
  ],
  ['at most 2000 pods', { objects: [workload('Deployment', { replicas: 100_000 })] }],
  // More than there could be names for.
  ['at most 2000 pods of one', { objects: [workload('Deployment', { replicas: 1e12 })] }],
])('refuses %s', async (text, spec) => {
  const { status, json } = await server.request('POST', PATH, { spec });
  expect([status, json.message]).toEqual([400, expect.stringContaining(text)]);
  expect(asked).toEqual([]);
});

const letPlan = async (user: string) => {
  const RBAC = 'rbac.authorization.k8s.io';
  const metadata = { name: 'planner' };
  const rules = [
    { apiGroups: ['scheduling.dhow.dev'], resources: ['placementplans'], verbs: ['create'] },
  ];
  await post(`/apis/${RBAC}/v1/clusterroles`, {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata, rules },
  });
  await post(`/apis/${RBAC}/v1/clusterrolebindings`, {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRoleBinding', metadata },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'planner' },
    subjects: [{ apiGroup: RBAC, kind: 'User', name: user }],
  });
};

describe('of a group', () => {
  const GROUPS = 'scheduling.x-k8s.io';
  const group = (spec: object, name = 'train') => ({
    ...{ apiVersion: `${GROUPS}/v1alpha1`, kind: 'PodGroup', metadata: { name } },
    spec,
  });
  const metadata = { labels: { app: 'web', [`${GROUPS}/pod-group`]: 'train' } };
  const containers = [{ name: 'main', image: 'web:1' }];
  const members = workload('Deployment', {
    ...{ replicas: 3, template: { metadata, spec: { containers } } },
  });

  it('asks with the group as it would be stored, about members that carry its name', async () => {
    const { groups, pods } = await planned({ objects: [group({ minMember: 3 }), members] });
    expect(groups).toMatchObject([
      { metadata: { namespace: 'default', name: 'train' }, spec: { minMember: 3 } },
    ]);
    expect(pods.map(({ pod }) => pod.metadata.labels?.[`${GROUPS}/pod-group`])).toEqual([
      ...['train', 'train', 'train'],
    ]);
    expect((await server.request('GET', `/apis/${GROUPS}/v1alpha1/podgroups`)).json.items).toEqual(
      [],
    );
  });

  it('refuses one that could not be stored, and is for those who may make it', async () => {
    const wrong = await server.request('POST', PATH, {
      spec: { objects: [group({ minMember: -1 }), members] },
    });
    expect(wrong.status).toBe(422);
    expect(wrong.json.message).toContain('spec.minMember');
    await letPlan(DEV.name);
    const asks = { spec: { objects: [group({ minMember: 3 })] } };
    const { status, json } = await server.request('POST', PATH, asks, { user: DEV });
    expect(status).toBe(403);
    expect(json.message).toContain('podgroups');
    expect(asked).toEqual([]);
  });
});

it('is for those who may create plans', async () => {
  const { status, json } = await server.request('POST', PATH, { spec: {} }, { user: DEV });
  expect(status).toBe(403);
  expect(json.message).toContain('cannot create resource "placementplans"');
  expect((await server.request('GET', PATH, undefined)).status).toBe(405);
});

describe('a replay', () => {
  const REPLAYS = '/apis/scheduling.dhow.dev/v1/decisionreplays';

  it('is asked for, within bounds, by those who may', async () => {
    const { status, json } = await server.request('POST', REPLAYS, { spec: { last: 7 } });
    expect([status, json.kind]).toEqual([201, 'DecisionReplay']);
    expect(json.status).toMatchObject({ replayed: 7, same: 7 });
    const many = await server.request('POST', REPLAYS, { spec: { last: 1e9 } });
    expect([many.status, many.json.message]).toEqual([400, expect.stringContaining('spec.last')]);
    const refused = await server.request('POST', REPLAYS, {}, { user: DEV });
    expect(refused.status).toBe(403);
  });
});

describe('a capture', () => {
  const CAPTURES = '/apis/scheduling.dhow.dev/v1/schedulercaptures';

  it('is asked for, of all pods or one, by those who may', async () => {
    const pod = { namespace: 'shop', name: 'web' };
    const { status, json } = await server.request('POST', CAPTURES, { spec: { last: 7, pod } });
    expect([status, json]).toEqual([
      201,
      {
        ...{ apiVersion: 'scheduling.dhow.dev/v1', kind: 'SchedulerCapture' },
        ...{ metadata: { creationTimestamp: null }, spec: { last: 7, pod } },
        status: { asked: { last: 7, pod } },
      },
    ]);
    const none = await server.request('POST', CAPTURES, {});
    expect(none.json.spec).toEqual({ last: 100 });
    const wrong = await server.request('POST', CAPTURES, { spec: { pod: { name: 'web' } } });
    expect([wrong.status, wrong.json.message]).toEqual([
      400,
      expect.stringContaining('spec.pod.namespace'),
    ]);
    const refused = await server.request('POST', CAPTURES, {}, { user: DEV });
    expect(refused.status).toBe(403);
  });
});
