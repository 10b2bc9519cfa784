import { CONFIG_MAPS as CONFIG_MAPS_KIND } from '../../../api/resources';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const PODS = '/api/v1/namespaces/default/pods';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

const deployment = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', ...metadata },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'nginx' }] },
    },
    ...spec,
  },
});
const configMap = (data: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'cfg', ...metadata },
  data,
});

const APPLY = { headers: { 'content-type': 'application/apply-patch+yaml' } };
const apply = (path: string, body: unknown, manager = 'me', more = '') =>
  server.request('PATCH', `${path}?fieldManager=${manager}${more}`, body, APPLY);
const merge = (path: string, body: unknown, manager: string) =>
  server.request('PATCH', `${path}?fieldManager=${manager}`, body, {
    headers: { 'content-type': 'application/merge-patch+json' },
  });

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly time: string;
  readonly fieldsV1: object;
}
const entries = (json: { metadata: { managedFields?: readonly Entry[] } }): readonly Entry[] =>
  json.metadata.managedFields ?? [];
const names = (json: Parameters<typeof entries>[0]) =>
  entries(json).map(({ manager, operation }) => `${manager} ${operation}`);

describe('apply', () => {
  it('creates what is not there and owns what it names, no defaults', async () => {
    const { status, json } = await apply(`${DEPLOYMENTS}/web`, deployment({ replicas: 2 }));
    expect(status).toBe(201);
    expect(entries(json)).toEqual([
      {
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:template': {
              'f:metadata': { 'f:labels': { 'f:app': {} } },
              'f:spec': {
                'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } },
              },
            },
          },
        },
        manager: 'me',
        operation: 'Apply',
        time: '2026-01-01T00:00:00Z',
      },
    ]);
  });

  it('stores nothing when nothing changes', async () => {
    const first = await apply(`${DEPLOYMENTS}/web`, deployment());
    await server.clock.advance(60_000);
    const second = await apply(`${DEPLOYMENTS}/web`, deployment());
    expect(second.json).toEqual(first.json);
  });

  it('removes what it no longer names', async () => {
    await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1', b: '2' }));
    await merge(`${CONFIG_MAPS}/cfg`, { data: { c: '3' } }, 'editor');
    const { json } = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1' }));
    expect(json.data).toEqual({ a: '1', c: '3' });
    expect(names(json)).toEqual(['me Apply', 'editor Update']);
  });

  it('goes back to the default of a field that it gives up', async () => {
    await apply(`${DEPLOYMENTS}/web`, deployment({ replicas: 3, minReadySeconds: 5 }));
    const { json } = await apply(`${DEPLOYMENTS}/web`, deployment());
    expect(json.spec.replicas).toBe(1);
    expect(json.spec.minReadySeconds).toBeUndefined();
  });

  it('refuses to change what another manager owns, unless forced', async () => {
    await apply(`${DEPLOYMENTS}/web`, deployment({ replicas: 2 }));
    await server.request(
      'PATCH',
      `${DEPLOYMENTS}/web/scale?fieldManager=kubectl`,
      { spec: { replicas: 5 } },
      {
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    );
    const refused = await apply(`${DEPLOYMENTS}/web`, deployment({ replicas: 3 }));
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({
      reason: 'Conflict',
      message:
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "kubectl" with subresource "scale" using apps/v1',
            field: '.spec.replicas',
          },
        ],
      },
    });
    const forced = await apply(
      `${DEPLOYMENTS}/web`,
      deployment({ replicas: 3 }),
      'me',
      '&force=true',
    );
    expect([forced.status, forced.json.spec.replicas]).toEqual([200, 3]);
    expect(names(forced.json)).toEqual(['me Apply']);
  });

  it('takes what was there before anyone applied as owned by all who came before', async () => {
    const { client } = server.api;
    await client.create(CONFIG_MAPS_KIND, configMap({ a: '1' }, { namespace: 'default' }) as never);
    const before = await server.request('GET', `${CONFIG_MAPS}/cfg`);
    expect(entries(before.json)).toEqual([]);
    const refused = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '2' }));
    expect(refused.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    );
    const agreed = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1', b: '2' }));
    expect(names(agreed.json)).toEqual(['me Apply', 'before-first-apply Update']);
  });

  it("lets kubectl go over from applying on its side to the server's", async () => {
    const annotations = (data: object) => ({
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(configMap(data)),
      },
    });
    const first = configMap({ a: '1' }, annotations({ a: '1' }));
    await server.request('POST', `${CONFIG_MAPS}?fieldManager=kubectl-client-side-apply`, first);
    const other = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '2' }), 'other');
    expect(other.status).toBe(409);
    const { status, json } = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '2' }), 'kubectl');
    expect([status, json.data]).toEqual([200, { a: '2' }]);
    expect(
      JSON.parse(json.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']),
    ).toMatchObject({ data: { a: '2' } });
  });

  it('writes status through its subresource only', async () => {
    await apply(`${DEPLOYMENTS}/web`, { ...deployment(), status: { replicas: 9 } });
    const { status, json } = await apply(
      `${DEPLOYMENTS}/web/status`,
      { ...deployment({ replicas: 7 }), status: { replicas: 2 } },
      'watcher',
    );
    expect([status, json.spec.replicas, json.status.replicas]).toEqual([200, 1, 2]);
    expect(entries(json)[1]).toMatchObject({
      manager: 'watcher',
      subresource: 'status',
      fieldsV1: { 'f:status': { 'f:replicas': {} } },
    });
  });

  it('stores nothing in a dry run, and answers as if', async () => {
    const { status, json } = await apply(`${DEPLOYMENTS}/web`, deployment(), 'me', '&dryRun=All');
    expect([status, names(json)]).toEqual([201, ['me Apply']]);
    expect((await server.request('GET', `${DEPLOYMENTS}/web`)).status).toBe(404);
  });

  it.each([
    [
      'no manager',
      '',
      deployment(),
      422,
      'fieldManager: Required value: is required for apply patch',
    ],
    ['unknown fields', 'me', deployment({ nosuch: 1 }), 400, 'unknown field "spec.nosuch"'],
    [
      'another name',
      'me',
      deployment({}, { name: 'other' }),
      400,
      'the name of the object (other)',
    ],
    ['another kind', 'me', { ...deployment(), kind: 'Pod' }, 400, 'the kind in the data ("Pod")'],
    [
      'managers',
      'me',
      deployment({}, { managedFields: [] }),
      400,
      'metadata.managedFields must be nil',
    ],
    ['no object', 'me', '[]', 400, 'a configuration to apply is an object'],
    [
      'a uid',
      'me',
      deployment({}, { uid: 'x' }),
      409,
      'uid mismatch: the provided object specified uid x',
    ],
  ])('refuses %s', async (_what, manager, body, status, message) => {
    const answer = await apply(`${DEPLOYMENTS}/web`, body, manager, '&fieldValidation=Strict');
    expect(answer.status).toBe(status);
    expect(answer.json.message).toContain(message);
  });

  it('refuses a list that holds a key twice, and says where', async () => {
    const env = [
      { name: 'TIER', value: 'a' },
      { name: 'TIER', value: 'b' },
    ];
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { containers: [{ name: 'c', image: 'nginx', env }] },
    };
    const { status, json } = await apply(`${PODS}/web`, body);
    expect(status).toBe(400);
    expect(json.message).toBe(
      'failed to create typed patch object (default/web; /v1, Kind=Pod): ' +
        '.spec.containers[name="c"].env: duplicate entries for key [name="TIER"]',
    );
  });

  it('refuses force for other patches', async () => {
    const { status } = await merge(`${DEPLOYMENTS}/web`, {}, 'me&force=true');
    expect(status).toBe(422);
  });
});

it('takes no more managers than a write can look at', async () => {
  const entry = (manager: string) => ({
    ...{ manager, operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' },
    fieldsV1: { 'f:data': { [`f:${manager}`]: {} } },
  });
  const managers = Array.from({ length: 500 }, (_none, i) => `m${i}`);
  const data = Object.fromEntries(managers.map((name) => [name, 'x']));
  const { json: made } = await server.request('POST', CONFIG_MAPS, configMap(data));
  made.metadata.managedFields = managers.map(entry);
  const put = await server.request('PUT', `${CONFIG_MAPS}/cfg`, made);
  expect(entries(put.json)).toHaveLength(500);
  const { status, json } = await apply(`${CONFIG_MAPS}/cfg`, configMap({ one: 'more' }));
  expect([status, json.message]).toEqual([
    422,
    'ConfigMap "cfg" is invalid: metadata.managedFields: Too many: 501: must have at most 500 items',
  ]);
  expect((await apply(`${CONFIG_MAPS}/cfg`, configMap({ m7: 'x' }), 'm7')).status).toBe(200);
});

describe('other writes', () => {
  it('own what they set, defaults included, by the name of the program', async () => {
    const { json } = await server.request('POST', CONFIG_MAPS, configMap({ a: '1' }), {
      headers: { 'user-agent': 'curl/8.0 (x)' },
    });
    expect(entries(json)).toMatchObject([
      { manager: 'curl', operation: 'Update', fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } } },
    ]);
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { run: 'p' } },
      spec: { containers: [{ name: 'c', image: 'nginx' }] },
    };
    const created = await server.request('POST', `${PODS}?fieldManager=kubectl-run`, pod);
    expect(entries(created.json)[0]?.fieldsV1).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:run': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:image': {},
            'f:imagePullPolicy': {},
            'f:name': {},
            'f:resources': {},
            'f:terminationMessagePath': {},
            'f:terminationMessagePolicy': {},
          },
        },
        'f:dnsPolicy': {},
        'f:enableServiceLinks': {},
        'f:restartPolicy': {},
        'f:schedulerName': {},
        'f:securityContext': {},
        'f:terminationGracePeriodSeconds': {},
      },
    });
  });

  it('keep the managers of an object whose author sends none, and forget them on demand', async () => {
    await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1' }));
    const put = await server.request('PUT', `${CONFIG_MAPS}/cfg`, configMap({ a: '1' }));
    expect(names(put.json)).toEqual(['me Apply']);
    const reset = await merge(`${CONFIG_MAPS}/cfg`, { metadata: { managedFields: [{}] } }, 'x');
    expect(reset.json.metadata.managedFields).toBeUndefined();
  });

  it.each([
    ['manager', 'x'.repeat(129), 'Too long'],
    ['manager', '\u001b[2J', 'printable'],
    ['subresource', 'x'.repeat(257), 'Too long'],
  ])('are refused with a %s of %j', async (field, value, why) => {
    const { json } = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1' }));
    const [entry] = entries(json);
    const managedFields = [{ ...entry, [field]: value }];
    const refused = await merge(`${CONFIG_MAPS}/cfg`, { metadata: { managedFields } }, 'x');
    expect(refused.status).toBe(422);
    expect(refused.json.message).toMatch(
      new RegExp(`metadata\\.managedFields\\[\\d\\]\\.${field}: .*${why}`),
    );
  });

  it("may hand one manager's fields to another", async () => {
    const { json } = await apply(`${CONFIG_MAPS}/cfg`, configMap({ a: '1' }));
    const [entry] = entries(json);
    const handed = await server.request(
      'PATCH',
      `${CONFIG_MAPS}/cfg?fieldManager=kubectl`,
      [{ op: 'replace', path: '/metadata/managedFields', value: [{ ...entry, manager: 'you' }] }],
      { headers: { 'content-type': 'application/json-patch+json' } },
    );
    expect(names(handed.json)).toEqual(['you Apply']);
  });
});
