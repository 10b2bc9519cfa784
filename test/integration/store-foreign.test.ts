import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { deleteOp, putOp } from '../../control-plane/store/etcd/operations';
import { createWatchCaches } from '../../control-plane/store/index';
import { encodeKey } from '../../control-plane/store/etcd/keys';
import { Envelopes } from '../../control-plane/store/etcd/envelope';
import { encodeObject } from '../../control-plane/store/object-codec';
import { systemClock } from '../../lib/clock';
import { silentLog, type LogFields } from '../../lib/log';
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

const key = (name: string) => ({ resource: 'pods', namespace: 'default', name });

const object = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
});

const sealed = (name: string): Buffer =>
  new Envelopes().seal('pods', Buffer.from(name), encodeObject(object(name)));

const put = (name: string, value: Buffer) =>
  connection.callKv((kv) => kv.txn.bind(kv), {
    compare: [],
    success: [putOp(encodeKey(key(name)), value)],
    failure: [],
  });

/** What others may have left under a key of ours. */
const FOREIGN: readonly (readonly [string, Buffer])[] = [
  ['text', Buffer.from('written by hand')],
  ['nothing', Buffer.alloc(0)],
  ['protobuf of upstream', Buffer.from('k8s\0\n\f\n\u0002v1\u0012\u0006Secret', 'latin1')],
  ['encrypted', Buffer.concat([Buffer.from([2]), sealed('odd').subarray(1)])],
  ['another format', Buffer.concat([Buffer.from([3]), sealed('odd').subarray(1)])],
  ['torn JSON', sealed('odd').subarray(0, 60)],
  [
    'bytes that are no text',
    Buffer.concat([sealed('odd').subarray(0, 18), Buffer.alloc(40, 0xff)]),
  ],
  [
    'a version beyond its end',
    Buffer.concat([Buffer.from([1, 0, 255, 255, 255, 255]), sealed('odd').subarray(6)]),
  ],
  [
    'a version in the middle of a word',
    Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 5]), sealed('odd').subarray(6)]),
  ],
  ['another name', sealed('other')],
];

it.each(FOREIGN)('lists and watches everything else beside %s', async (_title, value) => {
  const errors: unknown[] = [];
  const log = { ...silentLog, error: (fields: LogFields) => void errors.push(fields['key']) };
  const { store } = etcd.opened;
  await store.create(key('first'), object('first'));
  await put('odd', value);
  const caches = createWatchCaches({ store, clock: systemClock, log });
  try {
    const cache = caches.of('pods');
    await cache.ready();
    const names = () => cache.list().items.map(({ object: { metadata } }) => metadata.name);
    expect(names()).toEqual(['first']);
    // The same comes while watched, in the place of a good object.
    await store.create(key('good'), object('good'));
    await cache.waitFresh();
    expect(names()).toEqual(['first', 'good']);
    await put('good', value);
    await store.create(key('last'), object('last'));
    await cache.waitFresh();
    expect(names()).toEqual(['first', 'last']);
    expect((await store.list('pods')).items.map((item) => item.key.name)).toEqual(names());
    // Its owner mends it.
    await put('good', sealed('good'));
    await connection.callKv((kv) => kv.txn.bind(kv), {
      compare: [],
      success: [deleteOp(encodeKey(key('odd')))],
      failure: [],
    });
    await store.create(key('end'), object('end'));
    await cache.waitFresh();
    expect(names()).toEqual(['end', 'first', 'good', 'last']);
  } finally {
    await caches[Symbol.asyncDispose]();
  }
});
