import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { STORE_SCHEMA_KEY } from '../../control-plane/store/etcd/keys';
import { putOp } from '../../control-plane/store/etcd/operations';
import { openStore } from '../../control-plane/store/index';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { openEtcd, type EtcdForTest } from './support/etcd';

let etcd: EtcdForTest;
let connection: EtcdConnection;

beforeEach(async () => {
  etcd = await openEtcd();
  connection = new EtcdConnection({ endpoints: [etcd.endpoint] });
});
afterEach(async () => {
  connection[Symbol.dispose]();
  await etcd[Symbol.asyncDispose]();
});

const written = async () => {
  const { kvs, header } = await connection.range({ key: STORE_SCHEMA_KEY });
  return { text: kvs[0]?.value.toString(), revision: header?.revision };
};

const open = () =>
  openStore({ endpoints: [etcd.endpoint], clock: systemClock, log: silentLog, release: '0.2.0' });

it('says in a new store how it is written, and does not start with one that it cannot read', async () => {
  const first = await written();
  expect(JSON.parse(first.text ?? '')).toMatchObject({ schema: 1, minReader: 1 });
  {
    await using _again = await open();
    expect((await written()).text).toBe(first.text);
  }
  const text = '{"schema":9,"minReader":8,"writtenBy":"7.0.0"}';
  const request = { compare: [], success: [putOp(STORE_SCHEMA_KEY, Buffer.from(text))] };
  await connection.callKv((kv) => kv.txn.bind(kv), { ...request, failure: [] });
  const before = await written();
  await expect(open()).rejects.toThrow(/schema 9, .* use Dhow 7\.0\.0.* Nothing was changed/);
  expect(await written()).toEqual(before);
});
