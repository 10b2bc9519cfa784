import { startTestServer, type TestServer } from '../testing';
import { AUTHENTICATED, type User } from './user';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };

type Headers = Readonly<Record<string, string>>;

const whoAmI = (headers: Headers, user?: User) =>
  server.request(
    'POST',
    '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    {},
    { headers, ...(user === undefined ? {} : { user }) },
  );

/** Lets the developer impersonate by one rule. */
const allow = async (group: string, resource: string, names: readonly string[]) => {
  const type = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'acting' } };
  const rule = { verbs: ['impersonate'], apiGroups: [group], resources: [resource] };
  const users = { verbs: ['impersonate'], apiGroups: [''], resources: ['users'] };
  await server.request('POST', `${RBAC}/clusterroles`, {
    ...type,
    kind: 'ClusterRole',
    rules: [users, { ...rule, resourceNames: names }],
  });
  await server.request('POST', `${RBAC}/clusterrolebindings`, {
    ...type,
    kind: 'ClusterRoleBinding',
    roleRef: { kind: 'ClusterRole', name: 'acting' },
    subjects: [{ kind: 'User', name: 'dev' }],
  });
  for (const plural of ['clusterroles', 'clusterrolebindings'])
    await server.request('GET', `${RBAC}/${plural}`);
};

it.each<[Headers, object]>([
  [{ 'impersonate-user': 'a' }, { username: 'a', groups: [AUTHENTICATED] }],
  [
    { 'impersonate-user': 'a', 'impersonate-group': 'g\nh' },
    { username: 'a', groups: ['g', 'h', AUTHENTICATED] },
  ],
  [
    { 'impersonate-user': 'a', 'impersonate-uid': '7', 'impersonate-extra-scopes': 'x\ny' },
    { username: 'a', uid: '7', groups: [AUTHENTICATED], extra: { scopes: ['x', 'y'] } },
  ],
  [
    { 'impersonate-user': 'a', 'impersonate-extra-acme.com%2fteam': 'x' },
    { username: 'a', groups: [AUTHENTICATED], extra: { 'acme.com/team': ['x'] } },
  ],
  [
    { 'impersonate-user': 'system:serviceaccount:ns:bot' },
    {
      username: 'system:serviceaccount:ns:bot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', AUTHENTICATED],
    },
  ],
  [
    { 'impersonate-user': 'system:anonymous' },
    { username: 'system:anonymous', groups: ['system:unauthenticated'] },
  ],
])('%j make one act as %j', async (headers, expected) => {
  const { json } = await whoAmI(headers);
  // Whoever is not authenticated may not even ask who they are.
  if ('impersonate-user' in headers && headers['impersonate-user'] === 'system:anonymous')
    expect(json.message).toContain('User "system:anonymous" cannot create');
  else expect(json.status.userInfo).toEqual(expected);
});

it.each<[Headers, string, string, string]>([
  [{}, '', 'users', 'a'],
  [{ 'impersonate-group': 'system:masters' }, '', 'groups', 'system:masters'],
  [{ 'impersonate-uid': '7' }, 'authentication.k8s.io', 'uids', '7'],
  [{ 'impersonate-extra-scopes': 'x' }, 'authentication.k8s.io', 'userextras/scopes', 'x'],
])('%j besides a user are a right of their own', async (headers, group, resource, name) => {
  const all = { 'impersonate-user': 'a', ...headers };
  const { status, json } = await whoAmI(all, DEV);
  expect(status).toBe(403);
  if (resource !== 'users') {
    await allow(group, resource, ['other']);
    const refused = await whoAmI(all, DEV);
    expect([refused.status, refused.json.message]).toEqual([
      403,
      expect.stringContaining('User "dev" cannot impersonate'),
    ]);
    await server.request('DELETE', `${RBAC}/clusterroles/acting`);
    await server.request('DELETE', `${RBAC}/clusterrolebindings/acting`);
  } else expect(json.message).toContain('User "dev" cannot impersonate');
  await allow(group, resource, [name]);
  expect((await whoAmI(all, DEV)).status).toBe(201);
});

it.each<Headers>([
  { 'impersonate-group': 'g' },
  { 'impersonate-uid': 'u' },
  { 'impersonate-extra-a': 'b' },
  { 'impersonate-user': '' },
  { 'impersonate-user': 'a', 'impersonate-other': 'b' },
  { 'impersonate-user': 'a', 'impersonate-extra-': 'b' },
])('%j are never ignored', async (headers) => {
  expect((await whoAmI(headers)).status).toBe(400);
});

describe('in part', () => {
  const bound = async (rules: readonly object[]) => {
    const type = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'part' } };
    await server.request('POST', `${RBAC}/clusterroles`, { ...type, kind: 'ClusterRole', rules });
    await server.request('POST', `${RBAC}/clusterrolebindings`, {
      ...type,
      kind: 'ClusterRoleBinding',
      roleRef: { kind: 'ClusterRole', name: 'part' },
      subjects: [{ kind: 'User', name: 'dev' }],
    });
    for (const plural of ['clusterroles', 'clusterrolebindings'])
      await server.request('GET', `${RBAC}/${plural}`);
  };
  const on = (mode: string, verb: string, resource: string) => ({
    verbs: [`impersonate-on:${mode}:${verb}`],
    apiGroups: [''],
    resources: [resource],
  });
  const as = (mode: string, resource: string, names?: readonly string[]) => ({
    verbs: [`impersonate:${mode}`],
    apiGroups: ['authentication.k8s.io'],
    resources: [resource],
    ...(names === undefined ? {} : { resourceNames: names }),
  });
  const list = (plural: string, headers: Headers, user: User = DEV) =>
    server.request('GET', `/api/v1/namespaces/default/${plural}`, undefined, { headers, user });

  it('acts as a user for what is allowed as that user, and for nothing else', async () => {
    const headers = { 'impersonate-user': 'a', 'impersonate-group': 'system:masters' };
    const grouped = { 'impersonate-user': 'a', 'impersonate-group': 'g' };
    await bound([
      on('user-info', 'list', 'pods'),
      as('user-info', 'users', ['a']),
      as('user-info', 'groups', ['g', 'system:masters']),
    ]);
    // What remains is what the user may not.
    const refused = await list('pods', grouped);
    expect(refused.json.message).toContain('User "a" cannot list resource "pods"');
    const other = await list('secrets', grouped);
    expect(other.json.message).toContain(
      'User "dev" cannot impersonate-on:user-info:list resource "secrets"',
    );
    expect((await list('pods', { 'impersonate-user': 'b' })).json.message).toContain(
      'User "dev" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io"',
    );
    expect((await list('pods', headers)).json.message).toContain(
      'impersonating the system:masters group is not allowed',
    );
  });

  it('acts as a service account by its own right', async () => {
    const headers = { 'impersonate-user': 'system:serviceaccount:default:bot' };
    await bound([on('serviceaccount', 'list', 'pods'), as('serviceaccount', 'serviceaccounts')]);
    expect((await list('pods', headers)).json.message).toContain(
      'User "system:serviceaccount:default:bot" cannot list',
    );
    const grouped = { ...headers, 'impersonate-group': 'g' };
    expect((await list('pods', grouped)).json.message).toContain('User "dev" cannot impersonate');
  });

  it('acts as a node, and an account as the one that its token is of', async () => {
    const headers = { 'impersonate-user': 'system:node:n1' };
    await bound([
      on('associated-node', 'list', 'services'),
      as('associated-node', 'nodes', ['*']),
      on('arbitrary-node', 'list', 'pods'),
      as('arbitrary-node', 'nodes', ['n1']),
    ]);
    const path = 'pods?fieldSelector=spec.nodeName%3Dn1';
    expect((await list(path, headers)).status).toBe(200);
    const other = await list('pods', { 'impersonate-user': 'system:node:n2' });
    expect(other.json.message).toContain('cannot impersonate:arbitrary-node resource "nodes"');
  });
});
