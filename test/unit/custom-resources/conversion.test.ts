import { stringifyJson } from '../../../lib/json';
import {
  WebhookCallError,
  type WebhookTarget,
} from '../../../control-plane/api-server/webhook-client';
import { MemoryStore } from '../../../control-plane/store/memory-store';
import { cronTab, cronTabs, DEFINITIONS, MERGE, openWorld, version, type World } from './world';

/* Versions that only a webhook makes of each other: `v1` says `cronSpec`, `v2` says it in two fields. */

// Tests know what they asked for.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

const GROUP = 'stable.example.com';
const V1 = `/apis/${GROUP}/v1/namespaces/default/crontabs`;
const V2 = `/apis/${GROUP}/v2/namespaces/default/crontabs`;
const DEFINITION = `${DEFINITIONS}/crontabs.${GROUP}`;
const NAMESPACES = '/api/v1/namespaces';

const v2 = version('v2', {
  subresources: { status: {}, scale: SCALE() },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            minutes: { type: 'string' },
            rest: { type: 'string' },
            image: { type: 'string' },
            zone: { type: 'string', default: 'UTC' },
            replicas: { type: 'integer' },
          },
        },
        status: { type: 'object', properties: { replicas: { type: 'integer' } } },
      },
    },
  },
});
const v1 = version('v1', { subresources: { status: {}, scale: SCALE() } });

function SCALE() {
  return { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
}

const defined = (reviewVersions = ['v1'], ...versions: readonly object[]) =>
  cronTabs(
    {
      conversion: {
        strategy: 'Webhook',
        webhook: {
          clientConfig: { url: 'https://hook.example/convert' },
          conversionReviewVersions: reviewVersions,
        },
      },
    },
    ...(versions.length > 0 ? versions : [v1, v2]),
  );

const toV2 = ({ spec: { cronSpec = '', ...spec }, ...object }: Json): Json => {
  const [minutes, ...rest] = cronSpec.split(' ');
  return { ...object, apiVersion: `${GROUP}/v2`, spec: { ...spec, minutes, rest: rest.join(' ') } };
};
const toV1 = ({ spec: { minutes, rest, zone: _zone, ...spec }, ...object }: Json): Json => ({
  ...object,
  apiVersion: `${GROUP}/v1`,
  spec: { ...spec, cronSpec: `${minutes} ${rest}` },
});
const convert = (object: Json, desired: string): Json => {
  if (object.apiVersion === desired) return object;
  return desired.endsWith('v2') ? toV2(object) : toV1(object);
};

let world: World;
/** What the webhook was asked, and what it answers instead of what is right. */
let asked: { target: WebhookTarget; review: Json; timeoutMs: number }[];
let answer: (review: Json) => unknown;

const right = ({ apiVersion, request }: Json): Json => ({
  kind: 'ConversionReview',
  apiVersion,
  response: {
    uid: request.uid,
    result: { status: 'Success' },
    convertedObjects: request.objects.map((each: Json) => convert(each, request.desiredAPIVersion)),
  },
});
/** Right, but for one object. */
const wrongFor = (name: string, change: (object: Json) => unknown) => (review: Json) => {
  const all = right(review);
  const { convertedObjects } = all.response;
  all.response.convertedObjects = convertedObjects.map((each: Json) =>
    each.metadata.name === name ? change(each) : each,
  );
  return all;
};
const dead = (): never => {
  throw new WebhookCallError('Post "https://hook.example/convert?timeout=30s": EOF');
};
const EOF_MESSAGE =
  'conversion for stable.example.com/v1, Kind=CronTab failed: conversion webhook for ' +
  'stable.example.com/v1, Kind=CronTab failed: Post "https://hook.example/convert?timeout=30s": EOF';

const open = async (store = new MemoryStore()) => {
  world = await openWorld(store, {
    webhookCalls: {
      call: async (target, review, { timeoutMs }) => {
        asked.push({ target, review, timeoutMs });
        return structuredClone(await answer(structuredClone(review)));
      },
    },
  });
};

beforeEach(async () => {
  asked = [];
  answer = right;
  await open();
});
afterEach(() => world[Symbol.asyncDispose]());

const crontab2 = (name: string, spec: object = {}) => ({
  ...cronTab(name),
  apiVersion: `${GROUP}/v2`,
  spec: { minutes: '5', rest: '* * * *', ...spec },
});
const request = (...args: Parameters<World['request']>) => world.request(...args);
const askedAbout = (from = 0) =>
  asked
    .slice(from)
    .map(({ review }) => review.request.objects.map((each: Json) => each.metadata.name));

it('serves each version as the webhook makes it', async () => {
  await world.define(defined());
  await request('POST', V1, cronTab('a', { image: 'x' }));
  expect(asked).toEqual([]);
  const { json: seen } = await request('GET', `${V2}/a`);
  expect([seen.apiVersion, seen.spec]).toEqual([
    `${GROUP}/v2`,
    { minutes: '*', rest: '* * * */5', image: 'x', replicas: 1 },
  ]);
  expect(asked[0]).toEqual({
    target: { url: 'https://hook.example/convert' },
    timeoutMs: 30_000,
    review: {
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      request: {
        uid: expect.any(String),
        desiredAPIVersion: `${GROUP}/v2`,
        objects: [expect.objectContaining({ apiVersion: `${GROUP}/v1` })],
      },
    },
  });
  const { json: made, status } = await request('POST', V2, crontab2('b'));
  expect([status, made.apiVersion, made.spec.minutes]).toEqual([201, `${GROUP}/v2`, '5']);
  const { json: stored } = await request('GET', `${V1}/b`);
  expect([stored.apiVersion, stored.spec]).toEqual([
    `${GROUP}/v1`,
    { cronSpec: '5 * * * *', replicas: 1 },
  ]);
});

it('speaks the first version of reviews that both know', async () => {
  await world.define(defined(['v7', 'v1beta1']));
  await request('POST', V1, cronTab('a'));
  expect((await request('GET', `${V2}/a`)).status).toBe(200);
  expect(asked[0]?.review.apiVersion).toBe('apiextensions.k8s.io/v1beta1');
});

it('asks about one state of an object once, however many want to see it', async () => {
  await world.define(defined());
  await request('POST', V1, cronTab('a'));
  await Promise.all(Array.from({ length: 5 }, () => request('GET', `${V2}/a`)));
  await request('GET', V2);
  expect(askedAbout()).toEqual([['a']]);
  await request('PATCH', `${V1}/a`, { spec: { image: 'y' } }, MERGE);
  const { json } = await request('GET', `${V2}/a`);
  expect([json.spec.image, asked.length]).toEqual(['y', 2]);
});

it('lists in order, asking about many at a time', async () => {
  await world.define(defined());
  const names = Array.from({ length: 250 }, (_each, i) => `n${String(i).padStart(3, '0')}`);
  for (const name of names) await request('POST', V1, cronTab(name));
  const { json: list } = await request('GET', V2);
  expect(list.items.map((each: Json) => each.metadata.name)).toEqual(names);
  expect(asked.map(({ review }) => review.request.objects.length)).toEqual([100, 100, 50]);
  const { json: page } = await request('GET', `${V2}?limit=10`);
  expect([page.items.length, page.metadata.remainingItemCount]).toEqual([10, 240]);
  const next = `${V2}?limit=300&continue=${page.metadata.continue as string}`;
  expect((await request('GET', next)).json.items).toHaveLength(240);
});

it('tells watches of what it converted, by the labels that come of it', async () => {
  await world.define(defined());
  answer = (review) => {
    const all = right(review);
    for (const each of all.response.convertedObjects)
      each.metadata.labels = { minutes: each.spec.minutes.replace('*', 'any') };
    return all;
  };
  await request('POST', V1, cronTab('a'));
  const [first] = await world.server.watch(`${V2}?watch=1`, 1);
  expect([first?.type, first?.object.spec.minutes]).toEqual(['ADDED', '*']);
  const version = first?.object.metadata.resourceVersion as string;
  await request('PATCH', `${V1}/a`, { spec: { cronSpec: '5 * * * *' } }, MERGE);
  await request('PATCH', `${V1}/a`, { spec: { cronSpec: '6 * * * *' } }, MERGE);
  await request('DELETE', `${V1}/a`);
  const since = `${V2}?watch=1&resourceVersion=${version}`;
  const events = await world.server.watch(since, 3);
  expect(events.map(({ type }) => type)).toEqual(['MODIFIED', 'MODIFIED', 'DELETED']);
  const selected = await world.server.watch(`${since}&labelSelector=minutes%3D5`, 2);
  expect(selected.map(({ type, object }) => [type, object.spec.minutes])).toEqual([
    ['ADDED', '5'],
    ['DELETED', '5'],
  ]);
});

it.each<[string, (review: Json) => unknown, string]>([
  [
    'another name',
    wrongFor('a', (object) => ({ ...object, metadata: { ...object.metadata, name: 'b' } })),
    'returned invalid converted object at index 1: must have the same name: a != b',
  ],
  [
    'another uid',
    wrongFor('a', (object) => ({ ...object, metadata: { ...object.metadata, uid: 'x' } })),
    'must have the same UID: ',
  ],
  [
    'another namespace',
    wrongFor('a', (object) => ({ ...object, metadata: { ...object.metadata, namespace: 'x' } })),
    'must have the same namespace: default != x',
  ],
  [
    'another version',
    wrongFor('a', (object) => ({ ...object, apiVersion: 'v9' })),
    'invalid groupVersion (expected stable.example.com/v2, received v9)',
  ],
  [
    'another kind',
    wrongFor('a', (object) => ({ ...object, kind: 'Pod' })),
    'invalid kind (expected CronTab, received Pod)',
  ],
  [
    'labels that are none',
    wrongFor('a', (object) => ({ ...object, metadata: { ...object.metadata, labels: { a: 1 } } })),
    'returned invalid metadata in object at index 1: metadata.labels[a] must be a string, but is ' +
      'int64 in converted object',
  ],
  [
    'labels that nobody may have',
    wrongFor('a', (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { '?': '' } },
    })),
    'metadata.labels: Invalid value: "?"',
  ],
  ['no object', wrongFor('a', () => 1), "failed: Object 'Kind' is missing in '1'"],
  [
    'too few objects',
    (review) => ({
      ...right(review),
      response: { ...right(review).response, convertedObjects: [] },
    }),
    'conversion for stable.example.com/v1, Kind=CronTab returned 0 objects, expected 1',
  ],
  [
    'a failure',
    ({ apiVersion, kind, request: { uid } }) => ({
      ...{ apiVersion, kind },
      response: { uid, result: { status: 'Failed', message: 'no such hour' } },
    }),
    'conversion for stable.example.com/v1, Kind=CronTab failed: conversion webhook for ' +
      'stable.example.com/v1, Kind=CronTab failed: no such hour',
  ],
  [
    'a failure without words',
    ({ apiVersion, kind, request: { uid } }) => ({ apiVersion, kind, response: { uid } }),
    "failed: response.result.status was '', not 'Success'",
  ],
  [
    'nothing',
    () => ({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' }),
    'no response provided',
  ],
  [
    'another document',
    () => ({ apiVersion: 'v1', kind: 'Pod' }),
    'expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got v1, Kind=Pod',
  ],
  [
    'the answer to another question',
    (review) => ({ ...right(review), response: { ...right(review).response, uid: 'x' } }),
    'expected response.uid=',
  ],
])('takes %s for no answer', async (_what, wrong, message) => {
  await world.define(defined());
  await request('POST', V1, cronTab('a'));
  answer = wrong;
  const { status, json } = await request('GET', `${V2}/a`);
  expect([status, json.reason, json.message]).toEqual([
    500,
    undefined,
    expect.stringContaining(message),
  ]);
});

it('takes of metadata labels and annotations alone from the webhook', async () => {
  await world.define(defined());
  await request('POST', V1, cronTab('a', {}, { labels: { a: 'b' }, annotations: { c: 'd' } }));
  answer = wrongFor('a', (object) => ({
    ...object,
    metadata: {
      ...{ name: 'a', namespace: 'default', uid: object.metadata.uid, finalizers: ['x/y'] },
      ...{ creationTimestamp: '1999-01-01T00:00:00Z', generation: 7, labels: { a: 'z' } },
    },
  }));
  const { json: stored } = await request('GET', `${V1}/a`);
  const { json: seen } = await request('GET', `${V2}/a`);
  const { annotations: _dropped, ...kept } = stored.metadata;
  expect(seen.metadata).toEqual({ ...kept, labels: { a: 'z' } });
});

describe('one object that cannot be converted', () => {
  beforeEach(async () => {
    await world.define(defined());
    for (const name of ['a', 'bad', 'c']) await request('POST', V1, cronTab(name));
    answer = wrongFor('bad', () => null);
  });

  it('fails every list and watch of it, and no other object', async () => {
    const { status, json } = await request('GET', V2);
    expect([status, json.message]).toEqual([
      500,
      "conversion for stable.example.com/v1, Kind=CronTab failed: Object 'Kind' is missing in 'null'",
    ]);
    const [event] = await world.server.watch(`${V2}?watch=1`, 1);
    expect([event?.type, event?.object.code]).toEqual(['ERROR', 500]);
    const [list, good] = await Promise.all([request('GET', V2), request('GET', `${V2}/c`)]);
    expect([list.status, good.status]).toEqual([500, 200]);
    const [named] = await world.server.watch(`${V2}?watch=1&fieldSelector=metadata.name%3Da`, 1);
    expect(named?.type).toBe('ADDED');
    expect((await request('GET', V1)).json.items).toHaveLength(3);
  });

  it('can be deleted, also by the version that it cannot be had in', async () => {
    expect((await request('DELETE', `${V2}/bad`)).status).toBe(200);
    expect((await request('GET', V2)).json.items).toHaveLength(2);
  });
});

describe('a webhook that is dead', () => {
  beforeEach(async () => {
    await world.define(defined());
    await request('POST', V1, cronTab('a', {}, { finalizers: ['example.com/hold'] }));
    await request('POST', V1, cronTab('b'));
    answer = dead;
  });

  it('fails what needs it in upstream words, and leaves the stored version as it is', async () => {
    for (const [method, path, body] of [
      ['GET', `${V2}/a`],
      ['GET', V2],
      ['PATCH', `${V2}/a`, { spec: { image: 'x' } }],
    ] as const) {
      const { status, json } = await request(method, path, body, method === 'PATCH' ? MERGE : {});
      expect([status, json.message]).toEqual([500, EOF_MESSAGE]);
    }
    const { json } = await request('POST', V2, crontab2('c'));
    expect(json.message).toBe(EOF_MESSAGE.replaceAll('/v1,', '/v2,'));
    expect((await request('GET', `${V1}/c`)).status).toBe(404);
    expect((await request('GET', V1)).json.items).toHaveLength(2);
    const patched = await request('PATCH', `${V1}/a`, { spec: { image: 'x' } }, MERGE);
    expect([patched.status, patched.json.spec.image]).toEqual([200, 'x']);
    const scale = { spec: { replicas: 3 } };
    expect((await request('PATCH', `${V1}/a/scale`, scale, MERGE)).json.spec.replicas).toBe(3);
    const status = { status: { replicas: 2 } };
    expect((await request('PATCH', `${V1}/a/status`, status, MERGE)).json.status.replicas).toBe(2);
  });

  it('keeps nothing from being deleted', async () => {
    expect((await request('DELETE', `${V2}/b`)).json.status).toBe('Success');
    const { json: waiting } = await request('DELETE', `${V2}/a`);
    // Nobody can say what it would be in the version that was asked for.
    expect([waiting.apiVersion, waiting.metadata.deletionTimestamp]).toEqual([
      `${GROUP}/v1`,
      expect.any(String),
    ]);
    await request('PATCH', `${V1}/a`, { metadata: { finalizers: null } }, MERGE);
    expect((await request('GET', `${V1}/a`)).status).toBe(404);
    await request('POST', V1, cronTab('d'));
    expect((await request('DELETE', V2)).status).toBe(200);
    expect((await request('GET', V1)).json.items).toEqual([]);
  });

  it('keeps no namespace and no definition from going', async () => {
    const there = V1.replace('default', 'away');
    await request('POST', NAMESPACES, { metadata: { name: 'away' } });
    await request('POST', there, cronTab('x'));
    await request('DELETE', `${NAMESPACES}/away`);
    await world.until(
      'it is gone',
      async () => (await request('GET', there)).json.items.length === 0,
    );
    await world.until(
      'the namespace is gone',
      async () => (await request('GET', `${NAMESPACES}/away`)).status === 404,
    );
    await request('PATCH', `${V1}/a`, { metadata: { finalizers: null } }, MERGE);
    await request('DELETE', DEFINITION);
    await world.until(
      'the definition is gone',
      async () => (await request('GET', DEFINITION)).status === 404,
    );
  });

  it('keeps no garbage, and no owner that waits for its dependents', async () => {
    const { json: owner } = await request('GET', `${V1}/b`);
    const reference = {
      apiVersion: `${GROUP}/v2`,
      kind: 'CronTab',
      name: 'b',
      uid: owner.metadata.uid,
    };
    const ownerReferences = [{ ...reference, blockOwnerDeletion: true }];
    await request('POST', V1, cronTab('e', {}, { ownerReferences }));
    await request('DELETE', `${V1}/b?propagationPolicy=Foreground`);
    for (const name of ['e', 'b'])
      await world.until(
        `${name} is gone`,
        async () => (await request('GET', `${V1}/${name}`)).status === 404,
      );
  });
});

it('has what was stored before in the version that is stored now', async () => {
  await world.define(defined());
  await request('POST', V1, cronTab('a'));
  const swapped = [
    { ...v1, storage: false },
    { ...v2, storage: true },
  ];
  await request('PATCH', DEFINITION, { spec: { versions: swapped } }, MERGE);
  await request('POST', V2, crontab2('b'));
  const calls = asked.length;
  // The newer is stored as v2 now, and the older as v1 still: each is asked about in the other.
  expect((await request('GET', V2)).json.items.map((each: Json) => each.spec.minutes)).toEqual([
    '*',
    '5',
  ]);
  expect((await request('GET', V1)).json.items.map((each: Json) => each.spec.cronSpec)).toEqual([
    '* * * * */5',
    '5 * * * *',
  ]);
  expect(askedAbout(calls)).toEqual([['a'], ['b']]);
  await request('PATCH', `${V1}/a`, { spec: { image: 'x' } }, MERGE);
  const stored = await world.server.store.get({
    ...{ resource: `crontabs.${GROUP}`, namespace: 'default', name: 'a' },
  });
  expect(stored?.object.apiVersion).toBe(`${GROUP}/v2`);
});

it('knows whose a field is in another version', async () => {
  await world.define(defined());
  const apply = { headers: { 'content-type': 'application/apply-patch+yaml' } };
  const at = (path: string, manager: string) => `${path}/a?fieldManager=${manager}`;
  await request('PATCH', at(V1, 'one'), stringifyJson(cronTab('a')), apply);
  const other = crontab2('a', { minutes: '7', rest: '* * * */5' });
  const refused = await request('PATCH', at(V2, 'two'), stringifyJson(other), apply);
  expect([refused.status, refused.json.message]).toEqual([
    409,
    'Apply failed with 1 conflict: conflict with "one": .spec.cronSpec',
  ]);
  const agreed = crontab2('a', { minutes: '*', rest: '* * * */5', zone: 'CET' });
  const taken = await request('PATCH', at(V2, 'two'), stringifyJson(agreed), apply);
  expect(taken.status).toBe(200);
  const owners = taken.json.metadata.managedFields.map((each: Json) => [
    each.manager,
    each.apiVersion,
    Object.keys(each.fieldsV1['f:spec'] ?? {}),
  ]);
  expect(owners).toEqual([
    ['one', `${GROUP}/v1`, ['f:cronSpec']],
    ['two', `${GROUP}/v2`, ['f:minutes', 'f:rest', 'f:zone']],
  ]);
});

it('rehearses a conversion, and stores nothing', async () => {
  await world.define(defined());
  const path = `${V2}?dryRun=All`;
  expect((await request('POST', path, crontab2('a'))).json.spec.minutes).toBe('5');
  answer = dead;
  expect((await request('POST', path, crontab2('a'))).status).toBe(500);
  expect((await request('GET', V1)).json.items).toEqual([]);
});
