import { isAllowed, withAccess, type AccessByRepository, type KnownSecret } from './pull-access';

const secret = (name: string, hash: string, uid = `uid-${name}`): KnownSecret => ({
  namespace: 'ns',
  name,
  uid,
  hash,
});

it('is for whoever has the same credentials or the same secret', () => {
  const access = [secret('a', 'h1')];
  expect(isAllowed('anyone', [])).toBe(true);
  expect(isAllowed(access, [])).toBe(false);
  expect(isAllowed(undefined, [secret('a', 'h1')])).toBe(false);
  expect(isAllowed(access, [secret('b', 'h2'), secret('c', 'h1')])).toBe(true);
  expect(isAllowed(access, [secret('a', 'renewed')])).toBe(true);
  expect(isAllowed(access, [secret('a', 'other', 'made again')])).toBe(false);
  expect(isAllowed([secret('a', 'h1', '')], [secret('a', 'h2', '')])).toBe(false);
});

it('grows by what is seen, and says when that is nothing new', () => {
  const first = withAccess({}, 'x/a', [secret('a', 'h1')]);
  expect(withAccess(first, 'x/a', [secret('a', 'h1')])).toBe(first);
  const renewed = withAccess(first, 'x/a', [secret('a', 'h2')]);
  expect(renewed['x/a']).toEqual([secret('a', 'h2')]);
  const two = withAccess(renewed, 'x/a', [secret('b', 'h3')]);
  expect(two['x/a']).toEqual([secret('a', 'h2'), secret('b', 'h3')]);
  const open = withAccess(two, 'x/a', 'anyone');
  expect(withAccess(open, 'x/a', [secret('c', 'h4')])).toBe(open);
  expect(withAccess(open, 'x/b', [])).toEqual({ 'x/a': 'anyone', 'x/b': [] });
});

it('forgets the oldest when there is too much of it', () => {
  let all: AccessByRepository = {};
  for (let i = 0; i < 300; i++) {
    all = withAccess(all, 'x/a', [secret(`s${i}`, `h${i}`)]);
    all = withAccess(all, `x/r${i}`, 'anyone');
    all = withAccess(all, 'x/a', [secret(`t${i}`, `g${i}`)]);
  }
  expect(Object.keys(all)).toHaveLength(100);
  expect(all['x/a']).toHaveLength(100);
  expect(isAllowed(all['x/a'], [secret('other', 'g299')])).toBe(true);
  expect(isAllowed(all['x/a'], [secret('other', 'h0')])).toBe(false);
});
