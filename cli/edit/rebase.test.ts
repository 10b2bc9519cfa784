import { rebase } from './rebase';

const BASE = { a: 1, b: { c: 1, d: 1 }, list: [1], gone: 1 };

it('puts my changes onto those of others', () => {
  const mine = { a: 2, b: { c: 1, d: 1, mine: 1 }, list: [1] };
  const theirs = { a: 1, b: { c: 3, d: 1 }, list: [1], gone: 1, theirs: 1 };
  expect(rebase(BASE, mine, theirs)).toEqual({
    merged: { a: 2, b: { c: 3, d: 1, mine: 1 }, list: [1], theirs: 1 },
    conflicts: [],
  });
});

it('names what both changed, and keeps mine', () => {
  const mine = { ...BASE, b: { c: 5, d: 1 }, list: [1, 2] };
  const theirs = { ...BASE, b: { c: 6, d: 2 }, list: [1, 3] };
  expect(rebase(BASE, mine, theirs)).toEqual({
    merged: { ...BASE, b: { c: 5, d: 2 }, list: [1, 2] },
    conflicts: ['b.c', 'list'],
  });
});

it('sees no conflict where both did the same, one in the removal of what the other changed', () => {
  expect(rebase(BASE, { ...BASE, a: 9 }, { ...BASE, a: 9 }).conflicts).toEqual([]);
  const { gone: _gone, ...without } = BASE;
  expect(rebase(BASE, without, { ...BASE, gone: 2 }).conflicts).toEqual(['gone']);
});

it('treats names from prototypes as any others', () => {
  const mine = JSON.parse('{"__proto__": {"x": 1}, "constructor": 1}') as object;
  expect(rebase({}, mine, { y: 1 }).conflicts).toEqual([]);
});
