import { cloneJson, jsonEqual } from './json-value';

it.each<[unknown, unknown, boolean]>([
  [{ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, true],
  [{ a: undefined }, {}, true],
  [{ a: null }, {}, false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [5n, 5, true],
  ['5', 5n, false],
  [0, '', false],
])('%p equals %p: %s', (a, b, expected) => {
  expect(jsonEqual(a, b)).toBe(expected);
});

it('copies deeply, names special in JavaScript too', () => {
  const value = JSON.parse('{"a":[{"b":1}],"__proto__":{"x":1}}') as { a: object[] };
  const copy = cloneJson(value);
  expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
  expect(copy.a[0]).not.toBe(value.a[0]);
});
