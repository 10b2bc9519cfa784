import { ManualClock } from '../../../lib/clock';
import { parseJson } from '../../../lib/json';
import { startTestServer, type TestServer } from '../testing';
import { Auditor } from './auditor';
import { parseAuditPolicy } from './policy';

/* What admission notes of a request for those who read the audit log. */

let server: TestServer;
let events: { annotations?: Record<string, string> }[];
let answer: object;

beforeEach(async () => {
  events = [];
  answer = {};
  const policy = parseAuditPolicy(
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\nomitStages: [RequestReceived]',
  );
  const sink = { write: (line: string) => events.push(parseJson(line) as never) };
  const call = async (_target: unknown, review: unknown) => {
    const { request, apiVersion } = review as { request: { uid: string }; apiVersion: string };
    const response = { uid: request.uid, allowed: true, ...answer };
    return { kind: 'AdmissionReview', apiVersion, response };
  };
  server = await startTestServer({
    auditor: new Auditor({ policy, sink, clock: new ManualClock() }),
    webhookCalls: { call },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const CORE = '/api/v1/namespaces/default';
const RULE = {
  ...{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
};
const made = async (path: string, body: object) => {
  const { status, text } = await server.request('POST', path, body);
  expect([status, status === 201 ? '' : text]).toEqual([201, '']);
};
const bind = async (spec: object, validationActions: readonly string[]) => {
  await made(`${GROUP}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: [RULE] }, ...spec },
  });
  await made(`${GROUP}/validatingadmissionpolicybindings`, {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions },
  });
};
const webhook = (kind: string) =>
  made(`${GROUP}/${kind.toLowerCase()}webhookconfigurations`, {
    metadata: { name: 'w' },
    webhooks: [
      {
        ...{ name: 'a.hooks.example', clientConfig: { url: 'https://hooks.example/' } },
        ...{ rules: [RULE], sideEffects: 'None', admissionReviewVersions: ['v1'] },
      },
    ],
  });
/** What was noted of the creation of a config map, beside who might. */
const noted = async (data: object = {}, expected = 201): Promise<Record<string, string>> => {
  await server.request('GET', `${GROUP}/validatingwebhookconfigurations`);
  const body = { metadata: { generateName: 'm-' }, data };
  const { status } = await server.request('POST', `${CORE}/configmaps`, body);
  expect(status).toBe(expected);
  const all = Object.entries(events.at(-1)?.annotations ?? {});
  return Object.fromEntries(all.filter(([key]) => !key.startsWith('authorization.k8s.io/')));
};

it.each(['Mutating', 'Validating'])('are those of webhooks: %s', async (kind) => {
  await webhook(kind);
  const auditAnnotations = { why: 'it is fine', 'no good key': 'x', number: 7 };
  answer = { auditAnnotations };
  expect(await noted()).toEqual({ 'a.hooks.example/why': 'it is fine' });
  answer = { auditAnnotations, allowed: false };
  expect(await noted({}, 400)).toEqual({ 'a.hooks.example/why': 'it is fine' });
});

it('are bounded, whatever a webhook answers', async () => {
  await webhook('Validating');
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 'x']));
  answer = { auditAnnotations: { long: 'x'.repeat(1_000_000), ...many } };
  const all = await noted();
  expect(Object.keys(all).length).toBeLessThan(50);
  expect(all['a.hooks.example/long']).toHaveLength(16 * 1024);
});

it('are what a policy tells, and not what it leaves empty', async () => {
  const auditAnnotations = [
    { key: 'size', valueExpression: '"has " + string(size(object.data))' },
    { key: 'none', valueExpression: 'null' },
    { key: 'empty', valueExpression: '"  "' },
  ];
  await bind({ auditAnnotations }, ['Deny']);
  expect(await noted({ a: 'b' })).toEqual({ 'p/size': 'has 1' });
});

it.each(['Fail', 'Ignore'])('that have no value fail as the policy says: %s', async (policy) => {
  const auditAnnotations = [{ key: 'a', valueExpression: 'string(object.none)' }];
  await bind({ auditAnnotations, failurePolicy: policy }, ['Deny']);
  expect(await noted({}, policy === 'Fail' ? 422 : 201)).toEqual({});
});

it('are what a binding has noted in the place of denied', async () => {
  await bind(
    {
      validations: [
        { expression: 'true' },
        { expression: 'size(object.data) > 1', message: 'few' },
      ],
    },
    ['Audit'],
  );
  const { 'validation.policy.admission.k8s.io/validation_failure': failure = '' } = await noted({
    a: 'b',
  });
  expect(parseJson(failure)).toEqual([
    {
      message: 'few',
      ...{ policy: 'p', binding: 'b', expressionIndex: 1, validationActions: ['Audit'] },
    },
  ]);
  expect(await noted({ a: 'b', c: 'd' })).toEqual({});
});

it('are the standards for pods that a namespace has audited', async () => {
  const labels = { 'pod-security.kubernetes.io/audit': 'baseline' };
  await made('/api/v1/namespaces', { metadata: { name: 'audited', labels } });
  await made('/api/v1/namespaces/audited/serviceaccounts', { metadata: { name: 'default' } });
  const spec = { hostNetwork: true, containers: [{ name: 'c', image: 'x' }] };
  await server.request('POST', '/api/v1/namespaces/audited/pods', {
    metadata: { name: 'p' },
    spec,
  });
  expect(events.at(-1)?.annotations).toMatchObject({
    'pod-security.kubernetes.io/audit-violations': expect.stringMatching(
      /^would violate PodSecurity "baseline:latest": host namespaces/,
    ),
  });
});
