import fc from 'fast-check';
import { ChangeLog } from './change-log';
import { MaxTree } from './max-tree';

const value = fc.oneof(fc.constant(-Infinity), fc.nat(5));

it('finds the first of the greatest in any part, after any changes', () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(), value), { maxLength: 20 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 10 }),
      (values, changes, parts) => {
        const tree = new MaxTree(values.length);
        tree.setAll((index) => values[index]!);
        for (const [at, to] of changes) {
          values[at % values.length] = to;
          tree.set(at % values.length, to);
        }
        for (const [a, b] of parts) {
          const from = a % (values.length + 1);
          const to = from + (b % (values.length + 1 - from));
          const part = values.slice(from, to);
          const greatest = Math.max(-Infinity, ...part);
          const expected = greatest === -Infinity ? -1 : from + part.indexOf(greatest);
          expect(tree.firstGreatest(from, to)).toBe(expected);
        }
      },
    ),
  );
});

it('tells each reader what came since it last read, or that it no longer knows', () => {
  const log = new ChangeLog<number>();
  const start = log.end;
  for (let item = 0; item < 10; item++) log.add(item);
  expect(log.since(start)).toHaveLength(10);
  expect(log.since(start + 8)).toEqual([8, 9]);
  expect(log.since(log.end)).toEqual([]);
  for (let item = 10; item < 20_000; item++) log.add(item);
  expect(log.since(start)).toBeUndefined();
  expect(log.since(log.end - 2)).toEqual([19_998, 19_999]);
});
