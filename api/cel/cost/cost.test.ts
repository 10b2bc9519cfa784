import fc from 'fast-check';
import { celEnvironment, CelBudget, compileWithCost, schemaType, sizesOf } from '..';
import type { BoundedSchema } from './sizes';

const costOf = (schema: BoundedSchema, rule: string): number => {
  const self = schemaType(schema);
  const size = sizesOf(schema);
  if (self === undefined || size === undefined) throw new Error('no value for expressions');
  const environment = celEnvironment({ self, oldSelf: self });
  const variables = new Map(['self', 'oldSelf'].map((name) => [name, size]));
  return compileWithCost(rule, environment, 'any', variables).cost;
};

const primitive = (type: string): BoundedSchema => {
  if (type === 'int-or-string') return { 'x-kubernetes-int-or-string': true };
  const isFormat = ['duration', 'date', 'date-time', 'byte'].includes(type);
  return isFormat ? { type: 'string', format: type } : { type };
};
const given = (name: string, max: number | undefined) => (max === undefined ? {} : { [name]: max });

const text = (max?: number): BoundedSchema => ({ type: 'string', ...given('maxLength', max) });
const bytes = (max?: number): BoundedSchema => ({ ...text(max), format: 'byte' });
const list =
  (items: BoundedSchema) =>
  (max?: number): BoundedSchema => ({ type: 'array', items, ...given('maxItems', max) });
const map =
  (additionalProperties: BoundedSchema) =>
  (max?: number): BoundedSchema => ({
    ...{ type: 'object', additionalProperties },
    ...given('maxProperties', max),
  });
const lists = (type: string) => list(primitive(type));
const maps = (type: string) => map(primitive(type));
const REQUIRED: BoundedSchema = {
  type: 'object',
  properties: { required: text(), optional: text() },
  required: ['required'],
};
const texts = (max?: number) => list(text(max))(max);

type Made = (max?: number) => BoundedSchema;

/* What upstream comes to, for schemas without a bound and with one: its TestCostEstimation. */
it.each<[string, Made, string, number, number, number]>([
  ['numbers', lists('number'), 'self.all(x, true)', 4718591, 10, 32],
  ['texts', lists('string'), 'self.all(x, true)', 3145727, 20, 62],
  ['truths', lists('boolean'), 'self.all(x, true)', 1887437, 5, 17],
  ['lists', list(lists('number')()), 'self.all(x, true)', 3145727, 100, 302],
  ['numbers by name', maps('number'), 'self.all(x, true)', 1348169, 10, 32],
  ['texts by name', maps('string'), 'self.all(x, true)', 1179647, 3, 11],
  ['truths by name', maps('boolean'), 'self.all(x, true)', 943718, 100, 302],
  ['a text', text, "self.contains('test')", 314574, 10, 5],
  ['a text', text, "self.startsWith('test')", 2, 15, 2],
  ['a text', text, 'size(self + "hello") > size("hello")', 314578, 4, 7],
  ['numbers', lists('number'), 'self[1] == 0.0', 2, 5000, 2],
  ['texts', lists('string'), 'self[1] == self[1]', 314577, 8, 314577],
  ['a text', text, 'self.matches("x")', 314574, 50, 22],
  ['a text', text, '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7],
  ['a text', text, 'self.matches("")', 1, 100, 1],
  [
    'texts by name',
    (max) => map(text(max))(max),
    'self.all(x, x.contains(self[x]))',
    ...([2752507, 10, 72] as const),
  ],
  ['a number by name', maps('number'), 'self["x"] == 0.0', 2, 0, 2],
  ['a text', text, 'self == "x"', 2, 0, 1],
  ['bytes', bytes, 'self == b"x"', 2, 0, 1],
  ['numbers', lists('number'), 'self.all(x, x == 0.0)', 6291454, 3 * 1024 * 2048, 25165826],
  [
    'objects by name in a list',
    (max) => list(map(REQUIRED)(max))(max),
    'self.all(x, x["y"].required == "z")',
    ...([7340027, 10, 72] as const),
  ],
  ['either', lists('int-or-string'), 'self.all(x, true)', 4718591, 10, 32],
  ['either', lists('int-or-string'), 'self[0] == 5', 3, 10, 3],
  ['truths', lists('boolean'), 'self[0] == false', 2, 25, 2],
  ['lists', list(lists('number')()), 'self[0][0] == -1.0', 3, 51, 3],
  ['maps', list(maps('number')()), 'self.all(x, x.y == 25.2)', 6291452, 12, 74],
  ['maps', list(maps('number')()), 'self[0].x > 2.0', 4, 3000, 4],
  ['durations', lists('duration'), 'self.all(x, true)', 2359295, 5, 17],
  ['durations', lists('duration'), 'self[0].getHours() == 2', 4, 525, 4],
  ['dates', lists('date'), 'self.all(x, true)', 725936, 15, 47],
  ['times', lists('date-time'), 'self.all(x, true)', 428963, 25, 77],
  ['objects by name', map(REQUIRED), 'self.all(x, true)', 428963, 20, 62],
  ['maps by name', map(maps('number')()), 'self.all(x, true)', 1179647, 10, 32],
  ['durations by name', maps('duration'), 'self.all(x, true)', 1048577, 5, 17],
  ['dates by name', maps('date'), 'self.all(x, true)', 524288, 10, 32],
  ['times by name', maps('date-time'), 'self.all(x, true)', 349526, 25, 77],
  ['a text', text, "self.find('[0-9]+') == ''", 629147, 10, 11],
  ['texts', texts, "self.join(' ') == 'aa bb'", 329853068905, 10, 43],
  ['texts', texts, 'self.isSorted() == true', 329854432052, 10, 52],
  [
    'three texts',
    (max) => ({ type: 'object', properties: { str: text(max), before: text(2), after: text(4) } }),
    "self.str.replace(self.before, self.after) == 'does not matter'",
    ...([629154, 4, 12] as const),
  ],
  [
    'two texts',
    (max) => ({ type: 'object', properties: { str: text(max), separator: text(max) } }),
    'self.str.split(self.separator) == []',
    ...([629160, 10, 22] as const),
  ],
  ['a text', text, "self.lowerAscii() == 'lower!'", 314575, 10, 6],
  ['numbers by name', maps('integer'), 'oldSelf.size() == self.size()', 5, 10, 5],
  ['times by name', maps('date-time'), 'self["a"] == self["b"]', 8, 7, 8],
  ['durations by name', maps('duration'), 'self["c"] == self["d"]', 8, 42, 8],
  [
    'one of some texts',
    (max) => ({ ...text(max), enum: ['A', 'B', 'C', 'LongValue'] }),
    "self.contains('A')",
    ...([2, 1000, 401] as const),
  ],
])('reckons as upstream with %s: %#', (_what, made, rule, unbounded, max, bounded) => {
  expect([costOf(made(), rule), costOf(made(max), rule)]).toEqual([unbounded, bounded]);
});

it.each([
  ['self.all(x, self.all(y, true))', 352],
  ['self.all(x, self.all(y, self.all(z, true)))', 3552],
])('multiplies what is asked of each by each: %s', (rule, bounded) => {
  expect(costOf(lists('number')(), rule)).toBeGreaterThan(10_000_000);
  expect(costOf(lists('number')(10), rule)).toBe(bounded);
});

it('finds no bound where there is none', () => {
  const number: BoundedSchema = { type: 'integer' };
  expect(costOf(number, "'a' + string(self) == 'a1'")).toBe(Infinity);
  expect(costOf(number, "'a%d'.format([self]) == 'a1'")).toBeLessThan(100);
});

/** Upstream's units are not quite this engine's, which pays for errors and conversions too. */
const PAID_BESIDES = 4;

it('says no less than what evaluation then costs', () => {
  const schema = list({ type: 'string', maxLength: 20 })(20);
  const rules = [
    'self.all(x, x.size() > 3)',
    'self.exists(x, x.contains("ab"))',
    'self.filter(x, x.startsWith("a")).size() > 1',
    'self.map(x, x + "b").exists(x, x == "ab")',
    'self.all(x, self.exists_one(y, x == y))',
    'self.join(",").matches("a+")',
    'size(self) > 0 && self[0].lowerAscii() == "a"',
  ];
  const environment = celEnvironment({ self: schemaType(schema) ?? never() });
  const values = fc.array(fc.string({ maxLength: 20 }), { maxLength: 20 });
  fc.assert(
    fc.property(values, fc.constantFrom(...rules), (self, rule) => {
      const variables = new Map([['self', sizesOf(schema) ?? never()]]);
      const { program, cost } = compileWithCost(rule, environment, 'bool', variables);
      const budget = new CelBudget(1_000_000);
      program.evaluateBool({ self }, budget);
      // Compiling a pattern is paid for when it is first used.
      const spent = 1_000_000 - budget.remaining;
      if (!rule.includes('matches')) expect(spent).toBeLessThanOrEqual(cost * PAID_BESIDES);
    }),
  );
});

const never = (): never => {
  throw new Error('no value for expressions');
};
