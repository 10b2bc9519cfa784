import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
const PODS = '/api/v1/namespaces/default/pods';

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const create = (name: string, labels = {}) =>
  server.request('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  });
const label = (name: string, labels: object) =>
  server.request(
    'PATCH',
    `${PODS}/${name}`,
    { metadata: { labels } },
    { headers: { 'content-type': 'application/merge-patch+json' } },
  );
const version = async () =>
  (await server.request('GET', PODS)).json.metadata.resourceVersion as string;
const told = (lines: Awaited<ReturnType<TestServer['watch']>>) =>
  lines.map(({ type, object }) => `${type} ${object.metadata.name}`);

it('tells what came after a version, in order', async () => {
  await create('a');
  const from = await version();
  const watching = server.watch(`${PODS}?watch=1&resourceVersion=${from}`, 3);
  await create('b');
  await label('a', { x: 'y' });
  await server.request('DELETE', `${PODS}/b`);
  expect(told(await watching)).toEqual(['ADDED b', 'MODIFIED a', 'DELETED b']);
});

it('starts with what is there when no version is given', async () => {
  await create('a');
  const watching = server.watch(`${PODS}?watch=true`, 2);
  await create('b');
  expect(told(await watching)).toEqual(['ADDED a', 'ADDED b']);
});

it('is asked for by the path, too, as old clients do', async () => {
  await create('a');
  await create('b');
  const query = `resourceVersion=${await version()}`;
  const all = server.watch(`/api/v1/watch/namespaces/default/pods?${query}`, 2);
  const one = server.watch(`/api/v1/watch/namespaces/default/pods/b?${query}`, 1);
  await label('a', { x: 'y' });
  await server.request('DELETE', `${PODS}/b`);
  expect(told(await all)).toEqual(['MODIFIED a', 'DELETED b']);
  expect(told(await one)).toEqual(['DELETED b']);
});

it('ends the initial events with an annotated bookmark', async () => {
  await create('a');
  const query =
    'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const lines = await server.watch(`${PODS}?${query}`, 2);
  expect(lines[0]).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
  expect(lines[1]).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'Pod', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
});

it('adds what enters a selector and deletes what leaves it', async () => {
  await create('a', { on: 'no' });
  const from = await version();
  const watching = server.watch(
    `${PODS}?watch=1&resourceVersion=${from}&labelSelector=on%3Dyes`,
    3,
  );
  await label('a', { on: 'yes' });
  await label('a', { on: 'yes', more: 'x' });
  const { json: left } = await label('a', { on: 'no' });
  const lines = await watching;
  expect(lines.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  expect(lines[2]?.object.metadata).toMatchObject({
    labels: { on: 'yes' },
    resourceVersion: left.metadata.resourceVersion,
  });
});

it('tells one object of another namespace nothing', async () => {
  const from = await version();
  const watching = server.watch(`${PODS}?watch=1&resourceVersion=${from}`, 1);
  await server.request('POST', '/api/v1/namespaces/kube-system/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'other' },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  });
  await create('mine');
  expect(told(await watching)).toEqual(['ADDED mine']);
});

it('gives a deletion its own version', async () => {
  const { json: created } = await create('a');
  const watching = server.watch(
    `${PODS}?watch=1&resourceVersion=${created.metadata.resourceVersion}`,
    1,
  );
  await server.request('DELETE', `${PODS}/a`);
  const [line] = await watching;
  expect(Number(line?.object.metadata.resourceVersion)).toBeGreaterThan(
    Number(created.metadata.resourceVersion),
  );
});

it('sends rows to those who want tables', async () => {
  await create('a');
  const stop = new AbortController();
  const lines = await server.watch(`${PODS}?watch=1`, 1);
  stop.abort();
  expect(lines[0]?.object.kind).toBe('Pod');
});

it('ends when its time is over', async () => {
  const asking = server.request(
    'GET',
    `${PODS}?watch=1&resourceVersion=${await version()}&timeoutSeconds=5`,
  );
  await server.clock.advance(6000);
  expect((await asking).text).toBe('');
});

it('answers a version that is no number before the stream starts', async () => {
  const { status } = await server.request('GET', `${PODS}?watch=1&resourceVersion=abc`);
  expect(status).toBe(422);
});
