import { AUTHENTICATED, MASTERS, sharerOf } from './user';

it.each([
  ['system:serviceaccount:t1:a', 'system:serviceaccount:t1'],
  ['system:serviceaccount:t1:b', 'system:serviceaccount:t1'],
  ['system:serviceaccount:t2:a', 'system:serviceaccount:t2'],
  ['system:node:n1', 'system:node:n1'],
  ['jane', 'jane'],
])('%s uses up the share of %s', (name, sharer) => {
  expect(sharerOf({ name, groups: [AUTHENTICATED] })).toBe(sharer);
});

it('administrators have no share: they may use all', () => {
  expect(sharerOf({ name: 'admin', groups: [MASTERS] })).toBeUndefined();
});
