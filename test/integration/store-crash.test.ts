import type { StoreEvent, StoredObject } from '../../control-plane/store/store';
import { ApiError } from '../../api/errors';
import { openEtcd, type EtcdForTest } from './support/etcd';

jest.setTimeout(120_000);

let etcd: EtcdForTest;

beforeEach(async () => {
  etcd = await openEtcd();
});

afterEach(async () => {
  await etcd[Symbol.asyncDispose]();
});

const key = (name: string) => ({ resource: 'pods', namespace: 'default', name });

const object = (name: string, serial: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: `uid-${name}`, labels: { serial: String(serial) } },
});

/** What one object went through, as its only writer knows it. */
interface History {
  acknowledged: StoredObject;
  /** A write whose outcome etcd never told. */
  inDoubt: boolean;
}

const write = async (name: string, until: () => boolean): Promise<History | undefined> => {
  const { store } = etcd.opened;
  let history: History | undefined;
  for (let serial = 0; !until(); serial++) {
    try {
      const acknowledged =
        history === undefined
          ? await store.create(key(name), object(name, serial))
          : await store.update(
              key(name),
              object(name, serial),
              history.acknowledged.resourceVersion,
            );
      history = { acknowledged, inDoubt: false };
    } catch (error) {
      // The writer goes no further: the next write would have to begin with a read.
      expect(error).toBeInstanceOf(ApiError);
      expect(['Timeout', 'ServiceUnavailable']).toContain((error as ApiError).reason);
      return history === undefined ? undefined : { ...history, inDoubt: true };
    }
  }
  return history;
};

it('keeps every acknowledged write when etcd is killed under load, and watches go on', async () => {
  const { store } = etcd.opened;
  const { resourceVersion: start } = await store.list('pods');
  const ending = new AbortController();
  const latest = new Map<string, StoreEvent>();
  let previousVersion = start;
  const watching = (async () => {
    for await (const event of store.watch('pods', start, ending.signal)) {
      if (event.type === 'progress') continue;
      expect(event.current.resourceVersion).toBeGreaterThan(previousVersion);
      previousVersion = event.current.resourceVersion;
      latest.set(event.current.key.name, event);
    }
  })();
  let isOver = false;
  const names = Array.from({ length: 100 }, (_, n) => `pod-${n}`);
  const writing = Promise.all(names.map((name) => write(name, () => isOver)));
  for (let kill = 0; kill < 3; kill++) {
    const seenCount = previousVersion;
    await until(() => previousVersion > seenCount + 100 * 128);
    const pid = etcd.opened.etcdPid ?? 0;
    process.kill(pid, 'SIGKILL');
    await until(() => etcd.opened.etcdPid !== pid);
  }
  const lastKill = previousVersion;
  await until(() => previousVersion > lastKill + 100 * 128);
  isOver = true;
  const histories = await writing;
  const truth = await store.list('pods');
  const stored = new Map(truth.items.map((item) => [item.key.name, item]));
  for (const [index, history] of histories.entries()) {
    if (history === undefined) continue;
    const version = stored.get(`pod-${index}`)?.resourceVersion ?? 0;
    const { acknowledged, inDoubt } = history;
    if (inDoubt) expect(version).toBeGreaterThanOrEqual(acknowledged.resourceVersion);
    else expect(version).toBe(acknowledged.resourceVersion);
  }
  await until(() => truth.items.every(isSeenIn(latest)));
  ending.abort();
  await watching;
});

const isSeenIn =
  (latest: ReadonlyMap<string, StoreEvent>) =>
  ({ key: { name }, resourceVersion }: StoredObject): boolean =>
    latest.get(name)?.current.resourceVersion === resourceVersion;

const until = async (condition: () => boolean): Promise<void> => {
  const deadlineMs = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('gave up waiting');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
