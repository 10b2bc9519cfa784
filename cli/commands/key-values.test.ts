import { mergeOf, occupied, parseKeyValues } from './key-values';

it('reads what is set and what is removed', () => {
  const changes = parseKeyValues(['a=1', 'b=', 'c=x=y', 'd-'], 'label');
  expect([...changes.set]).toEqual([
    ['a', '1'],
    ['b', ''],
    ['c', 'x=y'],
  ]);
  expect([...changes.removed]).toEqual(['d']);
});

it.each([
  [[], 'at least one label update is required'],
  [['a'], 'unknown label spec: a'],
  [['=a'], 'unknown label spec: =a'],
  [['a=1', 'a-'], 'can not both modify and remove a label in the same command'],
])('refuses %j', (args, message) => {
  expect(() => parseKeyValues(args, 'label')).toThrow(message);
});

it('changes what differs only, and knows what is taken', () => {
  const changes = parseKeyValues(['a=1', 'b=2', 'c-', 'toString-'], 'label');
  const current = { a: '1', b: 'old', c: 'x' };
  expect(mergeOf(current, changes)).toEqual({ b: '2', c: null });
  expect(occupied(current, changes)).toEqual([['b', 'old']]);
});
