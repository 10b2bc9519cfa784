import { decideAudit, parseAuditPolicy } from './policy';

const HEAD = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';
const POLICY = parseAuditPolicy(`${HEAD}omitStages: [RequestReceived]
rules:
- {level: None, users: [quiet], verbs: [watch]}
- {level: Request, userGroups: [g], namespaces: [ns]}
- {level: Metadata, resources: [{group: '', resources: [secrets, pods/log], resourceNames: [a]}]}
- {level: RequestResponse, resources: [{group: apps, resources: ['*/scale', 'deployments/*']}]}
- {level: Request, resources: [{group: batch}], omitManagedFields: true}
- {level: Metadata, nonResourceURLs: ['/api*', /version], omitStages: [ResponseStarted]}
`);
const asked = {
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: '',
  name: '',
};

it.each([
  [{ name: 'quiet' }, { verb: 'watch' }, 'None'],
  [{ groups: ['g'] }, { namespace: 'ns' }, 'Request'],
  [{ groups: ['g'] }, { namespace: 'm' }, 'None'],
  [{}, { resource: 'secrets', name: 'a' }, 'Metadata'],
  [{}, { resource: 'secrets', name: 'b' }, 'None'],
  [{}, { subresource: 'log', name: 'a' }, 'Metadata'],
  [{}, { name: 'a' }, 'None'],
  [{}, { group: 'apps', resource: 'replicasets', subresource: 'scale' }, 'RequestResponse'],
  [{}, { group: 'apps', resource: 'deployments', subresource: 'status' }, 'RequestResponse'],
  [{}, { group: 'apps', resource: 'deployments' }, 'RequestResponse'],
  [{}, { group: 'batch', resource: 'jobs' }, 'Request'],
  [{}, { path: '/apis/apps' }, 'Metadata'],
  [{}, { path: '/metrics' }, 'None'],
])('judges what %j asks by %j: %s', (user, attributes, level) => {
  const who = { name: 'u', groups: [], ...user };
  expect(decideAudit(POLICY, who, { ...asked, ...attributes }).level).toBe(level);
});

it('joins the stages that are left out, and lets a rule have its own managed fields', () => {
  const who = { name: 'u', groups: [] };
  expect(decideAudit(POLICY, who, { ...asked, path: '/version' }).omitStages).toEqual([
    'RequestReceived',
    'ResponseStarted',
  ]);
  const { omitManagedFields } = decideAudit(POLICY, who, { ...asked, group: 'batch' });
  expect(omitManagedFields).toBe(true);
});

it.each([
  ['rules: []', 'loaded illegal policy with 0 rules'],
  ['rules: [{level: All}]', 'rules.0.level'],
  ['rules: [{level: None, nonesuch: 1}]', 'nonesuch'],
  ['rules: [{level: None, nonResourceURLs: [a]}]', 'must begin with a "/"'],
  ['rules: [{level: None, nonResourceURLs: ["/a*/b"]}]', 'must be the final character'],
  ['rules: [{level: None, namespaces: [ns], nonResourceURLs: [/a]}]', 'cannot apply to both'],
  ['rules: [{level: None}]\n---\na: b', 'one document'],
])('refuses %s', (text, problem) => {
  expect(() => parseAuditPolicy(HEAD + text)).toThrow(problem);
});
