import { startTestServer, type TestServer } from '../testing';
import { AUTHENTICATED, type User } from './user';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  await make('clusterroles', role('dev', [READ_PODS, WRITE_ROLES]));
  await make('clusterrolebindings', binding('dev', 'dev'));
  await make('clusterroles', role('strong', [DELETE_PODS]));
  await make('clusterrolebindings', binding('strong', 'strong', 'boss'));
  await make('clusterroles', role('same', [READ_PODS]));
  await make('clusterroles', { ...role('sum'), aggregationRule: SELECT });
});
afterEach(() => server[Symbol.asyncDispose]());

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };
const READ_PODS = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] };
const DELETE_PODS = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete', 'watch'] };
const WRITE_ROLES = {
  apiGroups: ['rbac.authorization.k8s.io'],
  resources: ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'],
  verbs: ['get', 'create', 'update', 'patch'],
};
const SELECT = { clusterRoleSelectors: [{ matchLabels: { sum: 'yes' } }] };

const typed = (kind: string, name: string) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name },
});
const role = (name: string, rules: readonly object[] = []) => ({
  ...typed('ClusterRole', name),
  rules,
});
const binding = (name: string, to: string, user = 'dev') => ({
  ...typed('ClusterRoleBinding', name),
  roleRef: { kind: 'ClusterRole', name: to },
  subjects: [{ kind: 'User', name: user }],
});
/** Roles count as soon as the caches have them: any read waits for them. */
const waitForCaches = async () => {
  for (const plural of ['clusterroles', 'clusterrolebindings'])
    await server.request('GET', `${RBAC}/${plural}`);
};
const make = async (plural: string, body: object) => {
  expect((await server.request('POST', `${RBAC}/${plural}`, body)).status).toBe(201);
  await waitForCaches();
};
const TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};
const patch = (path: string, type: keyof typeof TYPES, body: unknown) =>
  server.request('PATCH', `${RBAC}/${path}?fieldManager=m`, body, {
    user: DEV,
    headers: { 'content-type': TYPES[type] },
  });

const LABEL = { metadata: { labels: { sum: 'yes' } } };

it.each<[string, keyof typeof TYPES, unknown]>([
  ['a merge patch', 'merge', LABEL],
  ['a strategic merge patch', 'strategic', LABEL],
  ['a JSON patch', 'json', [{ op: 'add', path: '/metadata/labels', value: { sum: 'yes' } }]],
  [
    'an apply',
    'apply',
    { ...typed('ClusterRole', 'strong'), metadata: { name: 'strong', ...LABEL.metadata } },
  ],
])('no label gives the rules of a role away by %s', async (_title, type, body) => {
  const { status, json } = await patch('clusterroles/strong', type, body);
  expect(status).toBe(403);
  expect(json.message).toBe(
    'clusterroles.rbac.authorization.k8s.io "strong" is forbidden: user "dev" ' +
      '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently ' +
      'held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}',
  );
  const all = { labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } };
  expect((await patch('clusterroles/cluster-admin', 'merge', { metadata: all })).status).toBe(403);
});

it('one may label a role whose rules one holds', async () => {
  expect((await patch('clusterroles/same', 'merge', LABEL)).status).toBe(200);
});

it.each([
  ['an annotation', { metadata: { annotations: { a: 'b' } } }],
  ['its rules taken away', { rules: [READ_PODS] }],
])('a role with more than one holds gets no %s, as upstream', async (_title, body) => {
  const { status } = await patch('clusterroles/strong', 'merge', body);
  // What is left is what one holds: that grants nothing.
  expect(status).toBe('rules' in body ? 200 : 403);
});

it.each([
  ['a label', LABEL],
  ['another selection', { aggregationRule: { clusterRoleSelectors: [{ matchLabels: {} }] } }],
  ['no selection any more', { aggregationRule: null }],
])('a role that is put together gets %s from administrators only', async (_title, body) => {
  const { status, json } = await patch('clusterroles/sum', 'merge', body);
  expect(status).toBe(403);
  expect(json.message).toBe(
    'clusterroles.rbac.authorization.k8s.io "sum" is forbidden: must have cluster-admin ' +
      'privileges to use an aggregationRule',
  );
});

it('a new role under a selected label holds what its author holds', async () => {
  const user = { user: DEV };
  const labelled = { ...role('new', [DELETE_PODS]), metadata: { name: 'new', ...LABEL.metadata } };
  expect((await server.request('POST', `${RBAC}/clusterroles`, labelled, user)).status).toBe(403);
  const held = { ...labelled, rules: [READ_PODS] };
  expect((await server.request('POST', `${RBAC}/clusterroles`, held, user)).status).toBe(201);
});

it.each([
  ['a label', { metadata: { labels: { a: 'b' } } }],
  ['an annotation', { metadata: { annotations: { a: 'b' } } }],
  ['another subject', { subjects: [{ kind: 'User', name: 'dev' }] }],
])('a binding to a role that one does not hold gets no %s', async (_title, body) => {
  expect((await patch('clusterrolebindings/strong', 'merge', body)).status).toBe(403);
});

it.each(['clusterroles', 'clusterrolebindings'])(
  'finalizers and owners of %s are nobody’s rights',
  async (plural) => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' };
    for (const metadata of [{ finalizers: ['example.org/f'] }, { ownerReferences: [owner] }])
      expect((await patch(`${plural}/strong`, 'merge', { metadata })).status).toBe(200);
  },
);

it('the verbs escalate and bind are rights of their own', async () => {
  const may = {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterroles'],
    resourceNames: ['strong'],
    verbs: ['escalate', 'bind'],
  };
  const rules = [READ_PODS, WRITE_ROLES, may];
  await server.request('PUT', `${RBAC}/clusterroles/dev`, role('dev', rules));
  await waitForCaches();
  expect((await patch('clusterroles/strong', 'merge', LABEL)).status).toBe(200);
  const { status } = await patch('clusterrolebindings/strong', 'merge', LABEL);
  expect(status).toBe(200);
  expect((await patch('clusterroles/cluster-admin', 'merge', LABEL)).status).toBe(403);
});
