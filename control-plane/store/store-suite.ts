/* eslint-disable max-lines-per-function -- a suite of tests, as in the files that call it */
import type { ApiObject } from '../../api/types';
import { encodeObject, OBJECT_BYTES_MAX } from './object-codec';
import type { Store, StoredObject, StoreEvent, StoreKey, StoreWatchEvent } from './store';

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Makes all history up to now unknown. */
  compact(): Promise<void>;
}

/** What every implementation of `Store` must do. Each test uses a resource of its own. */
export const describeStore = (name: string, open: () => Promise<StoreUnderTest>): void => {
  describe(`store (${name})`, () => {
    let opened: StoreUnderTest;
    let store: Store;
    let resource: string;
    let resourceCount = 0;

    const key = (objectName: string, namespace = 'default'): StoreKey => ({
      resource,
      namespace,
      name: objectName,
    });

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });

    afterAll(() => opened[Symbol.asyncDispose]());

    beforeEach(() => {
      resource = `widgets${resourceCount++}.test`;
    });

    it('creates, reads, updates and deletes one object', async () => {
      const created = await store.create(key('a'), object('a', 1));
      expect(seen(await store.get(key('a')))).toEqual(seen(created));
      expect(created.object).toEqual({
        ...object('a', 1),
        metadata: { name: 'a', resourceVersion: String(created.resourceVersion) },
      });
      const updated = await store.update(key('a'), object('a', 2), created.resourceVersion);
      expect(updated.resourceVersion).toBeGreaterThan(created.resourceVersion);
      expect((await store.get(key('a')))?.object).toMatchObject({ size: 2 });
      const deleted = await store.delete(key('a'), updated.resourceVersion);
      expect(deleted.resourceVersion).toBeGreaterThan(updated.resourceVersion);
      expect(deleted.object).toMatchObject({ size: 2 });
      expect(await store.get(key('a'))).toBeUndefined();
      const recreated = await store.create(key('a'), object('a', 3));
      expect(recreated.resourceVersion).toBeGreaterThan(deleted.resourceVersion);
    });

    it('creates only while another object is as it was', async () => {
      const other = await store.create(key('other', ''), object('other', 1));
      const guard = { key: other.key, version: other.resourceVersion };
      const still = await store.create(key('still', ''), object('still', 1));
      const steady = { key: still.key, version: still.resourceVersion };
      const create = (name: string) =>
        store.create(key(name), object(name, 1), undefined, [steady, guard]).then(
          () => 'created',
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        );
      expect(await create('a')).toBe('created');
      expect(await create('a')).toContain(`"a" already exists`);
      const changed = await store.update(other.key, object('other', 2), other.resourceVersion);
      // Which of the guards is not told: the caller looks at all of them anew.
      const refusal = new RegExp(`cannot be fulfilled on ${resource} "(?:other|still)"`);
      expect(await create('b')).toMatch(refusal);
      await store.delete(other.key, changed.resourceVersion);
      expect(await create('c')).toMatch(refusal);
      expect((await store.list(resource)).items.map((item) => item.key.name)).toEqual([
        'still',
        'a',
      ]);
    });

    it('updates only while another object is as it was', async () => {
      const other = await store.create(key('other', ''), object('other', 1));
      const guards = [{ key: other.key, version: other.resourceVersion }];
      const first = await store.create(key('a'), object('a', 1));
      const { resourceVersion } = first;
      const second = await store.update(
        key('a'),
        object('a', 2),
        resourceVersion,
        undefined,
        guards,
      );
      await store.update(other.key, object('other', 2), other.resourceVersion);
      await expect(
        store.update(key('a'), object('a', 3), second.resourceVersion, undefined, guards),
      ).rejects.toMatchObject({ reason: 'Conflict' });
      expect((await store.get(key('a')))?.object).toMatchObject({ size: 2 });
    });

    it('keeps what JSON says, digit for digit', async () => {
      const big = { ...object('a', 1), big: 9007199254740993n, text: '"é\u2028\u0000', none: null };
      await store.create(key('a'), big);
      const read = await store.get(key('a'));
      expect(read?.object).toMatchObject({ big: 9007199254740993n, text: big.text, none: null });
      expect(Buffer.from(read?.raw ?? []).toString()).toContain('"big":9007199254740993');
    });

    it('ignores a resourceVersion in the object', async () => {
      const { resourceVersion } = await store.create(key('a'), {
        ...object('a', 1),
        metadata: { name: 'a', resourceVersion: '5' },
      });
      expect((await store.get(key('a')))?.object.metadata).toEqual({
        name: 'a',
        resourceVersion: String(resourceVersion),
      });
    });

    it('refuses to create twice', async () => {
      await store.create(key('a'), object('a', 1));
      await expect(store.create(key('a'), object('a', 2))).rejects.toMatchObject({
        reason: 'AlreadyExists',
        message: `${resource} "a" already exists`,
      });
    });

    it('takes the largest object, and refuses a larger one at once, beside others', async () => {
      const emptyBytes = encodeObject(object('a', 1, 1)).json.length - 1;
      const fitting = OBJECT_BYTES_MAX - emptyBytes;
      const largest = await store.create(key('a'), object('a', 1, fitting));
      const next = await store.update(
        largest.key,
        object('a', 2, fitting),
        largest.resourceVersion,
      );
      const large = store.update(next.key, object('a', 2, fitting + 1), next.resourceVersion);
      const small = store.create(key('b'), object('b', 1));
      await expect(large).rejects.toMatchObject({
        reason: 'RequestEntityTooLarge',
        message: `Request entity too large: limit is ${OBJECT_BYTES_MAX}`,
      });
      await small;
      expect((await store.get(key('a')))?.resourceVersion).toBe(next.resourceVersion);
    });

    it('lets one of many concurrent creators win', async () => {
      const attempts = Array.from({ length: 50 }, (_, n) =>
        store.create(key('a'), object('a', n)).then(
          () => 'won',
          (error: unknown) => (error as { reason: string }).reason,
        ),
      );
      const outcomes = await Promise.all(attempts);
      expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'AlreadyExists')).toHaveLength(49);
    });

    it('refuses updates and deletions of another version, or of nothing', async () => {
      const first = await store.create(key('a'), object('a', 1));
      const second = await store.update(key('a'), object('a', 2), first.resourceVersion);
      const stale = first.resourceVersion;
      await expect(store.update(key('a'), object('a', 3), stale)).rejects.toMatchObject({
        reason: 'Conflict',
      });
      await expect(store.delete(key('a'), stale)).rejects.toMatchObject({ reason: 'Conflict' });
      expect((await store.get(key('a')))?.resourceVersion).toBe(second.resourceVersion);
      await expect(store.update(key('b'), object('b', 1), stale)).rejects.toMatchObject({
        reason: 'NotFound',
        message: `${resource} "b" not found`,
      });
      await expect(store.delete(key('b'), stale)).rejects.toMatchObject({ reason: 'NotFound' });
    });

    it('lists in order of namespace and name, and only its resource', async () => {
      const places = [
        ['b', 'x'],
        ['a-b', 'y'],
        ['a', 'z'],
        ['a', 'a.b'],
        ['', 'cluster'],
      ] as const;
      await Promise.all(
        places.map(([namespace, objectName]) =>
          store.create(key(objectName, namespace), object(objectName, 1)),
        ),
      );
      await store.create({ ...key('x'), resource: `${resource}s` }, object('x', 1));
      const { items, resourceVersion } = await store.list(resource);
      expect(items.map((item) => `${item.key.namespace}/${item.key.name}`)).toEqual([
        '/cluster',
        'a/a.b',
        'a/z',
        'a-b/y',
        'b/x',
      ]);
      for (const item of items) expect(item.resourceVersion).toBeLessThanOrEqual(resourceVersion);
    });

    it('lists more than one page', async () => {
      const count = 1_300;
      const names = Array.from({ length: count }, (_, n) => `o${String(n).padStart(5, '0')}`);
      await Promise.all(names.map((n) => store.create(key(n), object(n, 1, 2_000))));
      const { items } = await store.list(resource);
      expect(items.map((item) => item.key.name)).toEqual(names);
    });

    it('gives every change a version of its own, in the order of the watch', async () => {
      const { resourceVersion: start } = await store.list(resource);
      const names = Array.from({ length: 300 }, (_, n) => `o${n}`);
      const created = await Promise.all(names.map((n) => store.create(key(n), object(n, 1))));
      const changed = await Promise.all(
        created.map((stored, n) =>
          n % 2 === 0
            ? store.delete(stored.key, stored.resourceVersion)
            : store.update(stored.key, object(stored.key.name, 2), stored.resourceVersion),
        ),
      );
      const versions = [...created, ...changed].map((stored) => stored.resourceVersion);
      expect(new Set(versions).size).toBe(600);
      const events = await changes(store, resource, start, 600);
      expect(events.map((event) => event.current.resourceVersion)).toEqual(
        versions.sort((a, b) => a - b),
      );
      expect(events.filter(({ type }) => type === 'delete')).toHaveLength(150);
    });

    it('resumes a watch in the middle of a batch', async () => {
      const names = Array.from({ length: 40 }, (_, n) => `o${n}`);
      const created = await Promise.all(names.map((n) => store.create(key(n), object(n, 1))));
      const versions = created.map((stored) => stored.resourceVersion).sort((a, b) => a - b);
      for (const from of [0, 7, 38]) {
        const events = await changes(store, resource, versions[from] as number, 39 - from);
        expect(events.map((event) => event.current.resourceVersion)).toEqual(
          versions.slice(from + 1),
        );
      }
    });

    it('tells the state before each change', async () => {
      const { resourceVersion: start } = await store.list(resource);
      const first = await store.create(key('a'), object('a', 1));
      const second = await store.update(key('a'), object('a', 2), first.resourceVersion);
      const third = await store.delete(key('a'), second.resourceVersion);
      const [put, update, deletion] = await changes(store, resource, start, 3);
      expect(put?.type).toBe('put');
      expect(seen(put?.current)).toEqual(seen(first));
      expect(put?.previous).toBeUndefined();
      expect(update?.type).toBe('put');
      expect([seen(update?.current), seen(update?.previous)]).toEqual([seen(second), seen(first)]);
      expect(deletion?.type).toBe('delete');
      expect([seen(deletion?.current), seen(deletion?.previous)]).toEqual([
        seen(third),
        seen(second),
      ]);
      expect(deletion?.current.object.metadata.resourceVersion).toBe(String(third.resourceVersion));
    });

    it('ends a watch when its signal aborts', async () => {
      const controller = new AbortController();
      const { resourceVersion } = await store.list(resource);
      const reading = collect(store.watch(resource, resourceVersion, controller.signal), 1);
      await store.create(key('a'), object('a', 1));
      expect(await reading).toHaveLength(1);
      const idle = collect(
        store.watch(resource, await store.currentVersion(), controller.signal),
        1,
      );
      controller.abort();
      expect(await idle).toEqual([]);
    });

    it('refuses a watch from before compaction', async () => {
      const { resourceVersion: start } = await store.list(resource);
      const first = await store.create(key('a'), object('a', 1));
      await store.update(key('a'), object('a', 2), first.resourceVersion);
      await opened.compact();
      await expect(changes(store, resource, start, 1)).rejects.toMatchObject({
        reason: 'Expired',
        code: 410,
      });
      const { items, resourceVersion } = await store.list(resource);
      expect(items).toHaveLength(1);
      const watching = changes(store, resource, resourceVersion, 1);
      await store.create(key('b'), object('b', 1));
      expect(await watching).toHaveLength(1);
    });

    it('knows how far a quiet resource has come', async () => {
      const created = await store.create(key('a'), object('a', 1));
      await store.create({ ...key('a'), resource: `${resource}-other` }, object('a', 1));
      const { changedVersion, resourceVersion } = await store.progress(resource);
      expect(changedVersion).toBeGreaterThanOrEqual(created.resourceVersion);
      expect(resourceVersion).toBeGreaterThan(changedVersion);
      expect(resourceVersion).toBeLessThanOrEqual(await store.currentVersion());
      const reached = collect(
        store.watch(resource, created.resourceVersion - 1, new AbortController().signal),
        1,
        ({ type }) => type !== 'progress',
      );
      expect(await reached).toHaveLength(1);
    });

    it('does nothing for a caller who has given up', async () => {
      const signal = AbortSignal.abort();
      await expect(store.create(key('a'), object('a', 1), signal)).rejects.toThrow();
      await expect(store.list(resource, signal)).rejects.toThrow();
      expect(await store.get(key('a'))).toBeUndefined();
    });
  });
};

/** What a reader sees of an object, without how it is kept. */
const seen = (stored: StoredObject | undefined) =>
  stored && {
    key: stored.key,
    resourceVersion: stored.resourceVersion,
    object: stored.object,
    raw: Buffer.from(stored.raw).toString(),
  };

const object = (name: string, size: number, paddingBytes = 0): ApiObject & { size: number } => ({
  apiVersion: 'test/v1',
  kind: 'Widget',
  metadata: { name },
  size,
  ...(paddingBytes === 0 ? {} : { padding: 'x'.repeat(paddingBytes) }),
});

const collect = async (
  events: AsyncIterable<StoreWatchEvent>,
  count: number,
  isWanted: (event: StoreWatchEvent) => boolean = () => true,
): Promise<StoreWatchEvent[]> => {
  const collected: StoreWatchEvent[] = [];
  for await (const event of events) {
    if (isWanted(event)) collected.push(event);
    if (collected.length === count) break;
  }
  return collected;
};

const changes = async (
  store: Store,
  resource: string,
  fromVersion: number,
  count: number,
): Promise<StoreEvent[]> => {
  const { signal } = new AbortController();
  const events = await collect(
    store.watch(resource, fromVersion, signal),
    count,
    ({ type }) => type !== 'progress',
  );
  return events as StoreEvent[];
};
