import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ApiObject, Secret } from '../../api/types';
import { silentLog } from '../../lib/log';
import type { Assignments } from '../../proto/gen/dhow/agent/v1/agent';
import { testPod } from '../pods/testing';
import { AssignmentStore } from './assignment-store';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-assignments-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): AssignmentStore => {
  const store = new AssignmentStore(directory, silentLog);
  store.load();
  return store;
};

const bytes = (object: ApiObject): Buffer => Buffer.from(JSON.stringify(object));
const snapshot = (more: Partial<Assignments>): Assignments => ({
  pods: [],
  secrets: [],
  configMaps: [],
  peers: [],
  partial: false,
  node: Buffer.alloc(0),
  ...more,
});

/** As long as each may be, with every character that is allowed. */
const NAMESPACE = `n${'-'.repeat(61)}s`;
const LONG_NAME = `${'a.b-0'.repeat(50)}abc`;

it('keeps and removes objects whose names are as long as names may be', () => {
  expect([NAMESPACE.length, LONG_NAME.length]).toEqual([63, 253]);
  const metadata = { namespace: NAMESPACE, name: LONG_NAME, uid: 'uid-1' };
  const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, data: { k: 'dg==' } };
  const pod = testPod({ metadata });
  open().applySnapshot(snapshot({ pods: [bytes(pod)], secrets: [bytes(secret)] }));
  const again = open();
  expect(again.pods.get('uid-1')?.metadata.name).toBe(LONG_NAME);
  expect(again.secret(NAMESPACE, LONG_NAME)?.data).toEqual({ k: 'dg==' });
  again.applySnapshot(snapshot({}));
  const left = open();
  expect([...left.pods]).toEqual([]);
  expect(left.secret(NAMESPACE, LONG_NAME)).toBeUndefined();
});

it('drops a file that is not under its own name, and goes on', () => {
  const pod = testPod();
  open().applySnapshot(snapshot({ pods: [bytes(pod)] }));
  writeFileSync(join(directory, 'pods', 'old-name.json'), JSON.stringify(pod));
  writeFileSync(join(directory, 'pods', 'damaged.json'), '{');
  expect([...open().pods.keys()]).toEqual(['uid-1']);
  expect(readdirSync(join(directory, 'pods'))).toHaveLength(1);
});

it('remembers labels and taints of the node', () => {
  const taints = [{ key: 'out', effect: 'NoExecute' }];
  const node = { metadata: { name: 'n1', labels: { disk: 'fast' } }, spec: { taints } };
  open().applySnapshot(snapshot({ node: Buffer.from(JSON.stringify(node)) }));
  const again = open();
  expect(again.facts.node).toEqual({ name: 'n1', labels: { disk: 'fast' }, taints });
  again.applySnapshot(snapshot({}));
  expect(again.facts.node?.labels).toEqual({ disk: 'fast' });
});
