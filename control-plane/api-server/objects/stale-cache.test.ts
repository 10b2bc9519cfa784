import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { MemoryStore } from '../../store/memory-store';
import type { StoredObject, StoreEvent, StoreKey } from '../../store/store';
import { startTestServer, type TestServer } from '../testing';

/** A store whose watchers can be kept in the dark, and whose writes may lose their answers. */
class SlowStore extends MemoryStore {
  private released: Promise<void> | undefined;
  private release: () => void = () => undefined;
  /** What becomes of the answers to writes. */
  fate: 'answered' | 'lost' = 'answered';
  getCount = 0;

  holdWatches(): void {
    this.released = new Promise((resolve) => (this.release = resolve));
  }

  releaseWatches(): void {
    this.released = undefined;
    this.release();
  }

  override async *watch(resource: string, fromVersion: number, signal: AbortSignal) {
    for await (const event of super.watch(resource, fromVersion, signal)) {
      await this.released;
      yield event satisfies StoreEvent;
    }
  }

  override get(key: StoreKey, signal?: AbortSignal): Promise<StoredObject | undefined> {
    this.getCount++;
    return super.get(key, signal);
  }

  override async create(key: StoreKey, object: ApiObject): Promise<StoredObject> {
    return this.answer(await super.create(key, object));
  }

  override async update(key: StoreKey, object: ApiObject, version: number) {
    return this.answer(await super.update(key, object, version));
  }

  override async delete(key: StoreKey, version: number): Promise<StoredObject> {
    return this.answer(await super.delete(key, version));
  }

  private answer(stored: StoredObject): StoredObject {
    if (this.fate === 'lost') throw new ApiError('Timeout', 'nobody knows');
    return stored;
  }
}

let store: SlowStore;
let server: TestServer;

beforeEach(async () => {
  store = new SlowStore();
  server = await startTestServer({ store });
  await server.request('POST', MAPS, map('a'));
  await server.request('GET', MAPS);
});

afterEach(async () => {
  store.fate = 'answered';
  store.releaseWatches();
  await server[Symbol.asyncDispose]();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
const KEY = { resource: 'configmaps', namespace: 'default', name: 'm' };
const map = (state: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm' },
  data: { state },
});

const patch = (state: string, query = '') =>
  server.request(
    'PATCH',
    `${MAPS}/m${query}`,
    { data: { state } },
    { headers: { 'content-type': 'application/merge-patch+json' } },
  );

const stored = async () => (await store.get(KEY))?.object as unknown as ReturnType<typeof map>;

/** The watch cache goes on showing `a`; the store holds `state`. */
const changeBehindTheCache = async (state: string) => {
  store.holdWatches();
  await changeFromElsewhere(state);
};

const changeFromElsewhere = async (state: string) => {
  const current = await store.get(KEY);
  await store.update(
    KEY,
    { ...current!.object, data: { state } } as ApiObject,
    current!.resourceVersion,
  );
};

it('writes a patch that only the cached state seems to have already', async () => {
  await changeBehindTheCache('b');
  expect(await patch('a')).toMatchObject({ status: 200, json: { data: { state: 'a' } } });
  expect((await stored()).data).toEqual({ state: 'a' });
});

it('writes a replacement that only the cached state seems to have already', async () => {
  await changeBehindTheCache('b');
  expect(await server.request('PUT', `${MAPS}/m`, map('a'))).toMatchObject({ status: 200 });
  expect((await stored()).data).toEqual({ state: 'a' });
});

it('writes again what it has just written without a read of the store', async () => {
  store.holdWatches();
  await patch('b');
  store.getCount = 0;
  expect(await patch('c')).toMatchObject({ status: 200, json: { data: { state: 'c' } } });
  expect(store.getCount).toBe(0);
  expect((await stored()).data).toEqual({ state: 'c' });
});

it('judges a write anew when another server has written since', async () => {
  store.holdWatches();
  await patch('b');
  await changeFromElsewhere('c');
  expect(await patch('b')).toMatchObject({ status: 200, json: { data: { state: 'b' } } });
  expect((await stored()).data).toEqual({ state: 'b' });
});

it('creates anew what it has written and somebody has deleted', async () => {
  store.holdWatches();
  await patch('b');
  const { resourceVersion } = (await store.get(KEY))!;
  await store.delete(KEY, resourceVersion);
  expect(await patch('c')).toMatchObject({ status: 404 });
  expect(await server.request('POST', MAPS, map('d'))).toMatchObject({ status: 201 });
  expect((await patch('e')).json.data).toEqual({ state: 'e' });
});

it('answers a dry run from the newest state', async () => {
  await changeBehindTheCache('b');
  const { json } = await server.request('PATCH', `${MAPS}/m?dryRun=All`, '{"data":{"x":"1"}}', {
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  expect(json.data).toEqual({ state: 'b', x: '1' });
});

it('tells the newest version of an object that a patch leaves as it is', async () => {
  const before = await stored();
  store.getCount = 0;
  expect((await patch('a')).json.metadata.resourceVersion).toBe(
    (before as unknown as ApiObject).metadata.resourceVersion,
  );
  // One read says that nothing has to be written.
  expect(store.getCount).toBe(1);
});

it('marks an object for deletion though the cached state is marked already', async () => {
  const held = { ...map('a'), metadata: { name: 'held', finalizers: ['example.com/hold'] } };
  const url = `${MAPS}/held`;
  await server.request('POST', MAPS, held);
  await server.request('DELETE', url);
  await server.request('GET', MAPS);
  const key = { ...KEY, name: 'held' };
  store.holdWatches();
  // It goes, and another of its name comes, which nobody has asked to delete.
  const marked = await store.get(key);
  await store.delete(key, marked!.resourceVersion);
  const metadata = { ...held.metadata, namespace: 'default', uid: 'second' };
  await store.create(key, { ...held, metadata });
  expect((await server.request('DELETE', url)).status).toBe(200);
  expect((await store.get(key))?.object.metadata.deletionTimestamp).toBeDefined();
});

it.each([
  ['PUT', () => server.request('PUT', `${MAPS}/m`, map('b'))],
  ['PATCH', () => patch('b')],
  ['DELETE', () => server.request('DELETE', `${MAPS}/m`)],
  [
    'POST',
    () =>
      server.request('POST', MAPS, {
        ...map('b'),
        metadata: { generateName: 'made-' },
      }),
  ],
])('answers 504 to a %s whose outcome is unknown, and does not try again', async (_verb, ask) => {
  const version = await store.currentVersion();
  store.fate = 'lost';
  const answer = await ask();
  expect(answer).toMatchObject({ status: 504, json: { reason: 'Timeout' } });
  // One write happened.
  expect((await store.currentVersion()) - version).toBe(128);
});

it('answers 504 to a PUT with a version, not a conflict with itself', async () => {
  const { metadata } = (await server.request('GET', `${MAPS}/m`)).json;
  store.fate = 'lost';
  const answer = await server.request('PUT', `${MAPS}/m`, { ...map('b'), metadata });
  expect(answer.status).toBe(504);
});
