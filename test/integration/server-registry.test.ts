import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { SERVERS_PREFIX } from '../../control-plane/store/etcd/keys';
import { grantLease, revokeLease } from '../../control-plane/store/etcd/leader-key';
import { putOp } from '../../control-plane/store/etcd/operations';
import { encodeHolder, nodeKey, serverKey } from '../../control-plane/store/etcd/server-record';
import { openStore, type OpenedStore, type ServerSelf } from '../../control-plane/store/index';
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
});

afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  connection[Symbol.dispose]();
  await etcd[Symbol.asyncDispose]();
});

const self = (port: number): ServerSelf => ({
  api: { host: '192.0.2.1', port },
  agents: { host: 'fd00::1', port: port + 1 },
  ...{ hostName: 'machine', version: '1.2.3', sinceMs: 1_790_000_000_000 },
});

/** The nth server, which has not said yet that it lives. */
const open = async (n: number): Promise<OpenedStore> => {
  const store = await openStore({
    ...{ endpoints: [etcd.endpoint], clock: systemClock, log: silentLog, leaseSeconds: 2 },
    identity: idOf(n),
  });
  opened.push(store);
  return store;
};
const idOf = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

const put = (key: Buffer, value: Buffer, lease = 0n) =>
  connection.callKv((kv) => kv.txn.bind(kv), {
    ...{ compare: [], success: [putOp(key, value, lease)], failure: [] },
  });
const leaseOf = async (key: Buffer): Promise<bigint | undefined> =>
  (await connection.range({ key })).kvs[0]?.lease;

const seen = ({ servers }: OpenedStore, ...ids: readonly string[]) =>
  eventually(
    async () =>
      servers
        .live()
        .map(({ id }) => id)
        .join() === ids.join(),
  );
const holds = ({ servers }: OpenedStore, node: string, id: string | undefined) =>
  eventually(async () => servers.holderOf(node)?.id === id);

it('tells each server of all that live, with what they say of themselves', async () => {
  const [first, second] = [await open(1), await open(2)];
  expect(first.servers.live()).toEqual([]);
  first.servers.announce(self(6443));
  second.servers.announce(self(7443));
  for (const each of [first, second]) await seen(each, idOf(1), idOf(2));
  expect(first.servers.live()[1]).toEqual({
    ...self(7443),
    ...{ id: idOf(2), instance: expect.any(String) },
  });
  let changes = 0;
  first.servers.onChange(() => changes++);
  await opened.pop()?.[Symbol.asyncDispose]();
  await seen(first, idOf(1));
  expect(changes).toBeGreaterThan(0);
});

it('knows which server has a node: the last to have said so, and nobody once it has ended', async () => {
  const [first, second] = [await open(1), await open(2)];
  for (const each of [first, second]) each.servers.announce(self(6443));
  let isLost = false;
  const held = first.servers.hold('node-1', () => (isLost = true));
  for (const each of [first, second]) await holds(each, 'node-1', idOf(1));
  using moved = second.servers.hold('node-1', () => undefined);
  for (const each of [first, second]) await holds(each, 'node-1', idOf(2));
  await eventually(async () => isLost);
  // What the former one ends is not the latter's.
  held[Symbol.dispose]();
  first.servers.hold('node-2', () => undefined);
  for (const each of [first, second]) await holds(each, 'node-2', idOf(1));
  expect(first.servers.holderOf('node-1')?.id).toBe(idOf(2));
  expect(first.servers.nodeCountOf(idOf(2))).toBe(1);
  moved[Symbol.dispose]();
  await holds(first, 'node-1', undefined);
  expect(await leaseOf(nodeKey('node-1'))).toBeUndefined();
});

it('says all again when its lease has run out, and takes no node back from another', async () => {
  const [first, second] = [await open(1), await open(2)];
  for (const each of [first, second]) each.servers.announce(self(6443));
  const lost: string[] = [];
  for (const name of ['kept', 'taken']) first.servers.hold(name, () => lost.push(name));
  await holds(second, 'kept', idOf(1));
  await holds(second, 'taken', idOf(1));
  const lease = await eventually(() => leaseOf(serverKey(idOf(1))));
  // As while it sleeps: its rows go, and the agent of one node finds another server.
  await revokeLease(connection, lease);
  const other = await grantLease(connection, 60);
  await put(nodeKey('taken'), encodeHolder(idOf(2)), other);
  await holds(second, 'kept', idOf(1));
  await eventually(async () => lost.includes('taken'));
  await seen(second, idOf(1), idOf(2));
  await holds(first, 'taken', idOf(2));
  expect(lost).not.toContain('kept');
  expect(await leaseOf(serverKey(idOf(1)))).not.toBe(lease);
});

it('passes over what no server of this release has written', async () => {
  const first = await open(1);
  first.servers.announce(self(6443));
  const rows: readonly [string, unknown][] = [
    ['nonsense', {}],
    ['nodes/../etc', { server: idOf(1) }],
    ['nodes/node-1', { server: 'http://evil.example' }],
    [idOf(3), { ...self(1), instance: 'x', api: { host: 'a b', port: 1 } }],
    [idOf(4), { ...self(1), instance: 'x', api: { host: '192.0.2.1', port: 70_000 } }],
    [idOf(5), { ...self(1), instance: 'x', hostName: 'two\nlines' }],
    [idOf(6), { ...self(1), instance: 'x'.repeat(5000) }],
    [idOf(7), [1]],
  ];
  for (const [name, value] of rows)
    await put(
      Buffer.concat([SERVERS_PREFIX, Buffer.from(name)]),
      Buffer.from(JSON.stringify(value)),
    );
  await put(serverKey(idOf(8)), Buffer.from('{'));
  // What a later release says besides does no harm.
  await put(
    serverKey(idOf(9)),
    Buffer.from(JSON.stringify({ ...self(1), instance: 'x', more: 1 })),
  );
  await seen(first, idOf(1), idOf(9));
  expect(first.servers.holderOf('node-1')).toBeUndefined();
});
