import { encodeObject } from '../object-codec';
import { Envelopes, setIndex } from './envelope';
import { SharedWrites } from './shared-writes';

const key = { resource: 'configmaps', namespace: 'default', name: 'a' };

const begun = (writes: SharedWrites, size: number, at = key) => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: at.name }, size };
  const encoded = encodeObject(object);
  const value = new Envelopes().seal('pods', Buffer.from('key'), encoded);
  return { value, write: writes.begin(at, value, encoded) };
};

it('gives the watch and the answer one object, whichever comes first', () => {
  const writes = new SharedWrites();
  const first = begun(writes, 1);
  setIndex(first.value, 3);
  const seen = writes.take(key, Buffer.from(first.value), 1283);
  expect(seen?.object).toMatchObject({ size: 1, metadata: { resourceVersion: '1283' } });
  expect(first.write.stored(1283)).toBe(seen);

  const second = begun(writes, 2);
  const answered = second.write.stored(2560);
  expect(writes.take(key, Buffer.from(second.value), 2560)).toBe(answered);
  expect(answered.object).toMatchObject({ size: 2 });
});

it('knows nothing of what others wrote, nor of what it gave already', () => {
  const writes = new SharedWrites();
  const { value } = begun(writes, 1);
  const others = begun(new SharedWrites(), 1).value;
  expect(writes.take(key, others, 1280)).toBeUndefined();
  expect(writes.take({ ...key, name: 'b' }, value, 1280)).toBeUndefined();
  expect(writes.take(key, value, 1280)).toBeDefined();
  expect(writes.take(key, value, 1280)).toBeUndefined();
});

it('goes by what was received where that is not what was sent', () => {
  const writes = new SharedWrites();
  const { value } = begun(writes, 1);
  const broken = Buffer.from(value);
  broken[broken.length - 2] = 0x20;
  expect(writes.take(key, broken, 1280)).toBeUndefined();
});

it('keeps only the last of what nobody takes', () => {
  const writes = new SharedWrites();
  const all = Array.from({ length: 2000 }, (_none, i) => {
    const at = { ...key, name: `n${i}` };
    return { at, ...begun(writes, i, at) };
  });
  const found = all.filter(({ at, value }) => writes.take(at, value, 1280) !== undefined);
  expect(found.map(({ at }) => at.name)).toEqual(all.slice(-1024).map(({ at }) => at.name));
  // What has been let go of is still answered.
  expect(all[0]?.write.stored(1280).object).toMatchObject({ size: 0 });
});
