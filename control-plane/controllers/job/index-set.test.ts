import fc from 'fast-check';

import { IndexSet } from './index-set';

const MAX = 40;
const indexes = fc.uniqueArray(fc.nat(MAX - 1));

it('is written as upstream writes it, and read again', () => {
  expect(String(IndexSet.of([3, 0, 1, 2, 6, 8, 9]))).toBe('0-3,6,8,9');
  expect(String(IndexSet.EMPTY)).toBe('');
  fc.assert(
    fc.property(indexes, (some) => {
      const set = IndexSet.of(some);
      expect(String(IndexSet.parse(String(set), MAX))).toBe(String(set));
      expect(set.size).toBe(some.length);
    }),
  );
});

it('passes over what cannot be read, and what is beyond the completions', () => {
  expect(String(IndexSet.parse('x,5-2,1-,-3,7-99,0,0,1,99999999999', 10))).toBe('0,1,7-9');
});

it('is a set', () => {
  fc.assert(
    fc.property(indexes, indexes, fc.nat(MAX), fc.nat(MAX), (a, b, count, completions) => {
      const [left, right] = [IndexSet.of(a), IndexSet.of(b)];
      const all = Array.from({ length: MAX + 2 }, (_, index) => index);
      expect(all.filter((index) => left.has(index))).toEqual([...a].sort((x, y) => x - y));
      expect(String(left.union(right))).toBe(String(IndexSet.of([...a, ...b])));
      expect(left.commonCount(right)).toBe(a.filter((index) => b.includes(index)).length);
      const missing = all.filter((index) => index < completions && !a.includes(index));
      expect(left.firstMissing(count, completions)).toEqual(missing.slice(0, count));
    }),
  );
});
