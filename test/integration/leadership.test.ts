import type { ApiError } from '../../api/errors';
import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { LEADER_KEY } from '../../control-plane/store/etcd/keys';
import {
  createKey,
  grantLease,
  readHolder,
  removeKey,
  type Holder,
} from '../../control-plane/store/etcd/leader-key';
import { putOp } from '../../control-plane/store/etcd/operations';
import {
  openStore,
  type OpenedStore,
  type OpenStoreOptions,
} from '../../control-plane/store/index';
import type { Term } from '../../control-plane/store/store';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { eventually } from './support/agent-plane';
import { openBareEtcd, type BareEtcd } from './support/etcd';

jest.setTimeout(180_000);

let etcd: BareEtcd;
/** Of the test itself. */
let connection: EtcdConnection;
let opened: OpenedStore[];

beforeEach(async () => {
  opened = [];
  etcd = await openBareEtcd();
  connection = new EtcdConnection({ endpoints: [etcd.endpoint] });
  await eventually(() =>
    readHolder(connection).then(
      () => true,
      () => false,
    ),
  );
});

afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  connection[Symbol.dispose]();
  await etcd[Symbol.asyncDispose]();
});

const open = async (
  options: Partial<OpenStoreOptions> = {},
  signal?: AbortSignal,
): Promise<OpenedStore> => {
  const shared = { endpoints: [etcd.endpoint], clock: systemClock, log: silentLog };
  const store = await openStore({ ...shared, leaseSeconds: 2, ...options }, signal);
  opened.push(store);
  return store;
};

const termOf = ({ leading }: OpenedStore): Promise<Term> => eventually(async () => leading.term);

const follows = ({ leading }: OpenedStore) => eventually(async () => leading.isFollowing);

/** As when its lease runs out, and another server leads; this server has not heard of it. */
const depose = async (): Promise<Holder> => {
  const lease = await grantLease(connection, 60);
  const { holder } = await readHolder(connection);
  if (holder !== undefined) await removeKey(connection, { ...holder, lease: 0n });
  const other = { identity: 'other', instance: 'other' };
  const next = await createKey(connection, other, lease);
  if (next?.instance !== 'other') throw new Error('somebody was faster');
  return next;
};

const key = (name: string) => ({ resource: 'pods', namespace: 'default', name });
const object = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } });

it('gives the lead to one server, and to the next as soon as that one stops', async () => {
  const stop = new AbortController();
  const first = await open({}, stop.signal);
  const { number } = await termOf(first);
  const second = await open({ leaseSeconds: 600 });
  await follows(second);
  expect(second.leading.term).toBeUndefined();
  // Long before its lease is over, and while the store is still open.
  stop.abort();
  expect((await termOf(second)).number).toBeGreaterThan(number);
  expect(first.leading.term).toBeUndefined();
});

it('lets any server write, and leaders while they lead, whatever they know', async () => {
  // It would look after its lease in some minutes only.
  const first = await open({ leaseSeconds: 600 });
  const term = await termOf(first);
  const { store } = first;
  const leaders = store.within(term);
  const led = await leaders.create(key('led'), object('led'));
  const doomed = await store.create(key('doomed'), object('doomed'));

  await depose();
  // All in one batch: those of the leader are refused, those of others are not.
  const names = Array.from({ length: 40 }, (_, n) => `pod-${n}`);
  const outcomes = await Promise.all(
    names.map((name, n) =>
      (n % 2 === 0 ? leaders : store).create(key(name), object(name)).then(
        () => 'done',
        (error: unknown) => (error as ApiError).reason,
      ),
    ),
  );
  expect(outcomes).toEqual(names.map((_, n) => (n % 2 === 0 ? 'ServiceUnavailable' : 'done')));
  const changed = object('led');
  await expect(leaders.update(led.key, changed, led.resourceVersion)).rejects.toThrow(/not lead/);
  await expect(leaders.delete(doomed.key, doomed.resourceVersion)).rejects.toThrow(/not lead/);
  const { items } = await store.list('pods');
  expect(items.map((item) => item.key.name)).toEqual(
    ['doomed', 'led', ...names.filter((_, n) => n % 2 === 1)].sort(),
  );
  expect(items.find((item) => item.key.name === 'led')).toMatchObject(led);
  // It has heard of it by now, and does not lead.
  expect(term.signal.aborted).toBe(true);
  await follows(first);
});

it('ends what is done in a term before it campaigns again, and begins it anew', async () => {
  const first = await open({ leaseSeconds: 600 });
  const stop = new AbortController();
  const told: string[] = [];
  const working = first.leading.during(async (signal, { isSuccessor }) => {
    told.push(`begin ${isSuccessor}`);
    await eventually(async () => signal.aborted);
    told.push('end');
  }, stop.signal);
  await eventually(async () => told.length === 1);
  const leaders = first.store.within(await termOf(first));
  const other = await depose();
  await expect(leaders.create(key('late'), object('late'))).rejects.toThrow(/not lead/);
  await eventually(async () => told.length === 2);
  await follows(first);
  await removeKey(connection, other);
  await eventually(async () => told.length === 3);
  stop.abort();
  await working;
  expect(told).toEqual(['begin true', 'end', 'begin true', 'end']);
});

it('fails with what fails in a term', async () => {
  const first = await open();
  const failing = first.leading.during(() => Promise.reject(new Error('a defect')), never());
  await expect(failing).rejects.toThrow('a defect');
});

it('takes the lead at once from an earlier start of itself, and from nobody else', async () => {
  const lease = await grantLease(connection, 3600);
  const earlier = { identity: 'server-1', instance: 'earlier' };
  const held = await createKey(connection, earlier, lease);
  await follows(await open({ identity: 'server-2' }));
  expect((await readHolder(connection)).holder).toEqual(held);
  await open({ identity: 'server-1' });
  // Whoever waits for it as well may be faster.
  await eventually(async () => opened.some(({ leading }) => leading.term));
});

it('takes the lead as it starts from a release that knew no leases', async () => {
  const value = Buffer.from('{"identity":"of an earlier release","pid":1}');
  const request = { compare: [], success: [putOp(LEADER_KEY, value)], failure: [] };
  await connection.callKv((kv) => kv.txn.bind(kv), request);
  await termOf(await open());
});

it('names one store, though servers start together on an empty one', async () => {
  await Promise.all([open(), open(), open()]);
  await eventually(async () => opened.some(({ leading }) => leading.term));
  await eventually(async () => opened.filter(({ leading }) => leading.isFollowing).length === 2);
});

const never = () => new AbortController().signal;
