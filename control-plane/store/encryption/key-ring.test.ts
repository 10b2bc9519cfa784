import fc from 'fast-check';
import { KeyRing } from './key-ring';
import { newKey } from '../../../lib/encryption-keys';

const bytes = fc.uint8Array({ maxLength: 300 });
const ring = () => new KeyRing([newKey(0)]);

it('opens what it sealed, in the context in which it was sealed', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (plain, context, other) => {
      const keys = ring();
      const sealed = keys.seal(plain, context);
      expect(Buffer.from(keys.open(sealed, context) ?? [])).toEqual(Buffer.from(plain));
      if (Buffer.compare(context, other) !== 0) expect(keys.open(sealed, other)).toBeUndefined();
      if (plain.length > 7) expect(sealed.includes(Buffer.from(plain))).toBe(false);
    }),
  );
});

it('opens nothing that was changed or cut, and never fails over it', () => {
  const place = fc.nat({ max: 400 });
  fc.assert(
    fc.property(bytes, place, fc.integer({ min: 1, max: 255 }), (plain, at, change) => {
      const keys = ring();
      const sealed = keys.seal(plain, Buffer.from('key'));
      const cut = sealed.subarray(0, at % sealed.length);
      expect(keys.open(cut, Buffer.from('key'))).toBeUndefined();
      sealed[at % sealed.length] = (sealed[at % sealed.length] ?? 0) ^ change;
      expect(keys.open(sealed, Buffer.from('key'))).toBeUndefined();
    }),
  );
  fc.assert(fc.property(bytes, (any) => expect(ring().open(any, any)).toBeUndefined()));
});

it('never makes one text of one object twice', () => {
  const keys = ring();
  const all = Array.from({ length: 100 }, () => keys.seal(Buffer.from('same'), Buffer.of()));
  expect(new Set(all.map((each) => each.toString('hex'))).size).toBe(100);
});

it('seals with the newest key and opens with all, those included that the file no longer has', () => {
  const [first, second] = [newKey(0), newKey(1)];
  const keys = new KeyRing([first]);
  const old = keys.seal(Buffer.from('old'), Buffer.of());
  keys.replace([second]);
  const young = keys.seal(Buffer.from('new'), Buffer.of());
  expect([old, young].map((each) => keys.keyIdOf(each))).toEqual([first.id, second.id]);
  expect(keys.currentKeyId).toBe(second.id);
  expect(Buffer.from(keys.open(old, Buffer.of()) ?? []).toString()).toBe('old');
  expect(new KeyRing([first]).open(young, Buffer.of())).toBeUndefined();
});

it('keeps secrets, and nothing else', () => {
  expect(['secrets', 'configmaps'].map((each) => ring().covers(each))).toEqual([true, false]);
});
