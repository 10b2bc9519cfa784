import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiObject } from '../../api/types';
import { KeyRing } from '../../control-plane/store/encryption/key-ring';
import { newKey } from '../../lib/encryption-keys';
import { openStore, type OpenStoreOptions } from '../../control-plane/store/index';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { encodeKey } from '../../control-plane/store/etcd/keys';
import { putOp } from '../../control-plane/store/etcd/operations';
import { until } from './runtime-host';

const SECRET = 'correct-horse-battery-staple';
const key = (name: string, resource = 'secrets') => ({ resource, namespace: 'default', name });
const object = (name: string, text = SECRET): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  ...{ stringData: { text } },
});

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dhow-encryption-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (options: Pick<OpenStoreOptions, 'cipher' | 'isLossAccepted'> = {}) =>
  openStore({
    dataDir: join(folder, 'data'),
    runDir: join(folder, 'run'),
    clock: systemClock,
    log: silentLog,
    ...options,
  });

/** Does the text stand in any file of etcd: its database, its log, its snapshots? */
const isOnDisk = async (text: string): Promise<boolean> => {
  const found = await readdir(join(folder, 'data'), { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  const all = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name))),
  );
  expect(all.length).toBeGreaterThan(1);
  return all.some((content) => content.includes(text));
};

it('leaves nothing of a secret in the files of etcd, and of other kinds what etcd always had', async () => {
  await using opened = await open({ cipher: new KeyRing([newKey(0)]) });
  const { store } = opened;
  const created = await store.create(key('a'), object('a'));
  await store.update(key('a'), object('a', `${SECRET}-2`), created.resourceVersion);
  await store.create(key('b', 'configmaps'), object('b', 'not kept secret'));
  expect(await isOnDisk(SECRET)).toBe(false);
  expect(await isOnDisk('not kept secret')).toBe(true);
  expect((await store.list('secrets')).items.map(({ object: read }) => read)).toMatchObject([
    { stringData: { text: `${SECRET}-2` } },
  ]);
});

it('encrypts what was there in the clear, and all anew after a new key', async () => {
  {
    await using before = await open();
    for (const name of ['a', 'b']) await before.store.create(key(name), object(name));
  }
  const [first, second] = [newKey(0), newKey(1)];
  const ring = new KeyRing([first]);
  {
    await using opened = await open({ cipher: ring });
    const { store, reencryption } = opened;
    const usedOnly = (id: string) =>
      until(async () => {
        const use = await reencryption?.use(AbortSignal.timeout(10_000));
        return use?.get(id) === 2 && use.size === 1;
      });
    await usedOnly(first.id);
    ring.replace([second, first]);
    await store.create(key('c'), object('c'));
    await store.delete(key('c'), (await store.get(key('c')))?.resourceVersion ?? 0);
    reencryption?.keysChanged();
    await usedOnly(second.id);
  }
  // The former key is no longer needed.
  await using opened = await open({ cipher: new KeyRing([second]) });
  const { items } = await opened.store.list('secrets');
  expect(items.map(({ object: read }) => read)).toMatchObject([object('a'), object('b')]);
});

it('keeps what others write while it encrypts anew', async () => {
  const ring = new KeyRing([newKey(0)]);
  await using opened = await open({ cipher: ring });
  const { store, reencryption } = opened;
  const names = Array.from({ length: 30 }, (_, i) => `s${i}`);
  let states = await Promise.all(names.map((name) => store.create(key(name), object(name, '0'))));
  for (let round = 1; round <= 5; round++) {
    ring.replace([newKey(round), ...ring.keys()]);
    reencryption?.keysChanged();
    states = await Promise.all(
      states.map(async ({ key: place }) => {
        for (;;) {
          const found = await store.get(place);
          try {
            const next = object(place.name, String(round));
            return await store.update(place, next, found?.resourceVersion ?? 0);
          } catch (error) {
            // Encrypted anew in between.
            expect(String(error)).toMatch('the object has been modified');
          }
        }
      }),
    );
  }
  const texts = (await store.list('secrets')).items.map(({ object: read }) => read);
  expect(texts).toHaveLength(names.length);
  for (const text of texts) expect(text).toMatchObject({ stringData: { text: '5' } });
});

it('does not start without a key that something is encrypted with, unless that is accepted', async () => {
  {
    await using before = await open({ cipher: new KeyRing([newKey(0)]) });
    await before.store.create(key('a'), object('a'));
  }
  const other = new KeyRing([newKey(1)]);
  await expect(open({ cipher: other })).rejects.toThrow(
    /^1 of secrets are encrypted with a key that this server does not have \([0-9a-f]{12}\): put its key file back/,
  );
  await using opened = await open({ cipher: other, isLossAccepted: true });
  expect((await opened.store.list('secrets')).items).toEqual([]);
  await opened.store.create(key('a'), object('a'));
});

it('shows nothing for a value that was moved from another name', async () => {
  await using opened = await open({ cipher: new KeyRing([newKey(0)]) });
  const { store } = opened;
  await store.create(key('a'), object('a'));
  const endpoint = `unix:${join(folder, 'run', 'etcd-client:0')}`;
  using connection = new EtcdConnection({ endpoints: [endpoint] });
  const { kvs } = await connection.range({ key: encodeKey(key('a')) });
  const value = Buffer.from(kvs[0]?.value ?? []);
  const moved = { compare: [], success: [putOp(encodeKey(key('b')), value)], failure: [] };
  await connection.callKv((kv) => kv.txn.bind(kv), moved);
  expect(await store.get(key('b'))).toBeUndefined();
  expect(await store.get(key('a'))).toBeDefined();
});
