import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../resources';
import { made, refusal } from '../testing';

type Json = Record<string, unknown>;

const RULE = {
  operations: ['CREATE'],
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: ['pods'],
};
const HOOK = {
  name: 'a.b.c',
  clientConfig: { url: 'https://webhook.example/check' },
  rules: [RULE],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const configuration = (...webhooks: readonly Json[]) => ({ metadata: { name: 'x' }, webhooks });
const withHook = (change: Json) => configuration({ ...HOOK, ...change });
const withRule = (change: Json) => withHook({ rules: [{ ...RULE, ...change }] });
const withClient = (clientConfig: Json) => withHook({ clientConfig });
const withService = (service: Json) =>
  withClient({ service: { namespace: 'n', name: 's', ...service } });
const FORM = '; desired format: https://host[/path]';
const LABEL_1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " +
  "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

it('completes what the author left out, in upstream words', () => {
  const service = { namespace: 'n', name: 's' };
  const body = configuration({ ...HOOK, clientConfig: { service } });
  const common = {
    ...HOOK,
    clientConfig: { service: { ...service, port: 443 } },
    rules: [{ ...RULE, scope: '*' }],
    ...{ failurePolicy: 'Fail', matchPolicy: 'Equivalent', timeoutSeconds: 10 },
    ...{ namespaceSelector: {}, objectSelector: {} },
  };
  expect(made(VALIDATING_WEBHOOKS, body)).toMatchObject({ webhooks: [common] });
  expect(made(MUTATING_WEBHOOKS, body)).toMatchObject({
    webhooks: [{ ...common, reinvocationPolicy: 'Never' }],
  });
});

it.each<[Json, ...string[]]>([
  [configuration(HOOK)],
  [configuration()],
  [withHook({ name: '' }), 'name: Required value'],
  [
    withHook({ name: 'a.b' }),
    'name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
  ],
  [
    withHook({ failurePolicy: 'X' }),
    'failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
  ],
  [
    withHook({ matchPolicy: 'X' }),
    'matchPolicy: Unsupported value: "X": supported values: "Equivalent", "Exact"',
  ],
  [
    withHook({ sideEffects: undefined }),
    'sideEffects: Required value: must specify one of None, NoneOnDryRun',
  ],
  [
    withHook({ sideEffects: 'Some' }),
    'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
  ],
  [
    withHook({ timeoutSeconds: 0 }),
    'timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds',
  ],
  [
    withHook({ timeoutSeconds: 31 }),
    'timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
  ],
  [withHook({ timeoutSeconds: 30 })],
  [
    withHook({ admissionReviewVersions: [] }),
    'admissionReviewVersions: Required value: must specify one of v1, v1beta1',
  ],
  [
    withHook({ admissionReviewVersions: ['v2'] }),
    'admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
  ],
  [
    withHook({ admissionReviewVersions: ['v1', 'v1'] }),
    'admissionReviewVersions[1]: Invalid value: "v1": duplicate version',
  ],
  [
    withHook({ admissionReviewVersions: ['v1', '1v'] }),
    `admissionReviewVersions[1]: Invalid value: "1v": ${LABEL_1035}`,
  ],
  [
    withHook({ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
    "namespaceSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
  ],
  [
    withHook({ objectSelector: { matchLabels: { 'a b': 'c' } } }),
    expect.stringContaining('objectSelector.matchLabels: Invalid value: "a b"'),
  ],
  [
    withHook({ matchConditions: [{ name: 'a', expression: ' ' }] }),
    'matchConditions[0].expression: Required value: expression is not specified',
  ],
  [
    withHook({ matchConditions: [{ name: 'a', expression: '1' }] }),
    'matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int',
  ],
  [
    withHook({ matchConditions: [{ name: 'a', expression: 'variables.x' }] }),
    expect.stringContaining("undeclared reference to 'variables'"),
  ],
  [
    withHook({
      matchConditions: [
        { name: '', expression: 'true' },
        { name: 'a', expression: 'true' },
        { name: 'a', expression: 'request.operation == "CREATE"' },
      ],
    }),
    'matchConditions[0].name: Required value',
    'matchConditions[2].name: Duplicate value: "a"',
  ],
  [
    withHook({
      matchConditions: Array.from({ length: 65 }, (_, i) => ({ name: `a${i}`, expression: 'x' })),
    }),
    'matchConditions: Too many: 65: must have at most 64 items',
  ],
])('holds a webhook to upstream rules: %#', (body, ...why) => {
  const expected = why.map((each) =>
    typeof each === 'string' ? `webhooks[0].${each}` : (each as unknown),
  );
  expect(refusal(VALIDATING_WEBHOOKS, body)).toEqual(expected);
  expect(refusal(MUTATING_WEBHOOKS, body)).toEqual(expected);
});

it('refuses what only webhooks that change have', () => {
  expect(refusal(MUTATING_WEBHOOKS, withHook({ reinvocationPolicy: 'X' }))).toEqual([
    'webhooks[0].reinvocationPolicy: Unsupported value: "X": supported values: "IfNeeded", "Never"',
  ]);
});

it('refuses a name that two webhooks have', () => {
  expect(refusal(MUTATING_WEBHOOKS, configuration(HOOK, HOOK))).toEqual([
    'webhooks[1].name: Duplicate value: "a.b.c"',
  ]);
});

it.each<[Json, ...string[]]>([
  [withRule({ operations: [] }), 'operations: Required value'],
  [
    withRule({ operations: ['*', 'CREATE'] }),
    'operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
  ],
  [
    withRule({ operations: ['PATCH'] }),
    'operations[0]: Unsupported value: "PATCH": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
  ],
  [withRule({ apiGroups: [] }), 'apiGroups: Required value'],
  [
    withRule({ apiGroups: ['a', '*'] }),
    'apiGroups: Invalid value: ["a","*"]: if \'*\' is present, must not specify other API groups',
  ],
  [withRule({ apiVersions: [] }), 'apiVersions: Required value'],
  [
    withRule({ apiVersions: ['', '*'] }),
    'apiVersions: Invalid value: ["","*"]: if \'*\' is present, must not specify other API versions',
    'apiVersions[0]: Required value',
  ],
  [withRule({ resources: [] }), 'resources: Required value'],
  [withRule({ resources: ['', 'pods'] }), 'resources[0]: Required value'],
  [
    withRule({ resources: ['pods/*', 'pods/status'] }),
    'resources[1]: Invalid value: "pods/status": if \'pods/*\' is present, must not specify pods/status',
  ],
  [
    withRule({ resources: ['*/status', 'pods/status'] }),
    'resources[1]: Invalid value: "pods/status": if \'*/status\' is present, must not specify pods/status',
  ],
  [
    withRule({ resources: ['*/*', 'pods'] }),
    'resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, must not specify other resources',
  ],
  [
    withRule({ resources: ['*', 'pods'] }),
    'resources: Invalid value: ["*","pods"]: if \'*\' is present, must not specify other resources without subresources',
  ],
  [withRule({ resources: ['*', 'pods/status'] })],
  [
    withRule({ scope: 'X' }),
    'scope: Unsupported value: "X": supported values: "*", "Cluster", "Namespaced"',
  ],
])('holds a rule to upstream rules: %#', (body, ...why) => {
  expect(refusal(VALIDATING_WEBHOOKS, body)).toEqual(
    why.map((each) => `webhooks[0].rules[0].${each}`),
  );
});

it.each<[Json, ...string[]]>([
  [withClient({}), ': Required value: exactly one of url or service is required'],
  [
    withClient({ url: 'https://a', service: { namespace: 'n', name: 's' } }),
    ': Required value: exactly one of url or service is required',
  ],
  [
    withClient({ url: 'http://a' }),
    `.url: Invalid value: "http": 'https' is the only allowed URL scheme${FORM}`,
  ],
  [withClient({ url: 'https:///x' }), `.url: Invalid value: "": host must be provided${FORM}`],
  [
    withClient({ url: 'https://u:p@a' }),
    '.url: Invalid value: "u:p": user information is not permitted in the URL',
  ],
  [
    withClient({ url: 'https://a/#f' }),
    '.url: Invalid value: "f": fragments are not permitted in the URL',
  ],
  [
    withClient({ url: 'https://a/?q' }),
    '.url: Invalid value: "q": query parameters are not permitted in the URL',
  ],
  [
    withClient({ url: 'https://a b/' }),
    `.url: Required value: url must be a valid URL: parse "https://a b/": invalid host${FORM}`,
  ],
  [withClient({ url: 'https://[::1]:8443/x' })],
  [withService({ name: '' }), '.service.name: Required value: service name is required'],
  [
    withService({ namespace: '' }),
    '.service.namespace: Required value: service namespace is required',
  ],
  [
    withService({ port: 0 }),
    '.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
  ],
  [withService({ path: '/' })],
  [withService({ path: '/a/b/' })],
  [withService({ path: '//' }), '.service.path: Invalid value: "//": segment[0] may not be empty'],
  [
    withService({ path: '/a//b' }),
    '.service.path: Invalid value: "/a//b": segment[1] may not be empty',
  ],
])('holds the way to a webhook to upstream rules: %#', (body, ...why) => {
  expect(refusal(VALIDATING_WEBHOOKS, body)).toEqual(
    why.map((each) => `webhooks[0].clientConfig${each}`),
  );
});

it('leaves an older configuration what it has', () => {
  const old = configuration(
    { ...HOOK, sideEffects: 'Some', admissionReviewVersions: ['v2'] },
    { ...HOOK, sideEffects: 'Some' },
  );
  expect(refusal(VALIDATING_WEBHOOKS, old, old)).toEqual([]);
  expect(refusal(VALIDATING_WEBHOOKS, old, configuration(HOOK))).toHaveLength(4);
  const withConditions = withHook({ matchConditions: [{ name: 'a', expression: 'true' }] });
  expect(refusal(VALIDATING_WEBHOOKS, withConditions, withConditions)).toEqual([]);
});
