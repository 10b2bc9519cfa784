import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { Envelopes } from '../../control-plane/store/etcd/envelope';
import { EtcdStore } from '../../control-plane/store/etcd/etcd-store';
import { createWatchCaches } from '../../control-plane/store/index';
import type { Store, StoredObject, StoreEvent } from '../../control-plane/store/store';
import { VersionWaiters } from '../../control-plane/store/version-waiters';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { openEtcd, type EtcdForTest } from './support/etcd';
import { FlakyProxy } from './support/flaky-proxy';

// Far above what they take: other work may share the machine.
jest.setTimeout(300_000);

let etcd: EtcdForTest;
let proxy: FlakyProxy;
let connection: EtcdConnection;
/** Reads and writes through the proxy. */
let remote: EtcdStore;
/** Straight to etcd. */
let local: Store;

beforeEach(async () => {
  etcd = await openEtcd();
  proxy = await FlakyProxy.open({ target: etcd.socketPath, random: seededRandom(7) });
  connection = new EtcdConnection({ endpoints: [proxy.endpoint] });
  remote = new EtcdStore({
    connection,
    clock: systemClock,
    log: silentLog,
    envelopes: new Envelopes(),
    trustsProgress: etcd.opened.behaviour.freshness === 'progress',
    onFenced: () => undefined,
  });
  local = etcd.opened.store;
});

afterEach(async () => {
  connection[Symbol.dispose]();
  await proxy[Symbol.asyncDispose]();
  await etcd[Symbol.asyncDispose]();
});

const key = (name: string) => ({ resource: 'pods', namespace: 'default', name });

const object = (name: string, serial: number, paddingBytes = 0) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { serial: String(serial) } },
  ...(paddingBytes === 0 ? {} : { padding: 'x'.repeat(paddingBytes) }),
});

/** Rounds of create, update, update, delete over many names, until `count` changes are made. */
const makeChanges = async (
  store: Store,
  count: number,
  nameCount: number,
  paddingBytes = 0,
): Promise<number[]> => {
  const versions: number[] = [];
  const work = async (name: string, changeCount: number) => {
    let current: StoredObject | undefined;
    for (let serial = 0; serial < changeCount; serial++) {
      const next = object(name, serial, paddingBytes);
      if (current === undefined) current = await store.create(key(name), next);
      else if (serial % 4 === 3)
        versions.push((await store.delete(key(name), current.resourceVersion)).resourceVersion);
      else current = await store.update(key(name), next, current.resourceVersion);
      if (serial % 4 === 3) current = undefined;
      else versions.push(current.resourceVersion);
    }
  };
  const names = Array.from({ length: nameCount }, (_, n) => `pod-${n}`);
  await Promise.all(names.map((name) => work(name, count / nameCount)));
  return versions.sort((a, b) => a - b);
};

const readChanges = async (
  store: Store,
  fromVersion: number,
  count: number,
  onEvent: (event: StoreEvent) => void = () => undefined,
): Promise<number[]> => {
  const seen: number[] = [];
  const { signal } = new AbortController();
  for await (const event of store.watch('pods', fromVersion, signal)) {
    if (event.type === 'progress') continue;
    onEvent(event);
    seen.push(event.current.resourceVersion);
    if (seen.length === count) break;
  }
  return seen;
};

it('loses and doubles none of 100,000 events when connections break at random bytes', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const progress = new Progress();
  proxy.cutAfter(1_000, 1_200_000);
  const live = readChanges(remote, start, 100_000, () => progress.advance());
  // Ever ahead of the reader, but by less than a link carries: it reads what is new, not a backlog.
  const paced = pacedStore(local, () => progress.within(400));
  const versions = await makeChanges(paced, 100_000, 250);
  expect(versions).toHaveLength(100_000);
  expect(await live).toEqual(versions);
  process.stderr.write(`cuts ${proxy.cutCount}\n`);
  expect(proxy.cutCount).toBeGreaterThan(30);
});

it('loses and doubles none of a backlog when connections break at random bytes', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const versions = await makeChanges(local, 4_000, 100, 5_000);
  // A piece of a backlog takes 2 MB: half of the links carry one at least.
  proxy.cutAfter(1_000, 4_000_000);
  expect(await readChanges(remote, start, 4_000)).toEqual(versions);
  process.stderr.write(`cuts ${proxy.cutCount}\n`);
  expect(proxy.cutCount).toBeGreaterThan(8);
});

it('lists again when no link lives long enough for a piece of the backlog', async () => {
  const caches = createWatchCaches({ store: remote, clock: systemClock, log: silentLog });
  try {
    const cache = caches.of('pods');
    await cache.ready();
    proxy.swallow();
    for (let n = 0; n < 40; n++)
      await local.create(key(`big-${n}`), object(`big-${n}`, 0, 200_000));
    proxy.cutAfter(50_000, 1_000_000);
    const truth = await local.list('pods');
    await waitUntilFresh(() => cache.waitFor(truth.resourceVersion));
    expect(cache.list().items.map(summary)).toEqual(truth.items.map(summary));
  } finally {
    await caches[Symbol.asyncDispose]();
  }
});

it('delivers a backlog of large objects', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const names = Array.from({ length: 60 }, (_, n) => `big-${n}`);
  for (const name of names) await local.create(key(name), object(name, 0, 400_000));
  expect(await readChanges(remote, start, 60)).toHaveLength(60);
  expect((await remote.list('pods')).items).toHaveLength(60);
});

it('reads on after a connection went silent', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const seen = new Progress();
  const reading = readChanges(remote, start, 2_000, () => seen.advance());
  const before = await makeChanges(local, 1_000, 50);
  await seen.reaches(1_000);
  expect(proxy.swallow()).toBeGreaterThan(0);
  const after = await local.create(key('after'), object('after', 0));
  // No caller hears of it: a fresh link takes over from the silent one.
  expect(await remote.get(key('after'))).toMatchObject({ resourceVersion: after.resourceVersion });
  expect(proxy.swallow()).toBeGreaterThan(0);
  const written = await remote.create(key('written'), object('written', 0));
  const more = await makeChanges(local, 998, 499);
  expect(await reading).toEqual(
    [...before, after.resourceVersion, written.resourceVersion, ...more].slice(0, 2_000),
  );
});

it('resumes a lone watch whose connection went silent', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const first = await local.create(key('first'), object('first', 0));
  const seen = new Progress();
  const reading = readChanges(remote, start, 2, () => seen.advance());
  await seen.reaches(1);
  proxy.swallow();
  const second = await local.create(key('second'), object('second', 0));
  expect(await reading).toEqual([first.resourceVersion, second.resourceVersion]);
});

it('acknowledges exactly the writes that happened when answers are lost', async () => {
  proxy.cutAfter(5_000, 60_000);
  const names = Array.from({ length: 3_000 }, (_, n) => `pod-${n}`);
  const outcomes = await Promise.all(
    names.map(async (name, n) => {
      const uid = `uid-${n}`;
      const pod = object(name, 0);
      const withUid = { ...pod, metadata: { ...pod.metadata, uid } };
      try {
        const created = await remote.create(key(name), withUid);
        return await remote.update(key(name), withUid, created.resourceVersion);
      } catch (error) {
        return error as Error;
      }
    }),
  );
  proxy.stopCutting();
  process.stderr.write(`cuts ${proxy.cutCount}\n`);
  expect(proxy.cutCount).toBeGreaterThan(10);
  const stored = new Map((await local.list('pods')).items.map((item) => [item.key.name, item]));
  for (const [n, outcome] of outcomes.entries()) {
    // Nobody else writes: an acknowledged write is there, and no conflict is anyone's fault.
    if (outcome instanceof Error) expect(outcome).toMatchObject({ reason: 'Timeout' });
    else expect(stored.get(`pod-${n}`)?.resourceVersion).toBe(outcome.resourceVersion);
  }
  expect(outcomes.filter((outcome) => !(outcome instanceof Error)).length).toBeGreaterThan(2_500);
});

it('ends a slow reader with Expired when its history is compacted, or misses nothing', async () => {
  const { resourceVersion: start } = await local.list('pods');
  const iterator = remote
    .watch('pods', start, new AbortController().signal)
    [Symbol.asyncIterator]();
  const first = iterator.next();
  const versions = await makeChanges(local, 5_000, 100);
  await first;
  proxy.cutAll();
  await etcd.compact();
  const seen: number[] = [];
  const reading = (async () => {
    for (;;) {
      const { value } = (await iterator.next()) as { value: StoreEvent | { type: 'progress' } };
      if (value.type !== 'progress') seen.push(value.current.resourceVersion);
    }
  })();
  await expect(reading).rejects.toMatchObject({ reason: 'Expired' });
  expect(versions).toEqual(expect.arrayContaining(seen));
});

it('keeps a cache right under random cuts and compactions', async () => {
  const random = seededRandom(11);
  const caches = createWatchCaches({ store: remote, clock: systemClock, log: silentLog });
  try {
    const cache = caches.of('pods');
    await cache.ready();
    proxy.cutAfter(2_000, 200_000);
    for (let round = 0; round < 15; round++) {
      const changing = makeChanges(local, 400 + 100 * (round % 4), 50).then(async () => {
        const { items } = await local.list('pods');
        await Promise.all(items.map((item) => local.delete(item.key, item.resourceVersion)));
        if (round % 3 === 0)
          await local.create(key(`left-${round}`), object(`left-${round}`, round));
      });
      if (random.next() < 0.7) await etcd.compact().catch(() => undefined);
      await changing;
      await etcd.compact().catch(() => undefined);
      const truth = await local.list('pods');
      await waitUntilFresh(() => cache.waitFor(truth.resourceVersion));
      expect(cache.list().items.map(summary)).toEqual(truth.items.map(summary));
    }
  } finally {
    await caches[Symbol.asyncDispose]();
  }
});

const summary = ({ key: { name }, resourceVersion }: StoredObject) => `${name}@${resourceVersion}`;

/** How far a reader has come, for those who wait for it. */
class Progress {
  private readonly seen = new VersionWaiters();
  private madeCount = 0;

  advance(): void {
    this.seen.advance(this.seen.version + 1);
  }

  async reaches(count: number): Promise<void> {
    await this.seen.wait(count, new AbortController().signal);
  }

  /** Counts one more change, once the reader is at most `count` behind. */
  async within(count: number): Promise<void> {
    await this.reaches(++this.madeCount - count);
  }
}

/** Waits for its turn before every write. */
const pacedStore = (store: Store, turn: () => Promise<void>): Store => ({
  ...store,
  create: async (...args) => turn().then(() => store.create(...args)),
  update: async (...args) => turn().then(() => store.update(...args)),
  delete: async (...args) => turn().then(() => store.delete(...args)),
});

/** The cache answers "too large resource version" while the network is bad; its clients ask again. */
const waitUntilFresh = async (wait: () => Promise<void>): Promise<void> => {
  const deadlineMs = Date.now() + 90_000;
  for (;;) {
    try {
      await wait();
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
    }
  }
};
