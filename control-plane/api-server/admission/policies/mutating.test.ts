import { startTestServer, type TestServer } from '../../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const POLICIES = `${GROUP}/mutatingadmissionpolicies`;
const BINDINGS = `${GROUP}/mutatingadmissionpolicybindings`;
const MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const rule = (group: string, resources: string, operations = ['CREATE', 'UPDATE']) => ({
  ...{ apiGroups: [group], apiVersions: ['v1'], operations, resources: [resources] },
});

const apply = (expression: string) => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
});
const patch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

const policyOf = (mutations: readonly object[], more: object = {}, name = 'p') => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingAdmissionPolicy',
  metadata: { name },
  spec: {
    matchConstraints: { resourceRules: [rule('', 'configmaps'), rule('apps', 'deployments')] },
    reinvocationPolicy: 'Never',
    mutations,
    ...more,
  },
});
const made = async (path: string, body: object) => {
  const answer = await server.request('POST', path, body);
  if (answer.status !== 201) throw new Error(answer.text);
};
const bind = async (mutations: readonly object[], more: object = {}, name = 'p') => {
  await made(POLICIES, policyOf(mutations, more, name));
  await made(BINDINGS, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, ...(more as { binding?: object }).binding },
  });
};
const mapOf = (data: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', ...metadata },
  data,
});
const create = (data: object = {}, metadata: object = {}) =>
  server.request('POST', MAPS, mapOf(data, metadata));
const deploy = (containers: readonly object[]) =>
  server.request('POST', DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers } },
    },
  });
const DENIED = "policy 'p' with binding 'p' denied request: ";

describe('an apply configuration', () => {
  it('is merged as an apply would, and leaves the rest', async () => {
    await bind(
      [
        apply(`Object{
        metadata: Object.metadata{labels: {"team": "a", "seen": string(has(object.metadata.labels))}},
        spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [
          Object.spec.template.spec.containers{name: "log", image: "log:1"}
        ]}}}
      }`),
      ],
      { matchConstraints: { resourceRules: [rule('apps', 'deployments')] } },
    );
    const { status, json } = await deploy([
      { name: 'web', image: 'web:1' },
      { name: 'log', image: 'x' },
    ]);
    expect(status).toBe(201);
    expect(json.metadata.labels).toEqual({ team: 'a', seen: 'false' });
    expect(json.spec.template.spec.containers).toMatchObject([
      { name: 'web', image: 'web:1', terminationMessagePath: '/dev/termination-log' },
      { name: 'log', image: 'log:1' },
    ]);
    expect(json.spec.replicas).toBe(1);
  });

  it('makes what it says only where it has a value', async () => {
    await bind([apply('Object{data: {"b": "2", ?"c": object.data.?a}}')]);
    expect((await create({ a: '1' })).json.data).toEqual({ a: '1', b: '2', c: '1' });
  });

  it.each([
    [
      'Object{spec: Object.specx{replicas: 1}}',
      'type mismatch: unexpected type name "Object.specx", expected "Object.spec", which matches ' +
        'field name path from root Object type',
    ],
    [
      'Object{spec: Object.spec{replicasx: 1}}',
      'error applying patch: failed to convert patch object to typed object: ',
    ],
    [
      'Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"a": "b"}}}}',
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or ' +
        'structs: .spec.selector',
    ],
    ['Object{spec: Object.spec{replicas: object.spec.nope}}', 'no such key: nope'],
  ])('fails on what upstream fails on: %s', async (expression, why) => {
    await bind([apply(expression)]);
    const { status, json } = await deploy([{ name: 'web', image: 'web:1' }]);
    expect([status, json.reason]).toEqual([422, 'Invalid']);
    expect(json.message).toContain(`${DENIED}${why}`);
    expect(json.details.causes).toHaveLength(1);
  });
});

describe('a JSON patch', () => {
  it('adds, replaces and removes, by keys that it escapes', async () => {
    await bind([
      patch(`[
        JSONPatch{op: "test", path: "/data/a", value: "1"},
        JSONPatch{op: "replace", path: "/data/a", value: "2"},
        JSONPatch{op: "move", from: "/data/b", path: "/data/c"},
        JSONPatch{op: "add", path: "/metadata/labels", value: {"example.com/x": "y"}},
        JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/z"), value: "w"}
      ]`),
    ]);
    const { json } = await create({ a: '1', b: '3' });
    expect(json.data).toEqual({ a: '2', c: '3' });
    expect(json.metadata.labels).toEqual({ 'example.com/x': 'y', 'example.com/z': 'w' });
  });

  it('changes nothing when its test fails, and is refused when it does not apply', async () => {
    await bind([
      patch(
        '[JSONPatch{op: "test", path: "/data/a", value: "1"}, JSONPatch{op: "remove", path: "/data/a"}]',
      ),
    ]);
    expect((await create({ a: '2' })).json.data).toEqual({ a: '2' });
    await server.request('DELETE', `${MAPS}/m`);
    await bind([patch('[JSONPatch{op: "remove", path: "/data/nope"}]')], {}, 'q');
    const { json } = await create({ a: '1' });
    expect(json.message).toContain("policy 'q' with binding 'q' denied request: JSON Patch: ");
  });

  it('takes objects for values, and optional operations', async () => {
    await bind([
      patch(`object.spec.template.spec.containers.size() > 1 ? [] : [
        JSONPatch{op: "add", path: "/spec/template/spec/containers/-",
          value: Object.spec.template.spec.containers{name: "log", image: "log:1"}}
      ]`),
    ]);
    const { json } = await deploy([{ name: 'web', image: 'web:1' }]);
    expect(json.spec.template.spec.containers).toMatchObject([{ name: 'web' }, { name: 'log' }]);
  });
});

describe('a policy that changes objects', () => {
  it('changes nothing before it is bound, and sees each of its changes in the next mutation', async () => {
    const mutations = [
      apply('Object{data: {"a": "1"}}'),
      apply('Object{data: {"b": object.data.a}}'),
    ];
    await made(POLICIES, policyOf(mutations));
    expect((await create()).json).not.toHaveProperty('data');
    await server.request('DELETE', `${POLICIES}/p`);
    await server.request('DELETE', `${MAPS}/m`);
    await bind(mutations);
    expect((await create()).json.data).toEqual({ a: '1', b: '1' });
  });

  it('is asked only when its conditions hold, and knows its parameters and variables', async () => {
    await made(MAPS, mapOf({ team: 'blue' }, { name: 'params' }));
    await bind([apply('Object{metadata: Object.metadata{labels: {"team": variables.team}}}')], {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      variables: [{ name: 'team', expression: 'params.data.team' }],
      matchConditions: [{ name: 'wants', expression: '"wants" in object.data' }],
      binding: {
        paramRef: { name: 'params', namespace: 'default', parameterNotFoundAction: 'Deny' },
      },
    });
    expect((await create({ wants: '' })).json.metadata.labels).toEqual({ team: 'blue' });
    await server.request('DELETE', `${MAPS}/m`);
    expect((await create({ other: '' })).json.metadata).not.toHaveProperty('labels');
    await server.request('DELETE', `${MAPS}/m`);
    await server.request('DELETE', `${MAPS}/params`);
    const { status, json } = await create({ wants: '' });
    expect([status, json.message]).toEqual([
      403,
      `${DENIED}failed to configure binding: ` +
        'no params found for policy binding with `Deny` parameterNotFoundAction',
    ]);
  });

  it('is narrowed by its binding', async () => {
    await bind([apply('Object{data: {"a": "1"}}')], {
      binding: { matchResources: { objectSelector: { matchLabels: { a: 'b' } } } },
    });
    expect((await create({}, { labels: { a: 'c' } })).json).not.toHaveProperty('data');
    await server.request('DELETE', `${MAPS}/m`);
    expect((await create({}, { labels: { a: 'b' } })).json.data).toEqual({ a: '1' });
  });

  it('lets be what it has no value for when its failure policy says so', async () => {
    await bind(
      [apply('Object{data: {"a": object.data.nope}}'), apply('Object{data: {"b": "2"}}')],
      { failurePolicy: 'Ignore' },
    );
    expect((await create({ x: '1' })).json.data).toEqual({ x: '1', b: '2' });
  });

  it('is asked again for what others changed after it, if it wants to', async () => {
    const counting = (key: string) => [
      apply(
        `Object{data: {"${key}": string(size(object.data)), "seen": object.data.?last.orValue("")}}`,
      ),
    ];
    await bind(counting('a'), { reinvocationPolicy: 'IfNeeded' }, 'a');
    await bind([apply('Object{data: {"last": "z"}}')], {}, 'z');
    expect((await create({ x: '1' })).json.data).toMatchObject({ seen: 'z', last: 'z' });
    await server.request('DELETE', `${MAPS}/m`);
    await server.request(
      'PATCH',
      `${POLICIES}/a`,
      { spec: { reinvocationPolicy: 'Never' } },
      {
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    );
    expect((await create({ x: '1' })).json.data).toMatchObject({ seen: '', last: 'z' });
  });

  it('may not make another object of it, and changes updates and dry runs alike', async () => {
    await bind([apply('Object{metadata: Object.metadata{name: "other"}}')]);
    expect((await create()).json.message).toContain('metadata.name: Invalid value: "other"');
    await server.request('DELETE', `${BINDINGS}/p`);
    await create();
    await bind([apply('Object{data: {"by": request.operation}}')], {}, 'q');
    const { json } = await server.request('PUT', `${MAPS}/m?dryRun=All`, mapOf({}));
    expect(json.data).toEqual({ by: 'UPDATE' });
    expect((await server.request('GET', `${MAPS}/m`)).json).not.toHaveProperty('data');
    expect((await server.request('DELETE', `${MAPS}/m`)).status).toBe(200);
  });

  it('runs out of its budget, and not the server', async () => {
    const list = '[1,2,3,4,5,6,7,8,9,10]';
    const loops = 'abcdefg'.split('').map((name) => `${list}.all(${name}, `);
    const all = `${loops.join('')}true${')'.repeat(loops.length)}`;
    await bind([apply(`Object{data: {"a": string(${all})}}`)]);
    const { status, json } = await create();
    expect(status).toBe(422);
    expect(json.message).toContain('actual cost limit exceeded');
  });

  it('leaves the configurations themselves alone', async () => {
    await bind([apply('Object{metadata: Object.metadata{labels: {"a": "b"}}}')], {
      matchConstraints: { resourceRules: [rule('*', '*', ['*'])] },
    });
    await made(POLICIES, policyOf([apply('Object{}')], {}, 'other'));
    const { json } = await server.request('GET', `${POLICIES}/other`);
    expect(json.metadata).not.toHaveProperty('labels');
  });
});

describe('what may be said in such a policy', () => {
  const fieldsOf = async (spec: object) => {
    const { status, json } = await server.request('POST', POLICIES, policyOf([], spec));
    expect(status).toBe(422);
    return json.details.causes.map(({ field }: { field: string }) => field);
  };

  it('is what upstream lets be said', async () => {
    expect(
      await fieldsOf({
        failurePolicy: 'Never',
        reinvocationPolicy: '',
        matchConstraints: { resourceRules: [rule('', 'pods', ['DELETE'])] },
      }),
    ).toEqual([
      'spec.failurePolicy',
      'spec.matchConstraints.resourceRules[0].operations[0]',
      'spec.mutations',
      'spec.reinvocationPolicy',
    ]);
    const both = { ...apply('Object{}'), jsonPatch: { expression: '[]' } };
    expect(
      await fieldsOf({
        mutations: [{ patchType: '' }, { patchType: 'Other' }, { patchType: 'JSONPatch' }, both],
      }),
    ).toEqual([
      'spec.mutations[0].patchType',
      'spec.mutations[1].patchType',
      'spec.mutations[2].jsonPatch',
      'spec.mutations[3].jsonPatch',
    ]);
  });

  it.each([
    [apply('"a teapot"'), 'must evaluate to Object but got string'],
    [patch('[1]'), 'must evaluate to list(JSONPatch) but got list(int)'],
    [patch('[JSONPatch{op: 1}]'), "expected type 'string' but found 'int'"],
    [patch('[JSONPatch{oops: "x"}]'), "undefined field 'oops'"],
    [apply('Other{}'), "undeclared reference to 'Other' (in container '')"],
    [apply('Object{a: nope}'), "undeclared reference to 'nope' (in container '')"],
    [apply(''), 'expression is not specified'],
  ])('compiles: %j', async (mutation, why) => {
    const { status, json } = await server.request('POST', POLICIES, policyOf([mutation]));
    expect(status).toBe(422);
    expect(json.message).toContain(why);
  });

  it('keeps messages and their functions to policies that make patches', async () => {
    for (const expression of ['Object{} == Object{}', 'jsonpatch.escapeKey("a") == "a"']) {
      const { status } = await server.request('POST', `${GROUP}/validatingadmissionpolicies`, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'v' },
        spec: {
          matchConstraints: { resourceRules: [rule('', 'pods')] },
          validations: [{ expression }],
        },
      });
      expect(status).toBe(422);
    }
  });
});
