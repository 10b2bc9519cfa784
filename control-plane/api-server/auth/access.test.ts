import { startTestServer, type TestServer } from '../testing';
import type { User } from './user';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
  await server.request('POST', `${RBAC}/namespaces/default/roles`, role('reader', READ_PODS));
  await server.request('POST', `${RBAC}/namespaces/default/rolebindings`, binding('reader'));
  await waitForCaches();
});
afterEach(() => server[Symbol.asyncDispose]());

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PODS = '/api/v1/namespaces/default/pods';
const DEV: User = { name: 'dev', groups: ['system:authenticated'] };
const READ_PODS = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }];

const role = (name: string, rules: readonly object[]) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name },
  rules,
});
const binding = (name: string, subject: object = { kind: 'User', name: 'dev' }) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name },
  roleRef: { kind: 'Role', name },
  subjects: [subject],
});
const as = (user: User) => ({ user });
/** Roles count as soon as the caches have them: any read waits for them. */
const waitForCaches = async () => {
  for (const plural of ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'])
    await server.request('GET', `${RBAC}/${plural}`);
};

it('lets a user do what a role bound in the namespace says, there and only that', async () => {
  expect((await server.request('GET', PODS, undefined, as(DEV))).status).toBe(200);
  const elsewhere = await server.request('GET', '/api/v1/pods', undefined, as(DEV));
  expect(elsewhere.status).toBe(403);
  const deletion = await server.request('DELETE', `${PODS}/x`, undefined, as(DEV));
  expect(deletion.json.message).toBe(
    'pods "x" is forbidden: User "dev" cannot delete resource "pods" in API group "" in the ' +
      'namespace "default"',
  );
});

it('counts service accounts and groups as subjects', async () => {
  const account = { kind: 'ServiceAccount', name: 'bot', namespace: 'default' };
  const made = { ...binding('reader', account), metadata: { name: 'bot' } };
  await server.request('POST', `${RBAC}/namespaces/default/rolebindings`, made);
  await waitForCaches();
  const headers = { 'impersonate-user': 'system:serviceaccount:default:bot' };
  expect((await server.request('GET', PODS, undefined, { headers })).status).toBe(200);
  const other = { 'impersonate-user': 'system:serviceaccount:default:other' };
  expect((await server.request('GET', PODS, undefined, { headers: other })).status).toBe(403);
});

it('answers reviews by the same rules', async () => {
  const review = async (user: User, verb: string) => {
    const spec = { resourceAttributes: { verb, resource: 'pods', namespace: 'default' } };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    return (await server.request('POST', path, { spec }, as(user))).json.status.allowed;
  };
  expect([await review(DEV, 'list'), await review(DEV, 'delete')]).toEqual([true, false]);
  const rules = await server.request(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    { spec: { namespace: 'default' } },
    as(DEV),
  );
  expect(rules.json.status.resourceRules).toContainEqual(READ_PODS[0]);
  const spec = {
    user: 'dev',
    resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' },
  };
  const about = await server.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec,
  });
  expect(about.json.status).toMatchObject({ allowed: true });
});

it('answers reviews about groups, single objects, subresources and paths', async () => {
  const made = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'ops' },
    rules: [
      {
        apiGroups: ['apps'],
        resources: ['deployments/scale'],
        resourceNames: ['a'],
        verbs: ['update'],
      },
      { nonResourceURLs: ['/metrics'], verbs: ['get'] },
    ],
  };
  await server.request('POST', `${RBAC}/clusterroles`, made);
  await server.request('POST', `${RBAC}/clusterrolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'ops' },
    roleRef: { kind: 'ClusterRole', name: 'ops' },
    subjects: [{ kind: 'Group', name: 'operators' }],
  });
  await waitForCaches();
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const may = async (attributes: object, groups = ['operators']) =>
    (await server.request('POST', path, { spec: { groups, ...attributes } })).json.status.allowed;
  const scale = {
    ...{ verb: 'update', group: 'apps', resource: 'deployments', subresource: 'scale' },
    ...{ namespace: 'default', name: 'a' },
  };
  const resource = (more: object) => may({ resourceAttributes: { ...scale, ...more } });
  expect(await resource({})).toBe(true);
  for (const other of [{ group: '' }, { subresource: '' }, { name: 'b' }, { verb: 'get' }])
    expect(await resource(other)).toBe(false);
  const nonResource = (more: object) =>
    may({ nonResourceAttributes: { path: '/metrics', verb: 'get', ...more } });
  expect(await nonResource({})).toBe(true);
  expect(await nonResource({ path: '/logs' })).toBe(false);
  expect(await may({ resourceAttributes: scale }, ['others'])).toBe(false);
});

describe('granting', () => {
  beforeEach(async () => {
    const rules = [
      ...READ_PODS,
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['roles', 'rolebindings'],
        verbs: ['create', 'update', 'patch'],
      },
    ];
    await server.request('PUT', `${RBAC}/namespaces/default/roles/reader`, role('reader', rules));
    await waitForCaches();
  });
  const roles = `${RBAC}/namespaces/default/roles`;
  const bindings = `${RBAC}/namespaces/default/rolebindings`;

  it('is for those who may do it themselves', async () => {
    const same = await server.request('POST', roles, role('same', READ_PODS), as(DEV));
    expect(same.status).toBe(201);
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete'] }];
    const { status, json } = await server.request('POST', roles, role('more', rules), as(DEV));
    expect(status).toBe(403);
    expect(json.message).toBe(
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "dev" ' +
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently ' +
        'held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    );
  });

  it('is refused by every way of writing', async () => {
    await server.request('POST', roles, role('same', READ_PODS), as(DEV));
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    const put = await server.request('PUT', `${roles}/same`, role('same', all), as(DEV));
    expect(put.status).toBe(403);
    const patched = await server.request(
      'PATCH',
      `${roles}/same`,
      { rules: all },
      {
        user: DEV,
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    );
    expect(patched.status).toBe(403);
    const applied = await server.request(
      'PATCH',
      `${roles}/same?fieldManager=x&force=true`,
      role('same', all),
      {
        user: DEV,
        headers: { 'content-type': 'application/apply-patch+yaml' },
      },
    );
    expect(applied.status).toBe(403);
    const bound = {
      ...binding('admin'),
      roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
    };
    expect((await server.request('POST', bindings, bound, as(DEV))).status).toBe(403);
    const missing = { ...binding('none') };
    expect((await server.request('POST', bindings, missing, as(DEV))).status).toBe(404);
  });
});

it.each([
  [
    'a rule without verbs',
    role('x', [{ apiGroups: [''], resources: ['pods'] }]),
    'rules[0].verbs: Required value',
  ],
  [
    'paths in a namespace',
    role('x', [{ verbs: ['get'], nonResourceURLs: ['/'] }]),
    'namespaced rules cannot apply',
  ],
  [
    'a name with a slash',
    role('a/b', READ_PODS),
    'metadata.name: Invalid value: "a/b": may not contain \'/\'',
  ],
])('refuses %s', async (_what, body, message) => {
  const { status, json } = await server.request('POST', `${RBAC}/namespaces/default/roles`, body);
  expect(status).toBe(422);
  expect(json.message).toContain(message);
});

it('keeps a binding with its role', async () => {
  const changed = { ...binding('reader'), roleRef: { kind: 'ClusterRole', name: 'view' } };
  const path = `${RBAC}/namespaces/default/rolebindings/reader`;
  const { json } = await server.request('PUT', path, changed);
  expect(json.message).toContain('cannot change roleRef');
});

it('lets who edits a namespace make groups of its pods, and who views it only see them', async () => {
  const bound = {
    ...binding('groups'),
    roleRef: { kind: 'ClusterRole', name: 'view' },
  };
  await server.request('POST', `${RBAC}/namespaces/default/rolebindings`, bound);
  const editing = {
    ...binding('editing', { kind: 'User', name: 'editor' }),
    roleRef: { kind: 'ClusterRole', name: 'edit' },
  };
  await server.request('POST', `${RBAC}/namespaces/default/rolebindings`, editing);
  await waitForCaches();
  const path = '/apis/scheduling.x-k8s.io/v1alpha1/namespaces/default/podgroups';
  const group = {
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'train' },
    spec: { minMember: 2 },
  };
  const editor: User = { name: 'editor', groups: ['system:authenticated'] };
  expect((await server.request('POST', path, group, as(DEV))).status).toBe(403);
  expect((await server.request('POST', path, group, as(editor))).status).toBe(201);
  expect((await server.request('GET', path, undefined, as(DEV))).status).toBe(200);
  const wrong = {
    ...group,
    metadata: { name: 'b' },
    spec: { minMember: 1001, scheduleTimeoutSeconds: -1 },
  };
  const refused = await server.request('POST', path, wrong, as(editor));
  expect(refused.json.message).toBe(
    'PodGroup.scheduling.x-k8s.io "b" is invalid: [spec.minMember: Invalid value: 1001: ' +
      'must be at most 1000, spec.scheduleTimeoutSeconds: Invalid value: -1: must be positive]',
  );
});
