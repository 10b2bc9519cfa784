import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Secret } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { Row, ServerHello } from '../../proto/gen/dhow/agent/v1/agent';
import { testPod } from '../pods/testing';
import { AssignmentStore } from './assignment-store';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-assignments-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): AssignmentStore => {
  const store = new AssignmentStore(directory, silentLog, systemClock);
  store.load();
  return store;
};

const row = (resource: string, key: string, value: object): Row => ({
  resource,
  key,
  version: '',
  json: Buffer.from(JSON.stringify(value)),
});

/** As long as each may be, with every character that is allowed. */
const NAMESPACE = `n${'-'.repeat(61)}s`;
const LONG_NAME = `${'a.b-0'.repeat(50)}abc`;

it('keeps and removes objects whose names are as long as names may be', () => {
  expect([NAMESPACE.length, LONG_NAME.length]).toEqual([63, 253]);
  const metadata = { namespace: NAMESPACE, name: LONG_NAME, uid: 'uid-1' };
  const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, data: { k: 'dg==' } };
  const pod = testPod({ metadata });
  open().applySnapshot([
    row('secrets', `${NAMESPACE}/${LONG_NAME}`, secret),
    row('pods', 'uid-1', pod),
  ]);
  const again = open();
  expect(again.pods.get('uid-1')?.metadata.name).toBe(LONG_NAME);
  expect(again.secret(NAMESPACE, LONG_NAME)?.data).toEqual({ k: 'dg==' });
  again.applySnapshot([]);
  const left = open();
  expect([...left.pods]).toEqual([]);
  expect(left.secret(NAMESPACE, LONG_NAME)).toBeUndefined();
});

it('drops a file that is not under its own name, and goes on', () => {
  const pod = testPod();
  open().applySnapshot([row('pods', 'uid-1', pod)]);
  writeFileSync(join(directory, 'pods', 'old-name.json'), JSON.stringify(pod));
  writeFileSync(join(directory, 'pods', 'damaged.json'), '{');
  expect([...open().pods.keys()]).toEqual(['uid-1']);
  expect(readdirSync(join(directory, 'pods'))).toHaveLength(1);
});

it.each(['', 'null', '[]', '{}', '7', '{"metadata":null}', '{"peers":7}', '\0\0'])(
  'goes on without what was damaged to %j',
  (damage) => {
    const metadata = { namespace: 'ns', name: 's', uid: 'uid-s' };
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata };
    const store = open();
    store.applyHello({ podCidrs: ['10.1.0.0/24'], clusterCidrs: ['10.1.0.0/16'] } as ServerHello);
    store.applySnapshot([
      row('pods', 'uid-1', testPod()),
      row('secrets', 'ns/s', secret),
      row('nodes', 'n1', { metadata: { name: 'n1' }, spec: {} }),
      row('peers', 'n2', { nodeName: 'n2', addresses: ['192.0.2.7'], podCidrs: ['10.1.1.0/24'] }),
    ]);
    for (const kind of ['pods', 'secrets', 'nodes', 'peers', 'facts'])
      for (const name of readdirSync(join(directory, kind)))
        writeFileSync(join(directory, kind, name), damage);
    const again = open();
    expect([...again.pods]).toEqual([]);
    expect(again.secret('ns', 's')).toBeUndefined();
    expect(again.facts).toEqual({ podCidrs: [], clusterCidrs: [], peers: [], node: undefined });
  },
);

it('remembers labels and taints of the node', () => {
  const taints = [{ key: 'out', effect: 'NoExecute' }];
  const node = { metadata: { name: 'n1', labels: { disk: 'fast' } }, spec: { taints } };
  open().applySnapshot([row('nodes', 'n1', node)]);
  const again = open();
  expect(again.facts.node).toEqual({ name: 'n1', labels: { disk: 'fast' }, taints });
  again.applyChanges({ rows: [], removed: [{ resource: 'nodes', key: 'n1' }] });
  expect(again.facts.node).toBeUndefined();
});

it('takes one row after the other, and passes over kinds that it does not know', () => {
  const store = open();
  const peer = (nodeName: string) => ({
    nodeName,
    addresses: ['192.0.2.7'],
    podCidrs: ['10.1.1.0/24'],
  });
  store.applySnapshot([row('peers', 'b', peer('b')), row('sails', 'ns/web', {})]);
  store.applyChanges({
    rows: [row('peers', 'a', peer('a')), row('__proto__', 'x', {})],
    removed: [{ resource: 'sails', key: 'ns/web' }],
  });
  expect(store.facts.peers.map(({ nodeName }) => nodeName)).toEqual(['a', 'b']);
  store.applyChanges({ rows: [], removed: [{ resource: 'peers', key: 'b' }] });
  expect(open().facts.peers).toEqual([peer('a')]);
});

it('keeps a pod as it came, digits and all, and then the status noted of it', () => {
  const sent =
    '{"metadata":{"uid":"u","name":"p"},"spec":{"n":9007199254740993,"containers":[]},"status":{}}';
  const store = open();
  store.applySnapshot([{ resource: 'pods', key: 'u', version: '', json: Buffer.from(sent) }]);
  const kept = () => {
    const [name = ''] = readdirSync(join(directory, 'pods'));
    return readFileSync(join(directory, 'pods', name), 'utf8');
  };
  expect(kept()).toBe(sent);
  expect(open().pods.get('u')).toEqual(store.pods.get('u'));
  store.noteStatus('u', { phase: 'Running' });
  expect(kept()).toBe(sent.replace('"status":{}', '"status":{"phase":"Running"}'));
});
