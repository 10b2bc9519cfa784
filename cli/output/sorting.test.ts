import { sorterBy } from './sorting';

const inOrder = (field: string, values: readonly unknown[]): readonly unknown[] =>
  sorterBy(field)(
    values.map((x) => ({ x })),
    (row) => row,
  ).map(({ x }) => x);

it.each([
  [
    ['web-10', 'web-2', 'api'],
    ['api', 'web-2', 'web-10'],
  ],
  [
    [10, 9, 100],
    [9, 10, 100],
  ],
  [
    ['1Gi', '900Mi', '500m'],
    ['500m', '900Mi', '1Gi'],
  ],
  [
    ['b', undefined, 'a'],
    [undefined, 'a', 'b'],
  ],
])('sorts %j', (given, sorted) => {
  expect(inOrder('.x', given)).toEqual(sorted);
});
