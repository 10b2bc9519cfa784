import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const CORE = '/api/v1/namespaces/default/events';
const VIEWS = '/apis/events.k8s.io/v1/namespaces/default/events';
const TIME = '2026-01-01T00:00:00.000000Z';
const POD = { kind: 'Pod', namespace: 'default', name: 'web' };

/** As client-go's recorder for the newer group makes it. */
const recorded = (name = 'web.1', more: object = {}) => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name, namespace: 'default' },
  eventTime: TIME,
  regarding: POD,
  reason: 'Scheduled',
  action: 'Binding',
  note: 'it went well',
  type: 'Normal',
  reportingController: 'example.com/scheduler',
  reportingInstance: 'scheduler-1',
  ...more,
});
const older = (name = 'web.2') => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name, namespace: 'default' },
  involvedObject: POD,
  reason: 'Pulled',
  message: 'it is here',
  type: 'Normal',
  source: { component: 'kubelet', host: 'n1' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:05Z',
  count: 3,
});
const causesOf = ({ details }: { details: { causes: readonly Cause[] } }) =>
  details.causes.map(({ field, message }) => `${field}: ${message}`);
interface Cause {
  readonly field: string;
  readonly message: string;
}

describe('events of one group', () => {
  it('are seen through the other group under its names', async () => {
    await server.request('POST', CORE, older());
    const { json } = await server.request('GET', `${VIEWS}/web.2`);
    expect(json).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      regarding: POD,
      note: 'it is here',
      deprecatedSource: { component: 'kubelet', host: 'n1' },
      deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
      deprecatedLastTimestamp: '2026-01-01T00:00:05Z',
      deprecatedCount: 3,
      eventTime: null,
    });
    for (const field of ['involvedObject', 'message', 'source', 'count'])
      expect(json).not.toHaveProperty(field);
    const made = await server.request('POST', VIEWS, recorded());
    expect([made.status, made.json.apiVersion]).toEqual([201, 'events.k8s.io/v1']);
    expect((await server.request('GET', `${CORE}/web.1`)).json).toMatchObject({
      apiVersion: 'v1',
      involvedObject: POD,
      message: 'it went well',
      reportingComponent: 'example.com/scheduler',
      eventTime: TIME,
      metadata: { uid: made.json.metadata.uid },
    });
  });

  it('are one object: a second of the name is refused, and what is deleted is gone', async () => {
    await server.request('POST', CORE, older('one'));
    expect((await server.request('POST', VIEWS, recorded('one'))).status).toBe(409);
    expect((await server.request('DELETE', `${VIEWS}/one`)).status).toBe(200);
    expect((await server.request('GET', `${CORE}/one`)).status).toBe(404);
  });

  it('go on as a series, by a patch', async () => {
    await server.request('POST', VIEWS, recorded());
    const series = { count: 2, lastObservedTime: TIME };
    const patched = await server.request(
      'PATCH',
      `${VIEWS}/web.1`,
      { series },
      { headers: { 'content-type': 'application/strategic-merge-patch+json' } },
    );
    expect([patched.status, patched.json.series]).toEqual([200, series]);
    expect((await server.request('GET', `${CORE}/web.1`)).json.series).toEqual(series);
  });

  it('are selected by the names of the group, and printed alike', async () => {
    await server.request('POST', VIEWS, recorded());
    await server.request('POST', CORE, older());
    const { json } = await server.request(
      'GET',
      `${VIEWS}?fieldSelector=regarding.name=web,reason=Pulled`,
    );
    expect(json.items.map(({ note }: { note: string }) => note)).toEqual(['it is here']);
    expect(json).toMatchObject({ kind: 'EventList', apiVersion: 'events.k8s.io/v1' });
    const other = await server.request('GET', `${VIEWS}?fieldSelector=involvedObject.name=web`);
    expect(other.status).toBe(400);
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const rowsOf = async (path: string) =>
      (await server.request('GET', path, undefined, { headers: { accept } })).json.rows.map(
        ({ cells }: { cells: unknown }) => cells,
      );
    expect(await rowsOf(VIEWS)).toEqual(await rowsOf(CORE));
  });

  it('are watched in both', async () => {
    const [core, views] = [
      server.watch(`${CORE}?watch=true`, 2),
      server.watch(`${VIEWS}?watch=true`, 2),
    ];
    await server.request('POST', VIEWS, recorded('a'));
    await server.request('POST', CORE, older('b'));
    const texts = async (lines: typeof core, field: string) =>
      (await lines).map(({ object }) => `${object.apiVersion} ${object[field]}`);
    expect(await texts(core, 'message')).toEqual(['v1 it went well', 'v1 it is here']);
    expect(await texts(views, 'note')).toEqual([
      'events.k8s.io/v1 it went well',
      'events.k8s.io/v1 it is here',
    ]);
  });

  it('are announced as two, and counted and emptied as one', async () => {
    await server.request('POST', CORE, older());
    expect(server.api.kinds.resources().filter(({ plural }) => plural === 'events')).toHaveLength(
      1,
    );
    const { text } = await server.request('GET', '/metrics');
    expect(text.match(/apiserver_storage_objects\{resource="events[^}]*\}.*/g)).toEqual([
      'apiserver_storage_objects{resource="events"} 1',
    ]);
  });
});

describe('events of the newer group', () => {
  it('need all that they are to tell', async () => {
    const { status, json } = await server.request('POST', VIEWS, {
      ...recorded('x', { reason: '', action: '', reportingController: '', note: 'x'.repeat(1025) }),
      deprecatedCount: 1,
      type: 'Odd',
      series: { count: 1, lastObservedTime: null },
    });
    expect(status).toBe(422);
    expect(causesOf(json)).toEqual([
      'reportingController: Required value',
      expect.stringContaining('reportingController: Invalid value: ""'),
      expect.stringContaining('reportingController: Invalid value: ""'),
      'action: Required value',
      'reason: Required value',
      'message: Invalid value: "": can have at most 1024 characters',
      'series.count: Invalid value: "": should be at least 2',
      'series.lastObservedTime: Required value',
      'type: Invalid value: "": has invalid value: Odd',
      'count: Invalid value: "": needs to be unset',
    ]);
    const without = await server.request('POST', VIEWS, recorded('x', { eventTime: null }));
    expect(causesOf(without.json)).toEqual(['eventTime: Required value']);
  });

  it('stay as they were told', async () => {
    const { json } = await server.request('POST', VIEWS, recorded());
    const changed = await server.request('PUT', `${VIEWS}/web.1`, { ...json, note: 'no' });
    expect(causesOf(changed.json)).toEqual(['message: Invalid value: "no": field is immutable']);
    const { json: core } = await server.request('GET', `${CORE}/web.1`);
    expect((await server.request('PUT', `${CORE}/web.1`, { ...core, message: 'no' })).status).toBe(
      200,
    );
  });
});
