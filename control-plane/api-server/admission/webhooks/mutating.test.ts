import {
  CORE,
  MERGE,
  RULE,
  hook,
  map,
  patch,
  set,
  label,
  useHookedServer,
  type Json,
} from './testing';

/* What webhooks may change, and what not. */

const { asked, answers, request, configure, paths, mutate, validate, create, makePod } =
  useHookedServer();

describe('a change', () => {
  it('goes through one webhook after another, by the names of their configurations', async () => {
    await configure('Mutating', 'b', hook('/b'));
    await configure('Mutating', 'a', hook('/a2'), hook('/a1'));
    for (const path of ['/a1', '/a2', '/b'])
      answers.set(path, ({ object }) => {
        const before: string = object.metadata.labels?.by ?? '';
        return label(`${before}${path.slice(1)}`);
      });
    const { status, json } = await create();
    expect([status, json.metadata.labels]).toEqual([201, { by: 'a2a1b' }]);
    expect(paths()).toEqual(['/a2', '/a1', '/b']);
  });

  it('is defaulted, validated, and shown to those who may refuse', async () => {
    await mutate(hook('/m', { rules: [{ ...RULE, resources: ['pods'] }] }));
    await validate(hook('/v', { rules: [{ ...RULE, resources: ['pods'] }] }));
    const container = { name: 'side', image: 'proxy', ports: [{ containerPort: 1 }] };
    answers.set('/m', () => patch(set('/spec/containers/-', container)));
    await makePod();
    const [, last] = asked;
    expect(last?.review.request.object.spec.containers[1]).toMatchObject({
      ...{
        name: 'side',
        imagePullPolicy: 'Always',
        ports: [{ containerPort: 1, protocol: 'TCP' }],
      },
    });
    answers.set('/m', () => patch(set('/spec/containers/-', { name: 'Bad Name', image: 'x' })));
    const spec = { containers: [{ name: 'c', image: 'x' }] };
    const { status, json } = await request('POST', `${CORE}/pods`, {
      metadata: { name: 'q' },
      spec,
    });
    expect([status, json.message]).toEqual([
      422,
      expect.stringContaining('spec.containers[1].name: Invalid value: "Bad Name"'),
    ]);
  });

  it('is seen again by those who want to see what others did after them', async () => {
    await mutate(
      hook('/first', { reinvocationPolicy: 'IfNeeded' }),
      hook('/never'),
      hook('/last', { reinvocationPolicy: 'IfNeeded' }),
    );
    answers.set('/last', () => label('last'));
    expect((await create()).status).toBe(201);
    expect(paths()).toEqual(['/first', '/never', '/last', '/first']);
    asked.length = 0;
    answers.clear();
    expect((await create('b')).status).toBe(201);
    expect(paths()).toEqual(['/first', '/never', '/last']);
  });

  it('through a status changes nothing but the status', async () => {
    await makePod();
    await mutate(hook('/m', { rules: [{ ...RULE, resources: ['pods/status'] }] }));
    answers.set('/m', () =>
      patch(
        set('/spec/hostname', 'stolen'),
        set('/status/reason', 'Because'),
        set('/metadata/labels', { a: 'b' }),
      ),
    );
    const path = `${CORE}/pods/p/status`;
    const { status, json } = await request('PATCH', path, { status: { message: 'x' } }, MERGE);
    expect(status).toBe(200);
    expect(json.status).toMatchObject({ message: 'x', reason: 'Because' });
    expect(json.spec.hostname).toBeUndefined();
    expect(json.metadata.labels).toEqual({ a: 'b' });
  });

  it('of a scale scales, and of what is deleted is refused', async () => {
    const spec = {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { containers: [{ name: 'c', image: 'x' }] },
      },
    };
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    await request('POST', deployments, { metadata: { name: 'd' }, spec });
    await mutate(
      hook('/m', { rules: [{ ...RULE, resources: ['deployments', 'deployments/scale'] }] }),
    );
    answers.set('/m', () => patch({ op: 'replace', path: '/spec/replicas', value: 7 }));
    const scaled = await request(
      'PATCH',
      `${deployments}/d/scale`,
      { spec: { replicas: 3 } },
      MERGE,
    );
    expect([scaled.status, scaled.json.spec]).toEqual([200, { replicas: 7 }]);
    const { status, json } = await request('DELETE', `${deployments}/d`);
    expect([status, json.message]).toEqual([
      500,
      'Internal error occurred: admission webhook "m.hooks.example" attempted to modify the object, ' +
        'which is not supported for this operation',
    ]);
  });

  it('names an object that the server would name', async () => {
    await mutate(hook('/m'));
    answers.set('/m', () => patch(set('/metadata/name', 'named')));
    const { status, json } = await request('POST', `${CORE}/configmaps`, {
      ...map(''),
      metadata: { generateName: 'a-' },
    });
    expect([status, json.metadata.name]).toEqual([201, 'named']);
  });

  const MESSAGE = 'Internal error occurred: admission webhook "m.hooks.example" ';
  const IMMUTABLE = 'ConfigMap "a" is invalid: metadata.';
  it.each<[string, object[], number, string]>([
    [
      'another name',
      [set('/metadata/name', 'b')],
      422,
      `${IMMUTABLE}name: Invalid value: "b": field is immutable`,
    ],
    [
      'no name',
      [{ op: 'remove', path: '/metadata/name' }],
      422,
      `${IMMUTABLE}name: Invalid value: "": field is immutable`,
    ],
    [
      'another namespace',
      [set('/metadata/namespace', 'kube-system')],
      422,
      `${IMMUTABLE}namespace: Invalid value: "kube-system": field is immutable`,
    ],
    [
      'no metadata',
      [{ op: 'remove', path: '/metadata' }],
      500,
      `${MESSAGE}attempted to remove metadata of the object`,
    ],
    [
      'other metadata',
      [set('/metadata', 7)],
      500,
      `${MESSAGE}attempted to remove metadata of the object`,
    ],
    [
      'no kind',
      [{ op: 'remove', path: '/kind' }],
      500,
      `${MESSAGE}attempted to change apiVersion or kind of the object`,
    ],
    [
      'another kind',
      [set('/kind', 'Secret')],
      500,
      `${MESSAGE}attempted to change apiVersion or kind of the object`,
    ],
    [
      'no object',
      [set('', null)],
      500,
      `${MESSAGE}attempted to change apiVersion or kind of the object`,
    ],
    ['wrong types', [set('/data', [1])], 500, `${MESSAGE}made an object that is no ConfigMap: `],
    [
      'a path that is not there',
      [set('/nowhere/x', 1)],
      500,
      `${MESSAGE}returned a patch that does not apply: missing value at /nowhere`,
    ],
    [
      'no operation',
      [7 as unknown as object],
      500,
      `${MESSAGE}returned a patch that does not apply: an operation is no object`,
    ],
    [
      'too many operations',
      Array.from({ length: 10_001 }, () => set('/x', 1)),
      500,
      `${MESSAGE}returned a patch that does not apply: The allowed maximum`,
    ],
    [
      'too many values',
      [set('/data', Object.fromEntries(Array.from({ length: 11_000 }, (_, i) => [`k${i}`, ''])))],
      413,
      'Request entity too large: limit is 10000 values',
    ],
    [
      'too many bytes',
      [set('/data', { a: 'x'.repeat(2 * 1024 * 1024) })],
      413,
      'Request entity too large: limit is ',
    ],
  ])('that does harm is refused: %s', async (_what, operations, code, message) => {
    await mutate(hook('/m'));
    answers.set('/m', () => patch(...operations));
    const { status, json } = await create();
    expect([status, json.message]).toEqual([code, expect.stringContaining(message)]);
    expect((await request('GET', `${CORE}/configmaps/a`)).status).toBe(404);
  });

  it('leaves what only the server writes, whatever the patch says', async () => {
    const before = (await create('a', { data: { z: 'z' } }, '?fieldManager=me')).json;
    await mutate(hook('/m'));
    answers.set('/m', () =>
      patch(
        set('/metadata/uid', 'other'),
        set('/metadata/generation', 99),
        set('/metadata/creationTimestamp', '2000-01-01T00:00:00Z'),
        set('/metadata/deletionTimestamp', '2000-01-01T00:00:00Z'),
        set('/metadata/managedFields', []),
        set('/data', { ['__proto__']: 'plain', constructor: 'plain' }),
      ),
    );
    const { status, json } = await request(
      'PATCH',
      `${CORE}/configmaps/a`,
      { data: { a: 'b' } },
      MERGE,
    );
    expect(status).toBe(200);
    const { uid, creationTimestamp, deletionTimestamp, generation } = json.metadata;
    expect([uid, creationTimestamp, deletionTimestamp, generation]).toEqual([
      ...[before.metadata.uid, before.metadata.creationTimestamp, undefined, undefined],
    ]);
    expect(json.metadata.managedFields).toMatchObject([{ manager: 'me' }, { manager: 'unknown' }]);
    expect(Object.entries(json.data)).toEqual([
      ['__proto__', 'plain'],
      ['constructor', 'plain'],
    ]);
    expect(({} as Json).plain).toBeUndefined();
  });
});
