import type { StoredObject } from '../../store/store';
import { RecentWrites } from './recent-writes';

const keyOf = (name: string) => ({ resource: 'pods', namespace: 'default', name });

const stored = (name: string, resourceVersion: number, bytes = 10): StoredObject => ({
  key: keyOf(name),
  resourceVersion,
  raw: new Uint8Array(bytes),
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name } },
});

it('knows what was written after a version', () => {
  const writes = new RecentWrites();
  const first = stored('a', 5);
  writes.note(first);
  expect(writes.since(keyOf('a'), 4)).toBe(first);
  expect(writes.since(keyOf('b'), 0)).toBeUndefined();
  expect(writes.since(keyOf('a'), 5)).toBeUndefined();
});

it('keeps the newer of two whose answers come in the other order', () => {
  const writes = new RecentWrites();
  const newer = stored('a', 6);
  writes.note(newer);
  writes.note(stored('a', 5));
  expect(writes.since(keyOf('a'), 0)).toBe(newer);
});

it('forgets what was deleted', () => {
  const writes = new RecentWrites();
  writes.note(stored('a', 5));
  writes.forget(keyOf('a'));
  expect(writes.since(keyOf('a'), 0)).toBeUndefined();
});

it('keeps no more than it may, the last that were written', () => {
  const writes = new RecentWrites();
  for (let i = 1; i <= 600; i++) writes.note(stored(`n${i}`, i));
  expect(writes.since(keyOf('n88'), 0)).toBeUndefined();
  expect(writes.since(keyOf('n89'), 0)).toBeDefined();
  for (let i = 1; i <= 5; i++) writes.note(stored(`large${i}`, 1000 + i, 1024 * 1024));
  const kept = [1, 2, 3, 4, 5].filter((i) => writes.since(keyOf(`large${i}`), 0) !== undefined);
  expect(kept).toEqual([2, 3, 4, 5]);
  expect(writes.since(keyOf('n600'), 0)).toBeUndefined();
});
