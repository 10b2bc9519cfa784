import { LEASES, NAMESPACES } from '../../../../api/resources';
import { startTestServer } from '../../testing';
import { WebhookCallError } from '../../webhook-client';
import {
  CONFIGURATIONS,
  CORE,
  MERGE,
  RULE,
  hook,
  map,
  label,
  deny,
  useHookedServer,
  type Json,
} from './testing';

/* What webhooks are told, and what becomes of their refusals and failures. */

const { asked, answers, request, current, paths, mutate, validate, create, makePod } =
  useHookedServer();

describe('what a webhook is told', () => {
  it('is who asks for what, with the object', async () => {
    await validate(hook('/v'));
    await create('a', { data: { a: 'b' } }, '?fieldManager=me&dryRun=All');
    expect(asked).toMatchObject([
      {
        timeoutMs: 10_000,
        review: {
          kind: 'AdmissionReview',
          apiVersion: 'admission.k8s.io/v1',
          request: {
            kind: { group: '', version: 'v1', kind: 'ConfigMap' },
            resource: { group: '', version: 'v1', resource: 'configmaps' },
            requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
            requestResource: { group: '', version: 'v1', resource: 'configmaps' },
            ...{ name: 'a', namespace: 'default', operation: 'CREATE', dryRun: true },
            userInfo: {
              username: 'kubernetes-admin',
              groups: ['system:masters', 'system:authenticated'],
            },
            object: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' } },
            oldObject: null,
            options: {
              ...{ kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
              ...{ fieldManager: 'me', dryRun: ['All'] },
            },
          },
        },
      },
    ]);
    expect(asked[0]?.review.request.uid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has nothing of a new object that only the server gives it, before it may change it', async () => {
    await mutate(hook('/m'));
    await request('POST', `${CORE}/configmaps`, {
      ...map(''),
      metadata: { generateName: 'a-' },
    });
    const [{ review } = { review: {} as Json }] = asked;
    expect(review.request.name).toBeUndefined();
    expect(review.request.object.metadata).toMatchObject({
      ...{ generateName: 'a-', namespace: 'default', creationTimestamp: null },
    });
    expect(Object.keys(review.request.object.metadata)).not.toEqual(
      expect.arrayContaining(['uid']),
    );
    expect(review.request.object.metadata.name).toBeUndefined();
  });

  it.each<[string, string, string, unknown, object]>([
    [
      'PUT',
      `${CORE}/configmaps/a`,
      'UPDATE',
      map('a', { data: { x: 'y' } }),
      { kind: 'UpdateOptions' },
    ],
    ['PATCH', `${CORE}/configmaps/a`, 'UPDATE', { data: { x: 'y' } }, { kind: 'UpdateOptions' }],
    [
      'DELETE',
      `${CORE}/configmaps/a`,
      'DELETE',
      { gracePeriodSeconds: 5 },
      { kind: 'DeleteOptions', gracePeriodSeconds: 5 },
    ],
  ])('is what was there, too: %s', async (method, path, operation, body, options) => {
    await create();
    await validate(hook('/v'));
    const { status } = await request(method, path, body, method === 'PATCH' ? MERGE : {});
    expect(status).toBe(200);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.review.request).toMatchObject({
      ...{ operation, name: 'a', options },
      oldObject: { metadata: { name: 'a' } },
      object: operation === 'DELETE' ? null : { data: { x: 'y' } },
    });
  });

  it('is a creation where a patch finds nothing to change', async () => {
    await validate(hook('/v'));
    const query = 'fieldManager=me&force=true&dryRun=All';
    const applied = await request('PATCH', `${CORE}/configmaps/a?${query}`, map('a'), {
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect(applied.status).toBe(201);
    const { operation, options } = (asked[0]?.review).request;
    expect(operation).toBe('CREATE');
    expect(options).toEqual({
      ...{ kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...{ fieldManager: 'me', dryRun: ['All'] },
    });
  });

  it.each<[string, string, string, string, unknown]>([
    [
      'pods/eviction',
      'CREATE',
      'Eviction',
      '/pods/p/eviction',
      { apiVersion: 'policy/v1', kind: 'Eviction' },
    ],
    [
      'pods/binding',
      'CREATE',
      'Binding',
      '/pods/p/binding',
      { target: { kind: 'Node', name: 'n' } },
    ],
    ['pods/status', 'UPDATE', 'Pod', '/pods/p/status', { status: { message: 'x' } }],
    ['serviceaccounts/token', 'CREATE', 'TokenRequest', '/serviceaccounts/s/token', {}],
  ])(
    'is the part of an object that is meant: %s',
    async (resource, operation, kind, path, body) => {
      await makePod();
      await validate(hook('/v', { rules: [{ ...RULE, resources: [resource] }] }));
      answers.set('/v', () => deny({ message: 'no' }));
      const method = operation === 'UPDATE' ? 'PATCH' : 'POST';
      const { json } = await request(
        method,
        `${CORE}${path}`,
        body,
        method === 'PATCH' ? MERGE : {},
      );
      expect(json.message).toBe('admission webhook "v.hooks.example" denied the request: no');
      const [plural = '', part = ''] = resource.split('/');
      expect(asked[0]?.review.request).toMatchObject({
        ...{ operation, kind: { kind }, resource: { resource: plural } },
        ...{ subResource: part, requestSubResource: part, object: { kind } },
      });
    },
  );

  it('is what a connection is for', async () => {
    await makePod();
    await validate(hook('/v', { rules: [{ ...RULE, resources: ['pods/exec'] }] }));
    answers.set('/v', () => deny({ message: 'no exec', code: 403, reason: 'Forbidden' }));
    const refused = current().api.upgrade(
      {
        ...{
          method: 'GET',
          path: `${CORE}/pods/p/exec`,
          headers: { 'sec-websocket-protocol': 'v5.channel.k8s.io' },
        },
        query: new URLSearchParams('command=sh&stdout=true'),
        ...{ user: { name: 'me', groups: ['system:masters'] }, body: async () => Buffer.of() },
        signal: new AbortController().signal,
      },
      {} as never,
    );
    await expect(refused).rejects.toThrow('denied the request: no exec');
    expect(asked[0]?.review.request).toMatchObject({
      ...{ operation: 'CONNECT', subResource: 'exec', name: 'p', oldObject: null, options: null },
      kind: { group: '', version: 'v1', kind: 'PodExecOptions' },
      object: { kind: 'PodExecOptions', command: ['sh'] },
    });
  });

  it('is the version of a review that it knows', async () => {
    await validate(hook('/v', { admissionReviewVersions: ['v9', 'v1beta1', 'v1'] }));
    expect((await create()).status).toBe(201);
    expect(asked[0]?.review.apiVersion).toBe('admission.k8s.io/v1beta1');
  });
});

describe('a refusal', () => {
  it.each<[object, number, string, string | undefined]>([
    [{ message: 'no', code: 403, reason: 'Forbidden' }, 403, ': no', 'Forbidden'],
    [{ message: 'tea', code: 418 }, 418, ': tea', undefined],
    [{ reason: 'Quota' }, 400, ': Quota', 'Quota'],
    [{}, 400, ' without explanation', undefined],
    [{ code: 200, message: 'fine' }, 400, ': fine', undefined],
    [{ code: 99999, message: 'x' }, 400, ': x', undefined],
    [{ code: 'x', message: 7 }, 400, ': 7', undefined],
  ])('comes to the caller as the webhook said it: %j', async (result, code, why, reason) => {
    await validate(hook('/v'));
    answers.set('/v', () => deny(result));
    const { status, json } = await create();
    expect([status, json.code, json.message, json.reason]).toEqual([
      ...[code, code, `admission webhook "v.hooks.example" denied the request${why}`, reason],
    ]);
    expect((await request('GET', `${CORE}/configmaps/a`)).status).toBe(404);
  });

  it('makes no creation of an update by calling the object not found', async () => {
    await create();
    await validate(hook('/v', { rules: [{ ...RULE, operations: ['UPDATE'] }] }));
    answers.set('/v', () => deny({ code: 404, reason: 'NotFound', message: 'gone' }));
    const apply = { 'content-type': 'application/apply-patch+yaml' };
    const path = `${CORE}/configmaps/a?fieldManager=me`;
    const body = map('a', { data: { x: 'y' } });
    const { status, json } = await request('PATCH', path, body, { headers: apply });
    expect([status, json.reason]).toEqual([404, 'NotFound']);
    expect(asked).toHaveLength(1);
  });

  it('passes warnings on', async () => {
    await validate(hook('/v'));
    answers.set('/v', () => ({ warnings: ['mind the gap', 7], auditAnnotations: { a: 'b' } }));
    const { status, headers } = await create();
    expect([status, headers['warning']]).toEqual([201, ['299 - "mind the gap"']]);
  });

  it('is that of the first in order, and all are asked', async () => {
    await validate(hook('/v1'), hook('/v2'), hook('/v3'));
    answers.set('/v2', () => deny({ message: 'second' }));
    answers.set('/v3', () => deny({ message: 'third' }));
    expect((await create()).json.message).toMatch(/second$/);
    expect(paths()).toEqual(['/v1', '/v2', '/v3']);
  });
});

describe('a webhook with match conditions', () => {
  const only = (expression: string, change: object = {}) => ({
    matchConditions: [{ name: 'c', expression }],
    ...change,
  });
  const MAY =
    'authorizer.group("").resource("secrets").check("get").allowed() && request.userInfo.username != ""';

  it('is asked only when its conditions hold', async () => {
    await validate(
      hook('/v1', only('object.data.a == "b" && request.kind.kind == "ConfigMap"')),
      hook('/v2', only('object.data.a != "b"')),
      hook('/v3', {
        matchConditions: [
          // What decides is the one that does not hold, whatever others lack.
          { name: 'broken', expression: 'object.spec.none == 1' },
          { name: 'no', expression: 'oldObject != null' },
        ],
      }),
      hook('/v4', only(MAY)),
    );
    expect((await create('a', { data: { a: 'b' } })).status).toBe(201);
    expect(paths()).toEqual(['/v1', '/v4']);
  });

  it('judges what webhooks before it made of the object', async () => {
    await mutate(hook('/m1'), hook('/m2', only('object.metadata.labels.by == "m1"')));
    answers.set('/m1', () => label('m1'));
    await create();
    expect(paths()).toEqual(['/m1', '/m2']);
  });

  it.each(['Fail', 'Ignore'])('fails as its policy says: %s', async (failurePolicy) => {
    const change = only('object.spec.none == 1', { failurePolicy });
    await mutate(hook('/m', change));
    await validate(hook('/v', change));
    const { status, json } = await create();
    expect(paths()).toEqual([]);
    if (failurePolicy === 'Ignore') expect(status).toBe(201);
    else
      expect([status, json.reason, json.message]).toEqual([
        403,
        'Forbidden',
        'configmaps "a" is forbidden: c: no such key: spec',
      ]);
  });
});

const FAILED = 'Internal error occurred: failed calling webhook "v.hooks.example": ';

describe('a webhook that fails', () => {
  const down = () => new WebhookCallError('Post "https://x": dial tcp: connection refused');

  it('refuses what it was to judge, or lets it through, as its policy says', async () => {
    await validate(hook('/v'));
    answers.set('/v', down);
    const { status, json } = await create();
    expect([status, json.reason, json.message]).toEqual([
      ...[500, 'InternalError'],
      `${FAILED}failed to call webhook: Post "https://x": dial tcp: connection refused`,
    ]);
    expect(json.details.causes[0].message).toMatch(/^failed calling webhook/);
    await request('DELETE', `${CONFIGURATIONS}/validatingwebhookconfigurations/v`);
    await validate(hook('/v', { failurePolicy: 'Ignore' }));
    expect((await create()).status).toBe(201);
    const { text } = await request('GET', '/metrics');
    for (const line of [
      'webhook_rejection_count{name="v.hooks.example",type="validating",operation="CREATE",error_type="calling_webhook_error",rejection_code="503"} 1',
      'webhook_fail_open_count{name="v.hooks.example",type="validating"} 1',
      'webhook_request_total{name="v.hooks.example",type="validating",operation="CREATE",code="503",rejected="true"} 1',
      'webhook_admission_duration_seconds_count{name="v.hooks.example",type="validating",operation="CREATE",rejected="false"} 1',
    ])
      expect(text).toContain(`apiserver_admission_${line}\n`);
  });

  it.each<[string, (request: Json) => unknown, string]>([
    ['a wrong uid', () => ({ uid: 'other' }), 'expected response.uid='],
    ['no uid', () => ({ uid: undefined }), 'expected response.uid='],
    [
      'a patch of who may not',
      () => label('x'),
      'validating webhook may not return response.patch',
    ],
    ['a wrong type', () => ({ allowed: 'true' }), 'response.allowed is no boolean'],
    [
      'a status that is none',
      () => ({ allowed: false, status: 'no' }),
      'response.status is no Status',
    ],
  ])('answers what is no answer: %s', async (_what, answer, why) => {
    await validate(hook('/v'));
    answers.set('/v', answer);
    const { status, json } = await create();
    expect([status, json.message]).toEqual([
      500,
      expect.stringContaining(`${FAILED}received invalid webhook response: ${why}`),
    ]);
  });

  it.each<[string, object, string]>([
    [
      'a patch without type',
      { patchType: undefined },
      'webhook returned response.patch but not response.patchType',
    ],
    [
      'a type without patch',
      { patch: '' },
      'webhook returned response.patchType but not response.patch',
    ],
    ['another type', { patchType: 'Merge' }, 'unsupported patch type "Merge"'],
    [
      'no base64',
      { patch: '%%' },
      'received undecodable patch in webhook response: illegal base64 data',
    ],
    ['no JSON', { patch: 'AAAA' }, 'received undecodable patch in webhook response: '],
    [
      'no list',
      { patch: Buffer.from('{}').toString('base64') },
      'received undecodable patch in webhook response: it is no list',
    ],
    ['bytes for text', { patch: 7 }, 'response.patch is no string'],
  ])('answers with a patch that is none: %s', async (_what, change, why) => {
    await mutate(hook('/v'));
    answers.set('/v', () => ({ ...label('x'), ...change }));
    const { status, json } = await create();
    expect([status, json.message]).toEqual([500, expect.stringContaining(why)]);
    expect(json.message).toContain(FAILED);
  });

  it('is passed over when it is to be, whatever nonsense it answers', async () => {
    await mutate(hook('/v', { failurePolicy: 'Ignore' }));
    answers.set('/v', () => ({ ...label('x'), patch: '%%' }));
    expect((await create()).status).toBe(201);
  });

  it('is asked once about an update that it refuses', async () => {
    await create();
    await validate(hook('/v'));
    answers.set('/v', down);
    const { status } = await request('PATCH', `${CORE}/configmaps/a`, { data: { a: 'b' } }, MERGE);
    expect(status).toBe(500);
    expect(asked).toHaveLength(1);
  });
});

describe('a dry run', () => {
  it('is not for webhooks that have side effects', async () => {
    // Older servers took such webhooks.
    await validate(hook('/v', { sideEffects: 'NoneOnDryRun' }));
    expect((await create('a', {}, '?dryRun=All')).status).toBe(201);
    expect(asked[0]?.review.request.dryRun).toBe(true);
    const { store } = current();
    const key = {
      resource: 'validatingwebhookconfigurations.admissionregistration.k8s.io',
      namespace: '',
      name: 'v',
    };
    const { signal } = new AbortController();
    const stored = await store.get(key, signal);
    if (stored === undefined) throw new Error('not stored');
    const webhooks = [{ ...hook('/v'), sideEffects: 'Some', failurePolicy: 'Ignore' }];
    await store.update(
      key,
      { ...stored.object, webhooks } as never,
      stored.resourceVersion,
      signal,
    );
    await request('GET', `${CONFIGURATIONS}/validatingwebhookconfigurations`);
    asked.length = 0;
    const { status, json } = await create('a', {}, '?dryRun=All');
    expect([status, json.message]).toEqual([
      400,
      'admission webhook "v.hooks.example" does not support dry run',
    ]);
    expect(asked).toEqual([]);
    expect((await create()).status).toBe(201);
  });
});

describe('a webhook that is for everything and is down', () => {
  const ALL = { ...RULE, resources: ['*/*'] };

  it('locks nobody out', async () => {
    await mutate(hook('/m', { rules: [ALL] }));
    await validate(hook('/v', { rules: [ALL] }));
    for (const path of ['/m', '/v']) answers.set(path, () => new WebhookCallError('down'));
    expect((await create()).status).toBe(500);
    const { client } = current().api;
    // What the control plane itself stands on, and nodes and leaders live by.
    await client.create(NAMESPACES, { metadata: { name: 'own' } } as never);
    await client.create(LEASES, { metadata: { name: 'l', namespace: 'kube-node-lease' } } as never);
    // And whoever broke it can mend it.
    for (const kind of ['mutating', 'validating']) {
      const path = `${CONFIGURATIONS}/${kind}webhookconfigurations/${kind.charAt(0)}`;
      const { status } = await request('PATCH', path, { metadata: { labels: { a: 'b' } } }, MERGE);
      expect(status).toBe(200);
      expect((await request('DELETE', path)).status).toBe(200);
    }
    await request('GET', `${CONFIGURATIONS}/mutatingwebhookconfigurations`);
    await request('GET', `${CONFIGURATIONS}/validatingwebhookconfigurations`);
    expect((await create()).status).toBe(201);
  });
});

it('says why it does not reach a service, as soon as that changes', async () => {
  await using real = await startTestServer();
  const post = (path: string, body: object) => real.request('POST', path, body);
  const clientConfig = { service: { namespace: 'default', name: 's', path: '/x' } };
  const { status, headers } = await post(`${CONFIGURATIONS}/validatingwebhookconfigurations`, {
    ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' },
    metadata: { name: 'v' },
    webhooks: [hook('/v', { clientConfig })],
  });
  expect([status, headers['warning']]).toEqual([201, undefined]);
  const refusal = async () => {
    const { json } = await post(`${CORE}/configmaps`, map('a'));
    return json.message as string;
  };
  const failed = (why: string) =>
    'Internal error occurred: failed calling webhook "v.hooks.example": failed to call webhook: ' +
    `Post "https://s.default.svc:443/x?timeout=10s": ${why}`;
  await real.request('GET', `${CONFIGURATIONS}/validatingwebhookconfigurations`);
  expect(await refusal()).toBe(failed('service "s" not found'));
  const spec = { ports: [{ port: 443 }] };
  await post(`${CORE}/services`, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
    spec,
  });
  await real.request('GET', `${CORE}/services`);
  expect(await refusal()).toBe(failed('no endpoints available for service "s"'));
});
