import { startTestServer, type RequestOptions, type TestServer } from '../../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const POLICIES = `${GROUP}/validatingadmissionpolicies`;
const BINDINGS = `${GROUP}/validatingadmissionpolicybindings`;
const MAPS = '/api/v1/namespaces/default/configmaps';
const RULE = {
  apiGroups: [''],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE', 'DELETE'],
  resources: ['configmaps'],
};

const policyOf = (spec: object, name = 'p') => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name },
  spec: { matchConstraints: { resourceRules: [RULE] }, ...spec },
});
const bindingOf = (spec: object = {}, name = 'b') => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name },
  spec: { policyName: 'p', validationActions: ['Deny'], ...spec },
});
const made = async (path: string, body: object) => {
  const answer = await server.request('POST', path, body);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer;
};
const bind = async (spec: object, binding: object = {}) => {
  await made(POLICIES, policyOf(spec));
  await made(BINDINGS, bindingOf(binding));
};
const validations = (expression: string, more: object = {}) => ({
  validations: [{ expression, ...more }],
});
let count = 0;
const create = (data: Record<string, string> = {}, options: RequestOptions = {}, metadata = {}) =>
  server.request(
    'POST',
    MAPS,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `m${++count}`, ...metadata }, data },
    options,
  );
const DENIED = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
const denial = async (data: Record<string, string> = {}): Promise<string | undefined> => {
  const { status, json } = await create(data);
  return status === 201 ? undefined : (json.message as string).split(DENIED)[1];
};

describe('a policy', () => {
  it('denies what its expressions do not hold for, in upstream words, from its binding on', async () => {
    await made(POLICIES, policyOf(validations('object.data.a == "1"')));
    expect(await denial({ a: '2' })).toBeUndefined();
    await made(BINDINGS, bindingOf());
    expect(await denial({ a: '1' })).toBeUndefined();
    const { status, json } = await create({ a: '2' }, {}, { name: 'x' });
    const why = `${DENIED}failed expression: object.data.a == "1"`;
    expect([status, json.reason, json.message]).toEqual([
      422,
      'Invalid',
      `configmaps "x" is forbidden: ${why}`,
    ]);
    expect(json.details.causes).toEqual([{ reason: '', message: why }]);
    await server.request('DELETE', `${BINDINGS}/b`);
    expect(await denial({ a: '2' })).toBeUndefined();
  });

  it('follows its changes', async () => {
    await bind(validations('object.data.a == "1"'));
    const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
    const changed = { spec: validations('object.data.a == "2"') };
    expect((await server.request('PATCH', `${POLICIES}/p`, changed, merge)).status).toBe(200);
    expect(await denial({ a: '2' })).toBeUndefined();
    expect(await denial({ a: '1' })).toBe('failed expression: object.data.a == "2"');
  });

  it('says its message, or what its expression for one comes to, and its reason', async () => {
    const message = { message: 'a must be 1', reason: 'Forbidden' };
    await bind({
      validations: [
        { expression: 'object.data.a != "2"', ...message },
        {
          expression: 'object.data.a != "3"',
          ...{ message: 'fallback', messageExpression: '"got " + object.data.a' },
        },
        { expression: 'object.data.a != "4"', messageExpression: 'string(object.data.nothing)' },
      ],
    });
    const { status, json } = await create({ a: '2' });
    expect([status, json.reason]).toEqual([403, 'Forbidden']);
    expect(json.message).toContain(`${DENIED}a must be 1`);
    expect(await denial({ a: '3' })).toBe('got 3');
    expect(await denial({ a: '4' })).toBe('failed expression: object.data.a != "4"');
  });

  it('fails or lets be what its expressions have no value for, as its failure policy says', async () => {
    await bind(validations('object.data.a == "1"'));
    expect(await denial({ b: '' })).toBe(
      `expression 'object.data.a == "1"' resulted in error: no such key: a`,
    );
    const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
    await server.request('PATCH', `${POLICIES}/p`, { spec: { failurePolicy: 'Ignore' } }, merge);
    expect(await denial({ b: '' })).toBeUndefined();
    expect(await denial({ a: '2' })).toBe('failed expression: object.data.a == "1"');
  });

  it('stops what does too much, as an error', async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 'v']));
    await bind(
      validations('object.data.all(a, object.data.all(b, object.data.all(c, a + b + c != "")))'),
    );
    expect(await denial(many)).toContain('actual cost limit exceeded');
  });

  it('is asked only when its conditions hold', async () => {
    await bind({
      ...validations('false'),
      matchConditions: [
        { name: 'not-admin', expression: 'request.userInfo.username != "kubernetes-admin"' },
        { name: 'broken', expression: 'object.data.nothing == "1"' },
      ],
    });
    // One that does not hold decides, whatever is wrong with another.
    expect(await denial({})).toBeUndefined();
    const user = { name: 'jane', groups: ['system:masters', 'system:authenticated'] };
    const { json } = await create({ b: '' }, { user });
    expect(json.message).toContain(`${DENIED}broken: no such key: nothing`);
  });

  it('knows the request, the old object, the namespace and what the user may do', async () => {
    await bind({
      variables: [
        { name: 'isSmall', expression: 'object == null || size(object.data) < 3' },
        { name: 'isFine', expression: 'variables.isSmall && request.operation != ""' },
      ],
      validations: [
        { expression: 'variables.isFine', message: 'small' },
        {
          expression:
            'request.operation != "UPDATE" || object.data.a == oldObject.data.a || has(object.data.b)',
          message: 'old',
        },
        { expression: 'namespaceObject.metadata.name == request.namespace', message: 'namespace' },
        {
          expression:
            'request.kind.kind == "ConfigMap" && request.resource.resource == "configmaps"',
          message: 'kind',
        },
        {
          expression:
            'authorizer.group("").resource("nodes").check("delete").allowed() && ' +
            '!authorizer.serviceAccount("default", "x").path("/secret").check("get").allowed()',
          message: 'access',
        },
        { expression: 'authorizer.requestResource.check("get").allowed()', message: 'own' },
        { expression: 'request.operation != "DELETE" || object == null', message: 'deleted' },
      ],
    });
    expect(await denial({ a: '1' })).toBeUndefined();
    expect(await denial({ a: '1', b: '2', c: '3' })).toBe('small');
    const name = `m${count - 1}`;
    const put = (data: object) =>
      server.request('PUT', `${MAPS}/${name}`, {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data },
      });
    expect((await put({ a: '2' })).json.message).toContain(`${DENIED}old`);
    expect((await put({ a: '2', b: '3' })).status).toBe(200);
    expect((await server.request('DELETE', `${MAPS}/${name}`)).status).toBe(200);
  });

  it('tells what is wrong with a variable where it is used', async () => {
    await bind({
      variables: [{ name: 'v', expression: 'object.data.x' }],
      ...validations('variables.v == "1"'),
    });
    expect(await denial({ b: '' })).toContain(
      'composited variable "v" fails to evaluate: no such key: x',
    );
  });

  it('leaves alone what its rules and selectors leave out', async () => {
    await bind({
      ...validations('false'),
      matchConstraints: {
        resourceRules: [RULE],
        excludeResourceRules: [{ ...RULE, resourceNames: ['spared'] }],
        objectSelector: { matchLabels: { held: 'yes' } },
      },
    });
    expect((await create({}, {}, { name: 'a' })).status).toBe(201);
    const labels = { held: 'yes' };
    expect((await create({}, {}, { name: 'spared', labels })).status).toBe(201);
    expect((await create({}, {}, { name: 'b', labels })).status).toBe(422);
    // Nobody can lock himself out of mending it.
    expect((await server.request('DELETE', `${POLICIES}/p`)).status).toBe(200);
  });
});

describe('a binding', () => {
  it('warns in the place of denying', async () => {
    await bind(validations('false', { message: 'no' }), { validationActions: ['Warn'] });
    const { status, headers } = await create();
    expect(status).toBe(201);
    expect(headers['warning']).toEqual([
      `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"`,
    ]);
  });

  it('lets be what it only has noted', async () => {
    await made(POLICIES, policyOf(validations('false')));
    await made(BINDINGS, bindingOf({ validationActions: ['Audit'] }));
    expect(await denial()).toBeUndefined();
  });

  it('narrows what its policy is for', async () => {
    const namespaceSelector = { matchLabels: { team: 'red' } };
    await bind(validations('false'), { matchResources: { namespaceSelector } });
    expect(await denial()).toBeUndefined();
    const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
    const labels = { metadata: { labels: { team: 'red' } } };
    await server.request('PATCH', '/api/v1/namespaces/default', labels, merge);
    expect(await denial()).toBe('failed expression: false');
  });

  const PARAMS = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } };
  const HELD = {
    ...PARAMS,
    matchConstraints: { resourceRules: [{ ...RULE, resources: ['secrets'] }] },
    validations: [
      {
        expression: 'size(object.data) <= int(params.data.max)',
        messageExpression: '"at most " + params.data.max',
      },
    ],
  };
  const secret = async (): Promise<string | undefined> => {
    const { status, json } = await server.request('POST', '/api/v1/namespaces/default/secrets', {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${++count}` } },
      data: { a: '', b: '' },
    });
    return status === 201 ? undefined : (json.message as string).split(DENIED)[1];
  };

  it('gives its policy parameters by name, or says that there are none', async () => {
    await bind(HELD, { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } });
    expect(await secret()).toBe(
      'failed to configure binding: no params found for policy binding with `Deny` ' +
        'parameterNotFoundAction',
    );
    await create({ max: '1' }, {}, { name: 'limits' });
    expect(await secret()).toBe('at most 1');
  });

  it('gives its policy each of the parameters that it selects', async () => {
    const selector = { matchLabels: { limits: 'yes' } };
    await bind(HELD, { paramRef: { selector, parameterNotFoundAction: 'Allow' } });
    expect(await secret()).toBeUndefined();
    const labels = { limits: 'yes' };
    await create({ max: '5' }, {}, { name: 'l1', labels });
    expect(await secret()).toBeUndefined();
    await create({ max: '1' }, {}, { name: 'l2', labels });
    expect(await secret()).toBe('at most 1');
  });

  it('fails when the kind of the parameters is not served', async () => {
    await bind(
      { ...HELD, paramKind: { apiVersion: 'example.com/v1', kind: 'Limit' } },
      { paramRef: { name: 'x', parameterNotFoundAction: 'Allow' } },
    );
    expect(await secret()).toBe(
      'failed to configure binding: failed to find resource referenced by paramKind: ' +
        "'example.com/v1, Kind=Limit'",
    );
  });
});

describe('what is created', () => {
  const refused = async (path: string, body: object): Promise<readonly string[]> => {
    const { status, json } = await server.request('POST', path, body);
    expect(status).toBe(422);
    return json.details.causes.map(
      ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
    );
  };

  it('has its defaults and a status', async () => {
    const { json } = await made(POLICIES, policyOf(validations('true')));
    expect(json.spec.failurePolicy).toBe('Fail');
    expect(json.spec.matchConstraints).toMatchObject({
      matchPolicy: 'Equivalent',
      ...{ namespaceSelector: {}, objectSelector: {} },
      resourceRules: [{ ...RULE, scope: '*' }],
    });
    expect(json.metadata.generation).toBe(1);
    expect(json.status).toEqual({ observedGeneration: 1, typeChecking: {} });
  });

  it('is checked against the kinds that it is for, and told what it does not have', async () => {
    const resourceRules = [
      { ...RULE, apiGroups: ['apps'], resources: ['deployments', 'replicasets'] },
      { ...RULE, resources: ['pods'] },
    ];
    const spec = {
      matchConstraints: { resourceRules },
      validations: [
        { expression: 'object.spec.replicas < 5 && object.metadata.labels["a"] == "b"' },
        {
          expression:
            'object.spec.template.spec.containers.all(c, c.resources.limits["cpu"] != "")',
        },
      ],
    };
    const { json } = await made(POLICIES, policyOf(spec));
    const { observedGeneration, typeChecking } = json.status;
    expect(observedGeneration).toBe(1);
    expect(typeChecking.expressionWarnings).toEqual([
      {
        fieldRef: 'spec.validations[0].expression',
        warning: expect.stringContaining(
          "v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'",
        ),
      },
      {
        fieldRef: 'spec.validations[1].expression',
        warning: expect.stringMatching(/^v1, Kind=Pod: ERROR: .* undefined field 'template'/),
      },
    ]);
    const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
    const pods = { spec: { matchConstraints: { resourceRules: [resourceRules[0]] } } };
    const changed = await server.request('PATCH', `${POLICIES}/p`, pods, merge);
    expect(changed.json.status).toEqual({ observedGeneration: 2, typeChecking: {} });
  });

  it.each<[string, object, string]>([
    [
      'nothing to match',
      { ...validations('true'), matchConstraints: undefined },
      'spec.matchConstraints: Required value',
    ],
    [
      'no rules',
      { ...validations('true'), matchConstraints: {} },
      'spec.matchConstraints.resourceRules: Required value',
    ],
    [
      'nothing to validate',
      {},
      'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
    ],
    [
      'an unknown reference',
      validations('objekt.x'),
      'spec.validations[0].expression: Invalid value: "objekt.x": compilation failed: ERROR: ' +
        "<input>:1:1: undeclared reference to 'objekt' (in container '')\n | objekt.x\n | ^",
    ],
    [
      'no truth',
      validations('1 + 1'),
      'spec.validations[0].expression: Invalid value: "1 + 1": must evaluate to bool but got int',
    ],
    [
      'a field that requests have not',
      validations('request.nothing == ""'),
      `undefined field 'nothing'`,
    ],
    ['params without a kind', validations('params.x == 1'), "undeclared reference to 'params'"],
    ['an unknown variable', validations('variables.x == 1'), "undefined field 'x'"],
    [
      'a message of several lines',
      validations('true', { message: 'a\nb' }),
      'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
    ],
    [
      'a message that is no text',
      validations('true', { messageExpression: '1' }),
      'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int',
    ],
    [
      'an authorizer in a message',
      validations('true', { messageExpression: 'string(authorizer)' }),
      "undeclared reference to 'authorizer'",
    ],
    [
      'an unknown reason',
      validations('true', { reason: 'Gone' }),
      'spec.validations[0].reason: Unsupported value: "Gone"',
    ],
    [
      'a variable without a name that can be said',
      { ...validations('true'), variables: [{ name: 'a-b', expression: '1' }] },
      'spec.variables[0].name: Invalid value: "a-b": name is not a valid CEL identifier',
    ],
    [
      'a condition twice',
      {
        ...validations('true'),
        matchConditions: [
          { name: 'a', expression: 'true' },
          { name: 'a', expression: 'true' },
        ],
      },
      'spec.matchConditions[1].name: Duplicate value: "a"',
    ],
    [
      'variables in a condition',
      { ...validations('true'), matchConditions: [{ name: 'a', expression: 'variables.x' }] },
      "undeclared reference to 'variables'",
    ],
    [
      'an annotation that is no text',
      { auditAnnotations: [{ key: 'a', valueExpression: '1' }] },
      'must evaluate to one of [string null] but got int',
    ],
    [
      'an unknown failure policy',
      { ...validations('true'), failurePolicy: 'Maybe' },
      'spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
    ],
    [
      'half a parameter kind',
      { ...validations('true'), paramKind: { apiVersion: 'v1' } },
      'spec.paramKind.kind: Required value',
    ],
  ])('is no policy with %s', async (_what, spec, cause) => {
    const causes = await refused(POLICIES, policyOf(spec));
    expect(causes.join('\n')).toContain(cause);
  });

  it.each<[string, object, string]>([
    ['no policy', { policyName: '' }, 'spec.policyName: Required value'],
    [
      'no action',
      { validationActions: [] },
      'spec.validationActions: Required value: at least one validation action is required',
    ],
    [
      'an unknown action',
      { validationActions: ['Log'] },
      'spec.validationActions[0]: Unsupported value: "Log": supported values: "Audit", "Deny", "Warn"',
    ],
    [
      'two that say the same',
      { validationActions: ['Deny', 'Warn'] },
      'must not contain both Deny and Warn',
    ],
    [
      'parameters by nothing',
      { paramRef: { parameterNotFoundAction: 'Deny' } },
      'spec.paramRef: Required value: one of name or selector must be specified',
    ],
    [
      'parameters that may be missing or not',
      { paramRef: { name: 'x' } },
      'spec.paramRef.parameterNotFoundAction: Required value',
    ],
  ])('is no binding with %s', async (_what, spec, cause) => {
    const causes = await refused(BINDINGS, bindingOf(spec));
    expect(causes.join('\n')).toContain(cause);
  });
});
