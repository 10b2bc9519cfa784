import { openStore, type OpenedStore } from '../../control-plane/store/index';
import type { StoreEvent, StoredObject } from '../../control-plane/store/store';
import { hasReason } from '../../api/errors';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { openEtcd, type EtcdForTest } from './support/etcd';

jest.setTimeout(180_000);

const MIB = 1024 * 1024;
const FULL = {
  reason: 'InsufficientStorage',
  code: 507,
  message: expect.stringContaining('space quota') as string,
};

let etcd: EtcdForTest;

beforeEach(async () => {
  etcd = await openEtcd({ quotaBytes: 16 * MIB });
});

afterEach(async () => {
  await etcd[Symbol.asyncDispose]();
});

const key = (name: string) => ({ resource: 'configmaps', namespace: 'default', name });

const object = (name: string, bytes = 0) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { x: 'x'.repeat(bytes) },
});

/** Live objects until etcd takes no more. */
const fill = async ({ store }: OpenedStore): Promise<readonly StoredObject[]> => {
  const stored: StoredObject[] = [];
  try {
    for (;;) {
      const name = `big-${stored.length}`;
      stored.push(await store.create(key(name), object(name, MIB / 2)));
    }
  } catch (error) {
    expect(error).toMatchObject(FULL);
    return stored;
  }
};

/** etcd may overshoot its quota by some objects: a few deletions might not bring it below. */
const halfOf = <T>(items: readonly T[]): readonly T[] => items.slice(0, items.length >> 1);

/** What is refused for want of space now is taken as soon as some is freed. */
const untilSpace = async <T>(write: () => Promise<T>): Promise<T> => {
  const deadlineMs = Date.now() + 120_000;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      const isExpected = hasReason(error, 'InsufficientStorage', 'ServiceUnavailable', 'Timeout');
      if (!isExpected || Date.now() > deadlineMs) throw error;
      await systemClock.sleep(100);
    }
  }
};

it('reads, watches and deletes when full; what was deleted makes room by itself', async () => {
  const { store } = etcd.opened;
  const stored = await fill(etcd.opened);
  expect((await store.list('configmaps')).items).toHaveLength(stored.length);
  const doomed = halfOf(stored);
  const watching = firstEvents(doomed.length);
  for (const { key: each, resourceVersion } of doomed) await store.delete(each, resourceVersion);
  expect((await watching).map(({ type, current }) => [type, current.key.name])).toEqual(
    doomed.map((object) => ['delete', object.key.name]),
  );
  const created = await untilSpace(() => store.create(key('small'), object('small')));
  expect(await store.get(key('small'))).toMatchObject({ resourceVersion: created.resourceVersion });
});

it('frees history by itself when that is what fills it', async () => {
  const { store } = etcd.opened;
  let current = await store.create(key('busy'), object('busy', MIB / 2));
  for (let n = 0; n < 80; n++) {
    const before = current;
    current = await untilSpace(() =>
      store.update(before.key, object('busy', MIB / 2), before.resourceVersion),
    );
  }
  expect(await store.get(key('busy'))).toMatchObject({ resourceVersion: current.resourceVersion });
});

it.each([
  ['starts read-only on a full etcd, and takes writes once there is room', 16, true],
  ['takes writes at once when it is started with a larger quota', 64, false],
])('%s', async (_title, quotaMib, isStillFull) => {
  const stored = await fill(etcd.opened);
  await etcd.opened[Symbol.asyncDispose]();
  const { dataDir, runDir } = etcd;
  const options = { dataDir, runDir, quotaBytes: quotaMib * MIB };
  await using reopened = await openStore({ ...options, clock: systemClock, log: silentLog });
  const { store } = reopened;
  const { items } = await store.list('configmaps');
  expect(items).toHaveLength(stored.length);
  const write = () => store.create(key('big-too'), object('big-too', MIB / 2));
  if (isStillFull) {
    // Some of its last room may have been won back as it started.
    const more = async () => {
      for (let count = 0; count < 4 * quotaMib; count++)
        await store.create(key(`more-${count}`), object(`more-${count}`, MIB / 2));
    };
    await expect(more()).rejects.toMatchObject(FULL);
    for (const item of halfOf(items)) await store.delete(item.key, item.resourceVersion);
    await untilSpace(write);
  } else await write();
});

const firstEvents = async (count: number): Promise<readonly StoreEvent[]> => {
  const { store } = etcd.opened;
  const from = await store.currentVersion();
  const events: StoreEvent[] = [];
  for await (const event of store.watch('configmaps', from, new AbortController().signal)) {
    if (event.type !== 'progress') events.push(event);
    if (events.length === count) break;
  }
  return events;
};
