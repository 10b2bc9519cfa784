import { ManualClock, systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { MemoryStore } from './memory-store';
import type { StoreKey } from './store';
import type { CacheEvent } from './watch-cache';
import { createWatchCaches } from './watch-caches';

const key = (name: string, namespace = 'default'): StoreKey => ({
  resource: 'pods',
  namespace,
  name,
});

const pod = (name: string, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
});

const chained = (first: () => void, second: () => void) => () => {
  first();
  second();
};

const take = async (
  batches: AsyncIterable<readonly CacheEvent[]>,
  count: number,
): Promise<CacheEvent[]> => {
  const taken: CacheEvent[] = [];
  for await (const events of batches) {
    taken.push(...events);
    if (taken.length >= count) break;
  }
  return taken.slice(0, count);
};

const setUp = (limits?: { eventCountMax: number; bytesMax: number }) => {
  const store = new MemoryStore();
  const caches = createWatchCaches({
    store,
    clock: systemClock,
    log: silentLog,
    ...(limits === undefined ? {} : { limits }),
  });
  opened.push(caches);
  return { store, caches, cache: caches.of('pods'), signal: new AbortController().signal };
};

const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const caches of opened.splice(0)) await caches[Symbol.asyncDispose]();
});

describe('watch cache', () => {
  it('lists in order what was there before it and what came after', async () => {
    const { store, cache } = setUp();
    await store.create(key('b'), pod('b'));
    await cache.ready();
    await store.create(key('a'), pod('a'));
    const last = await store.create(key('z', 'alpha'), pod('z'));
    await cache.waitFor(last.resourceVersion);
    expect(cache.list().items.map((item) => item.key.name)).toEqual(['z', 'a', 'b']);
    expect(cache.list('default').items.map((item) => item.key.name)).toEqual(['a', 'b']);
    expect(cache.get('alpha', 'z')?.object.metadata.resourceVersion).toBe(
      String(last.resourceVersion),
    );
  });

  it('lists anew when watch after watch brings nothing of what the store has', async () => {
    const clock = new ManualClock(0);
    const store = new MemoryStore();
    let watchCount = 0;
    store.watch = async function* (_resource, _version, signal) {
      watchCount++;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      yield* [];
    };
    const caches = createWatchCaches({ store, clock, log: silentLog });
    opened.push(caches);
    const cache = caches.of('pods');
    await clock.advance(0);
    await cache.ready();
    const { resourceVersion } = await store.create(key('a'), pod('a'));
    for (let second = 0; second < 60 && cache.resourceVersion < resourceVersion; second++)
      await clock.advance(1_000);
    expect(cache.list().items).toHaveLength(1);
    // Each had the time that a slow one takes.
    expect(watchCount).toBeLessThanOrEqual(4);
  });

  it('hands out snapshots that stay as they are', async () => {
    const { store, cache } = setUp();
    const a = await store.create(key('a'), pod('a'));
    await cache.ready();
    await cache.waitFor(a.resourceVersion);
    const before = cache.list('default').items;
    const deleted = await store.delete(key('a'), a.resourceVersion);
    await cache.waitFor(deleted.resourceVersion);
    expect(before).toHaveLength(1);
    expect(cache.list('default').items).toHaveLength(0);
    expect(cache.list().items).toHaveLength(0);
  });

  it('is as fresh as a write that another resource made last', async () => {
    const { store, cache } = setUp();
    await cache.ready();
    await store.create(key('a'), pod('a'));
    await store.create({ ...key('a'), resource: 'secrets' }, pod('a'));
    await cache.waitFresh();
    expect(cache.get('default', 'a')).toBeDefined();
    expect(cache.resourceVersion).toBe(await store.currentVersion());
    const other = await store.create({ ...key('b'), resource: 'secrets' }, pod('b'));
    await cache.waitFor(other.resourceVersion);
  });

  it('gives every reader every event once, with the state before', async () => {
    const { store, cache, signal } = setUp();
    await cache.ready();
    const start = cache.resourceVersion;
    const live = take(cache.watch(start, signal), 3);
    const a1 = await store.create(key('a'), pod('a'));
    const a2 = await store.update(key('a'), pod('a', { x: 'y' }), a1.resourceVersion);
    const a3 = await store.delete(key('a'), a2.resourceVersion);
    await cache.waitFor(a3.resourceVersion);
    const late = await take(cache.watch(start, signal), 3);
    expect(late).toEqual(await live);
    expect(late.map((event) => event.type)).toEqual(['put', 'put', 'delete']);
    expect(late[2]).toMatchObject({
      current: { resourceVersion: a3.resourceVersion },
      previous: { resourceVersion: a2.resourceVersion },
    });
    expect(await take(cache.watch(a2.resourceVersion, signal), 1)).toEqual([late[2]]);
  });

  it('gives readers at one place one batch, of all that came while they waited for their turn', async () => {
    const { store, cache, signal } = setUp();
    await cache.ready();
    const start = cache.resourceVersion;
    let go: () => void = () => undefined;
    const turn = () => new Promise<void>((resolve) => (go = chained(go, resolve)));
    const readers = ['a', 'b'].map(() => cache.watch(start, signal, turn)[Symbol.asyncIterator]());
    const batches = readers.map((reader) => reader.next());
    let version = 0;
    for (const name of 'abc') version = (await store.create(key(name), pod(name))).resourceVersion;
    await cache.waitFor(version);
    go();
    const [first, second] = await Promise.all(batches);
    expect(first?.value).toHaveLength(3);
    expect(second?.value).toBe(first?.value);
  });

  it('ends a reader that fell behind with Expired', async () => {
    const { store, cache, signal } = setUp({ eventCountMax: 4, bytesMax: 1e6 });
    await cache.ready();
    const start = cache.resourceVersion;
    const reader = cache.watch(start, signal)[Symbol.asyncIterator]();
    const first = reader.next();
    let version = 0;
    for (const name of 'abcdefgh')
      version = (await store.create(key(name), pod(name))).resourceVersion;
    await cache.waitFor(version);
    await first;
    await expect(reader.next()).rejects.toMatchObject({ reason: 'Expired', code: 410 });
    await expect(take(cache.watch(start, signal), 1)).rejects.toMatchObject({ reason: 'Expired' });
  });

  it('ends readers when they stop asking', async () => {
    const { cache } = setUp();
    await cache.ready();
    const controller = new AbortController();
    const reading = take(cache.watch(cache.resourceVersion, controller.signal), 1);
    controller.abort();
    expect(await reading).toEqual([]);
  });

  it('ends watches and waits of a resource that is dropped, and begins anew', async () => {
    const { store, cache, caches, signal } = setUp();
    const { resourceVersion } = await store.create(key('a'), pod('a'));
    await cache.waitFor(resourceVersion);
    const reading = take(cache.watch(resourceVersion, signal), 1);
    const waiting = cache.waitFor(1e9);
    await Promise.all([
      expect(reading).resolves.toEqual([]),
      expect(waiting).rejects.toMatchObject({ reason: 'ServiceUnavailable' }),
      caches.drop('pods'),
    ]);
    await caches.drop('pods');
    const again = caches.of('pods');
    expect(again).not.toBe(cache);
    await again.ready();
    expect(again.list().items).toHaveLength(1);
  });

  it('times out on a version that never comes', async () => {
    const store = new MemoryStore();
    const clock = new ManualClock();
    const caches = createWatchCaches({ store, clock, log: silentLog });
    opened.push(caches);
    const cache = caches.of('pods');
    await cache.ready();
    const waiting = cache.waitFor(1e9).catch((error: unknown) => error);
    await clock.advance(3_000);
    expect(await waiting).toMatchObject({
      reason: 'Timeout',
      message: expect.stringContaining('Too large resource version'),
    });
  });

  it('lists again after compaction and ends its readers', async () => {
    const store = new MemoryStore();
    let isFailing = false;
    const flaky = Object.assign(Object.create(store) as MemoryStore, {
      async *watch(resource: string, from: number, signal: AbortSignal) {
        for await (const event of store.watch(resource, from, signal)) {
          if (isFailing) {
            isFailing = false;
            store.compact();
            throw new Error('connection lost');
          }
          yield event;
        }
      },
    });
    const caches = createWatchCaches({ store: flaky, clock: systemClock, log: silentLog });
    opened.push(caches);
    const cache = caches.of('pods');
    await store.create(key('a'), pod('a'));
    await cache.ready();
    const reading = take(cache.watch(cache.resourceVersion, new AbortController().signal), 2);
    isFailing = true;
    const b = await store.create(key('b'), pod('b'));
    await expect(reading).rejects.toMatchObject({ reason: 'Expired' });
    await cache.waitFor(b.resourceVersion);
    expect(cache.list().items.map((item) => item.key.name)).toEqual(['a', 'b']);
  });
});
