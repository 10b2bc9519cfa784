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
    { 'impersonate-user': 'a', 'impersonate-group': 'g, h' },
    { username: 'a', groups: ['g', 'h', AUTHENTICATED] },
  ],
  [
    { 'impersonate-user': 'a', 'impersonate-uid': '7', 'impersonate-extra-scopes': 'x, y' },
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
    expect(refused.json.message).toContain(
      `"${name}" is forbidden: User "dev" cannot impersonate resource "${resource}"`,
    );
    await server.request('DELETE', `${RBAC}/clusterroles/acting`);
    await server.request('DELETE', `${RBAC}/clusterrolebindings/acting`);
  } else expect(json.message).toContain('cannot impersonate resource "users"');
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
