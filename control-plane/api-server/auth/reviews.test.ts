import { startTestServer, type TestServer } from '../testing';
import { ANONYMOUS, AUTHENTICATED, type User } from './user';

const AUTHORIZATION = '/apis/authorization.k8s.io/v1';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };
const NODE_FIELDS = { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n1'] }] };

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ anonymousAuth: true });
});
afterEach(() => server[Symbol.asyncDispose]());

const ask = (plural: string, spec: object, user?: User) =>
  server.request(
    'POST',
    `${AUTHORIZATION}/${plural}`,
    { spec },
    user === undefined ? {} : { user },
  );
const local = (namespace: string, spec: object) =>
  ask(`namespaces/${namespace}/localsubjectaccessreviews`, spec);

const bind = async (subject: object, rules: readonly object[], namespace?: string) => {
  const type = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'r' } };
  const place = namespace === undefined ? RBAC : `${RBAC}/namespaces/${namespace}`;
  const [kind, plural] =
    namespace === undefined ? ['ClusterRole', 'clusterroles'] : ['Role', 'roles'];
  const bindings = namespace === undefined ? 'clusterrolebindings' : 'rolebindings';
  await server.request('POST', `${place}/${plural}`, { ...type, kind, rules });
  await server.request('POST', `${place}/${bindings}`, {
    ...type,
    kind: `${kind}Binding`,
    roleRef: { kind, name: 'r' },
    subjects: [subject],
  });
  for (const each of [plural, bindings]) await server.request('GET', `${place}/${each}`);
};

it('tells by which binding something is allowed', async () => {
  await bind({ kind: 'User', name: 'dev' }, [
    { verbs: ['get'], apiGroups: [''], resources: ['pods'] },
  ]);
  const spec = { user: 'dev', resourceAttributes: { verb: 'get', resource: 'pods' } };
  const { json } = await ask('subjectaccessreviews', spec);
  expect(json.status).toEqual({
    allowed: true,
    reason: 'RBAC: allowed by ClusterRoleBinding "r" of ClusterRole "r" to User "dev"',
  });
});

it('answers for a namespace', async () => {
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  await bind({ kind: 'ServiceAccount', name: 'bot' }, rules, 'default');
  const spec = {
    user: 'system:serviceaccount:default:bot',
    resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' },
  };
  const { status, json } = await local('default', spec);
  expect([status, json.status]).toEqual([
    201,
    {
      allowed: true,
      reason:
        'RBAC: allowed by RoleBinding "r/default" of Role "r" to ServiceAccount "bot/default"',
    },
  ]);
  const elsewhere = await local('kube-system', spec);
  expect(elsewhere.json.message).toBe(
    'LocalSubjectAccessReview.authorization.k8s.io "" is invalid: ' +
      'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace',
  );
});

it.each([
  ['subjectaccessreviews', {}, 'spec.resourceAttributes: Invalid value: null: exactly one of'],
  [
    'subjectaccessreviews',
    { resourceAttributes: {} },
    'spec.user: Invalid value: "": at least one',
  ],
  [
    'selfsubjectaccessreviews',
    { resourceAttributes: {}, nonResourceAttributes: {} },
    'cannot be specified in combination with resourceAttributes',
  ],
  [
    'selfsubjectaccessreviews',
    { resourceAttributes: { fieldSelector: {} } },
    'when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required',
  ],
  [
    'selfsubjectaccessreviews',
    { resourceAttributes: { labelSelector: { ...NODE_FIELDS, rawSelector: 'a=b' } } },
    'may not specified at the same time as requirements',
  ],
  [
    'selfsubjectaccessreviews',
    { resourceAttributes: { labelSelector: { requirements: [{ operator: 'x' }] } } },
    'requirements[0].operator: Invalid value: "x": not a valid selector operator',
  ],
])('refuses %s of %j', async (plural, spec, message) => {
  const { status, json } = await ask(plural, spec);
  expect([status, json.message]).toEqual([422, expect.stringContaining(message)]);
});

it('refuses to tell the rules of no namespace', async () => {
  const { status, json } = await ask('selfsubjectrulesreviews', {});
  expect([status, json.message]).toEqual([400, 'no namespace on request']);
});

it.each([
  [NODE_FIELDS, true],
  [{ rawSelector: 'spec.nodeName=n1' }, true],
  [{ rawSelector: 'spec.nodeName!=n1' }, false],
  [{ rawSelector: '((' }, false],
  [undefined, false],
])('counts the fields %j that a node lists its pods by', async (fieldSelector, allowed) => {
  const spec = {
    user: 'system:node:n1',
    groups: ['system:nodes'],
    resourceAttributes: { verb: 'list', resource: 'pods', fieldSelector },
  };
  const { json } = await ask('subjectaccessreviews', spec);
  expect(json.status.allowed).toBe(allowed);
});

it('lets one list what has the one name that a role is about', async () => {
  await bind({ kind: 'User', name: 'dev' }, [
    { verbs: ['list', 'watch'], apiGroups: [''], resources: ['pods'], resourceNames: ['a'] },
  ]);
  const list = (selector: string) =>
    server.request(
      'GET',
      `/api/v1/namespaces/default/pods?fieldSelector=${encodeURIComponent(selector)}`,
      undefined,
      { user: DEV },
    );
  expect((await list('metadata.name=a')).status).toBe(200);
  expect((await list('metadata.name=a,spec.nodeName=n')).status).toBe(200);
  for (const other of ['metadata.name=b', 'metadata.name!=a', ''])
    expect((await list(other)).status).toBe(403);
});

describe('who says no name', () => {
  const asNobody = (path: string) => server.request('GET', path, undefined, { user: ANONYMOUS });

  it('is refused by roles, in the words of upstream', async () => {
    const { status, json } = await asNobody('/api');
    expect([status, json.message]).toEqual([
      403,
      'forbidden: User "system:anonymous" cannot get path "/api"',
    ]);
    expect((await asNobody('/version')).status).toBe(200);
  });

  it('may what a role says that all may', async () => {
    await bind({ kind: 'Group', name: 'system:unauthenticated' }, [
      { verbs: ['list'], apiGroups: [''], resources: ['configmaps'] },
    ]);
    expect((await asNobody('/api/v1/configmaps')).status).toBe(200);
    expect((await asNobody('/api/v1/secrets')).status).toBe(403);
  });

  it('is not somebody whose token does not hold', async () => {
    const headers = { authorization: 'Bearer a.b.c' };
    const answer = await server.request('GET', '/version/x', undefined, {
      user: ANONYMOUS,
      headers,
    });
    expect(answer.status).toBe(401);
  });
});
