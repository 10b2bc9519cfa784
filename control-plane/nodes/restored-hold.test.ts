import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { withNodeKey } from '../../api/node-identity';
import type { Node, PersistentVolume } from '../../api/types';
import { heldReasonOf } from '../../api/volume-hold';
import { silentLog } from '../../lib/log';
import { RestoredHold, type RestoredHoldDeps } from './restored-hold';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-hold-'));
  file = join(directory, 'restored.json');
  writeFileSync(file, '{}');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const nodeOf = (name: string, isJoined = true): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    ...(isJoined
      ? { annotations: withNodeKey({ metadata: { name } }, 'a', { key: 'k' }, []) }
      : {}),
  },
  spec: {},
  status: {},
});

const volume = (spec: object): PersistentVolume => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v', resourceVersion: '1' } },
  spec: { nfs: { server: 's', path: '/' }, accessModes: ['ReadWriteOnce'], ...spec },
});

const setUp = (names: readonly string[], from?: string) => {
  const nodes = new Map(names.map((name) => [name, nodeOf(name)]));
  nodes.set('planned', nodeOf('planned', false));
  let removed: () => void = () => undefined;
  const view = {
    list: () => nodes.values(),
    subscribe: ({ onDelete }: { onDelete: () => void }) => {
      removed = onDelete;
      return () => undefined;
    },
  } as unknown as RestoredHoldDeps['nodes'];
  let changes = 0;
  const hold = new RestoredHold({ file: from, nodes: view, log: silentLog });
  hold.onChange(() => changes++);
  const remove = (name: string) => {
    nodes.delete(name);
    removed();
  };
  return { hold, remove, changes: () => changes, why: () => heldReasonOf(hold.shown(volume({}))) };
};

it('holds volumes of one writer until each node is back or deleted, and says which are missing', async () => {
  const { hold, remove, why, changes } = setUp(['n1', 'n2', 'n3'], file);
  expect(why()).toContain('(dhow delete node): n1, n2, n3');
  hold.noteSeen('n1');
  hold.noteSeen('n1');
  expect(why()).toContain(': n2, n3');
  remove('n3');
  expect(existsSync(file)).toBe(true);
  hold.noteSeen('n2');
  expect([why(), changes()]).toEqual([undefined, 3]);
  while (existsSync(file)) await new Promise((resolve) => setImmediate(resolve));
});

it.each([
  ['a folder of a node', { nfs: undefined }],
  ['a volume of many writers', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }],
  ['a volume that is read alone', { accessModes: ['ReadOnlyMany'] }],
])('holds no %s', (_title, spec) => {
  const given = volume(spec);
  expect(setUp(['n1'], file).hold.shown(given)).toBe(given);
});

it('holds nothing where nothing was restored', () => {
  const { hold } = setUp(['n1']);
  const given = volume({});
  expect(hold.shown(given)).toBe(given);
});
