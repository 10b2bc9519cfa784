import { acceptClauses, takes } from './accept';

const types = (header?: string) => acceptClauses(header).map(({ type }) => type);

it.each([
  [undefined, ['*/*']],
  ['', ['*/*']],
  ['a/b, c/d', ['a/b', 'c/d']],
  ['a/b;q=0.5,c/d;q=0.9,e/f', ['e/f', 'c/d', 'a/b']],
  ['*/*,a/*,a/b', ['a/b', 'a/*', '*/*']],
  ['a/b;q=0,c/d;q=x', ['c/d']],
  ['nonsense,,;;=, a/b', ['a/b']],
])('takes %p in the order of %p', (header, expected) => {
  expect(types(header)).toEqual(expected);
});

it('reads parameters with and without quotes', () => {
  const [clause] = acceptClauses('application/json; As="Table" ;v=v1;g=meta.k8s.io');
  expect(Object.fromEntries(clause!.parameters)).toEqual({
    as: 'Table',
    v: 'v1',
    g: 'meta.k8s.io',
  });
});

it('knows what stars stand for', () => {
  const [all] = acceptClauses('*/*');
  const [some] = acceptClauses('application/*');
  expect([
    takes(all!, 'a/b'),
    takes(some!, 'application/json'),
    takes(some!, 'text/plain'),
  ]).toEqual([true, true, false]);
});

it('reads no more clauses than a client could mean', () => {
  expect(types('a/b,'.repeat(10_000)).length).toBeLessThan(100);
});
