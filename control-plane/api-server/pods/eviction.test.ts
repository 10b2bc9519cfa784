import fc from 'fast-check';
import { MemoryStore } from '../../store/memory-store';
import { AUTHENTICATED } from '../auth/user';
import { startTestServer, type TestServer } from '../testing';

const PODS = '/api/v1/namespaces/default/pods';
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

const healthy = async (server: TestServer, name: string, isReady = true, phase = 'Running') => {
  await server.request('POST', PODS, {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'web' } } },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] },
  });
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
  const { status } = await server.request(
    'PATCH',
    `${PODS}/${name}/status`,
    { status: { phase, conditions } },
    MERGE,
  );
  expect(status).toBe(200);
};

const budget = async (server: TestServer, name: string, status: object, spec: object = {}) => {
  const selector = { matchLabels: { app: 'web' } };
  await server.request('POST', BUDGETS, {
    ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name } },
    spec: { minAvailable: 1, selector, ...spec },
  });
  const counts = { currentHealthy: 0, desiredHealthy: 1, expectedPods: 0, disruptionsAllowed: 0 };
  const body = { status: { observedGeneration: 1, ...counts, ...status } };
  const answer = await server.request('PATCH', `${BUDGETS}/${name}/status`, body, MERGE);
  expect(answer.status).toBe(200);
};

const evict = (server: TestServer, name: string, more: object = {}, query = '') =>
  server.request('POST', `${PODS}/${name}/eviction${query}`, {
    ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } },
    ...more,
  });

const present = async (server: TestServer, name: string) =>
  (await server.request('GET', `${PODS}/${name}`)).json;

const budgetStatus = async (server: TestServer, name = 'web') =>
  (await server.request('GET', `${BUDGETS}/${name}`)).json.status;

describe('of one server', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('takes from the budget, notes the pod, and says on the pod why it goes', async () => {
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1, currentHealthy: 2 });
    expect((await evict(server, 'a')).status).toBe(201);
    expect(await budgetStatus(server)).toMatchObject({
      disruptionsAllowed: 0,
      disruptedPods: { a: '2026-01-01T00:00:00Z' },
      conditions: [
        {
          ...{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' },
          ...{ message: '', observedGeneration: 1 },
        },
      ],
    });
    const { metadata, status } = await present(server, 'a');
    expect(metadata.deletionTimestamp).toBeDefined();
    expect(status.conditions.at(-1)).toMatchObject({
      ...{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' },
      message: 'Eviction API: evicting',
    });
  });

  const needs = 'The disruption budget web needs 1 healthy pods and has 1 currently';
  const not = 'The disruption budget web does not allow evicting pods currently';
  const failed = (reason: string, message: string) => ({
    conditions: [
      {
        ...{ type: 'DisruptionAllowed', status: 'False', reason, message },
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  });
  it.each<[string, object, string, number | undefined]>([
    ['that is used up', { currentHealthy: 1 }, needs, undefined],
    [
      'that has not been looked at',
      { disruptionsAllowed: 1, observedGeneration: 0 },
      'The disruption budget web is still being processed by the server.',
      10,
    ],
    [
      'that nobody could work out',
      failed('SyncFailed', 'found no controllers for pod "a"'),
      `${not} because it failed sync: found no controllers for pod "a"`,
      undefined,
    ],
    [
      'that says why',
      { currentHealthy: 2, ...failed('Odd', 'today') },
      `${not} (Odd): today`,
      undefined,
    ],
    ['that does not say why', { currentHealthy: 2 }, not, undefined],
  ])('refuses by a budget %s', async (_title, status, message, retryAfterSeconds) => {
    await healthy(server, 'a');
    await budget(server, 'web', status);
    for (const query of ['', '?dryRun=All']) {
      const answer = await evict(server, 'a', {}, query);
      expect(answer.json).toMatchObject({
        ...{ code: 429, reason: 'TooManyRequests' },
        message: "Cannot evict pod as it would violate the pod's disruption budget.",
        details: { causes: [{ reason: 'DisruptionBudget', message }] },
      });
      expect(answer.json.details.retryAfterSeconds).toBe(retryAfterSeconds);
    }
    expect((await present(server, 'a')).metadata.deletionTimestamp).toBeUndefined();
  });

  it('writes nothing when it is only tried', async () => {
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1, currentHealthy: 2 });
    expect((await evict(server, 'a', {}, '?dryRun=All')).status).toBe(201);
    expect((await evict(server, 'a', { deleteOptions: { dryRun: ['All'] } })).status).toBe(201);
    expect((await budgetStatus(server)).disruptedPods).toBeUndefined();
    expect((await present(server, 'a')).metadata.deletionTimestamp).toBeUndefined();
  });

  it('does not know which of two budgets counts', async () => {
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1 });
    await budget(server, 'other', { disruptionsAllowed: 1 });
    const { status, json } = await evict(server, 'a');
    expect([status, json.message]).toEqual([
      500,
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    ]);
  });

  it.each([
    ['has ended', 'Failed'],
    ['has succeeded', 'Succeeded'],
    ['has not begun', 'Pending'],
  ])('asks no budget for a pod that %s', async (_title, phase) => {
    await healthy(server, 'a', false, phase);
    await budget(server, 'web', {});
    expect((await evict(server, 'a')).status).toBe(201);
    expect((await budgetStatus(server)).disruptedPods).toBeUndefined();
  });

  it('asks no budget again for a pod that goes already', async () => {
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1, currentHealthy: 2 });
    const answers = [await evict(server, 'a'), await evict(server, 'a')];
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });

  it.each<[string, string | undefined, object, number]>([
    ['when enough others are', undefined, { currentHealthy: 1 }, 201],
    ['not when others lack', undefined, { currentHealthy: 0 }, 429],
    ['not when none need be', 'IfHealthyBudget', { desiredHealthy: 0 }, 429],
    ['always, when the budget says so', 'AlwaysAllow', { currentHealthy: 0 }, 201],
  ])('lets a pod go that is not ready: %s', async (_title, policy, status, code) => {
    await healthy(server, 'a', false);
    const spec = policy === undefined ? {} : { unhealthyPodEvictionPolicy: policy };
    await budget(server, 'web', status, spec);
    expect((await evict(server, 'a')).status).toBe(code);
    expect((await budgetStatus(server)).disruptedPods).toBeUndefined();
  });

  it('is allowed to who may evict, and write neither pods nor budgets', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    const meta = (kind: string) => ({
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name: 'drainer' } },
    });
    const rules = [{ apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] }];
    await server.request('POST', `${rbac}/roles`, { ...meta('Role'), rules });
    const group = 'rbac.authorization.k8s.io';
    await server.request('POST', `${rbac}/rolebindings`, {
      ...meta('RoleBinding'),
      subjects: [{ kind: 'User', name: 'dev', apiGroup: group }],
      roleRef: { apiGroup: group, kind: 'Role', name: 'drainer' },
    });
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1, currentHealthy: 2 });
    const user = { name: 'dev', groups: [AUTHENTICATED] };
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a' } };
    const { status } = await server.request('POST', `${PODS}/a/eviction`, body, { user });
    expect(status).toBe(201);
    expect((await server.request('DELETE', `${PODS}/a`, undefined, { user })).status).toBe(403);
  });

  it('holds to the preconditions of whoever evicts', async () => {
    await healthy(server, 'a');
    await budget(server, 'web', { disruptionsAllowed: 1, currentHealthy: 2 });
    const deleteOptions = { preconditions: { uid: 'other' } };
    expect((await evict(server, 'a', { deleteOptions })).status).toBe(409);
    expect((await budgetStatus(server)).disruptionsAllowed).toBe(1);
  });

  it('is over no pod without a selector, and over all with an empty one', async () => {
    await healthy(server, 'a');
    await healthy(server, 'b');
    await budget(server, 'none', {}, { selector: null });
    expect((await evict(server, 'a')).status).toBe(201);
    await budget(server, 'all', {}, { selector: {} });
    expect((await evict(server, 'b')).status).toBe(429);
  });
});

it('answers each of many who ask at once, though only one at a time can be written down', async () => {
  await using server = await startTestServer();
  const names = Array.from({ length: 150 }, (_, i) => `p${i}`);
  for (const name of names) await healthy(server, name);
  await budget(server, 'web', { disruptionsAllowed: 120, currentHealthy: 150 });
  const answers = await Promise.all(names.map((name) => evict(server, name)));
  const codes = answers.map(({ status }) => status);
  expect(codes.filter((code) => code === 201)).toHaveLength(120);
  expect(codes.filter((code) => code === 429)).toHaveLength(30);
}, 60_000);

it('never allows more than the budget, however many ask at once of however many servers', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 1, max: 3 }),
      async (podCount, allowed, serverCount) => {
        const store = new MemoryStore();
        const servers: TestServer[] = [];
        try {
          for (let i = 0; i < serverCount; i++) servers.push(await startTestServer({ store }));
          const [first] = servers;
          const names = Array.from({ length: podCount }, (_, i) => `p${i}`);
          for (const name of names) await healthy(first!, name);
          const counts = { disruptionsAllowed: allowed, currentHealthy: podCount };
          await budget(first!, 'web', {
            ...counts,
            desiredHealthy: Math.max(0, podCount - allowed),
          });
          const answers = await Promise.all(
            names.map((name, i) => evict(servers[i % serverCount]!, name)),
          );
          const evicted = answers.filter(({ status }) => status === 201).length;
          expect(evicted).toBe(Math.min(allowed, podCount));
          expect(answers.every(({ status }) => status === 201 || status === 429)).toBe(true);
          const status = await budgetStatus(first!);
          expect(status.disruptionsAllowed).toBe(allowed - evicted);
          expect(Object.keys(status.disruptedPods ?? {})).toHaveLength(evicted);
          const going = await Promise.all(names.map((name) => present(first!, name)));
          expect(
            going.filter(({ metadata }) => metadata.deletionTimestamp !== undefined),
          ).toHaveLength(evicted);
        } finally {
          for (const server of servers) await server[Symbol.asyncDispose]();
        }
      },
    ),
    { numRuns: 12 },
  );
}, 60_000);
