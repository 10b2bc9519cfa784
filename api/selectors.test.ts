import * as fc from 'fast-check';
import { checkFields, matchesFields, parseFieldSelector } from './field-selectors';
import {
  formatRequirement,
  matchesLabelSelector,
  matchesRequirements,
  parseLabelSelector,
  SelectorError,
} from './selectors';

const labels = { app: 'web', tier: 'front', 'example.com/v': '7' };

it.each([
  ['', true],
  ['app=web', true],
  ['app==web,tier!=back', true],
  ['app=db', false],
  ['app in (web, db),tier notin (back)', true],
  ['missing notin (x)', true],
  ['missing!=x', true],
  ['app', true],
  ['!app', false],
  ['!missing', true],
  ['example.com/v>6', true],
  ['example.com/v<6', false],
  ['app=', false],
  ['app in (,web)', true],
  ['constructor', false],
  ['in in (in)', false],
])('%j matches: %s', (text, expected) => {
  expect(matchesRequirements(parseLabelSelector(text), labels)).toBe(expected);
});

it.each([
  ['app==(x', "unable to parse requirement: found '(', expected: identifier"],
  ['app=web,', "found '', expected: identifier after ','"],
  ['=web', "found '=', expected: !, identifier, or 'end of string'"],
  ['app in web', "unable to parse requirement: found 'web' expected: '('"],
  ['app web', "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"],
  ['app=a b', "found 'b', expected: ',' or 'end of string'"],
  ['app in ()', /values set can't be empty/],
  ['a/b/c=d', /a qualified name must consist of/],
  ['app=-x', /values\[0\]\[app\]: Invalid value: "-x": a valid label must be/],
  ['v>x', /the value must be an integer/],
])('refuses %j', (text, message) => {
  expect(() => parseLabelSelector(text)).toThrow(SelectorError);
  expect(() => parseLabelSelector(text)).toThrow(message);
});

it('reads back what it prints', () => {
  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9]{0,5})$/);
  const requirement = fc.oneof(
    fc.record({
      key: word,
      operator: fc.constantFrom('=', '!='),
      values: fc.tuple(word),
    }),
    fc.record({
      key: word,
      operator: fc.constantFrom('in', 'notin'),
      values: fc.uniqueArray(word, { minLength: 1 }).map((values) => values.sort()),
    }),
    fc.record({
      key: word,
      operator: fc.constantFrom('exists', '!'),
      values: fc.constant([]),
    }),
  );
  fc.assert(
    fc.property(requirement, (each) => {
      expect(parseLabelSelector(formatRequirement(each as never))).toEqual([each]);
    }),
  );
});

it('selects nothing without a selector and everything with an empty one', () => {
  expect(matchesLabelSelector(undefined, labels)).toBe(false);
  expect(matchesLabelSelector({}, labels)).toBe(true);
  expect(
    matchesLabelSelector(
      { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }] },
      labels,
    ),
  ).toBe(true);
});

it('matches fields and refuses unknown ones', () => {
  const terms = parseFieldSelector('spec.nodeName=n\\,1,status.phase!=Failed');
  const values: Record<string, string> = { 'spec.nodeName': 'n,1', 'status.phase': 'Running' };
  expect(matchesFields(terms, (field) => values[field] ?? '')).toBe(true);
  expect(() => {
    checkFields(parseFieldSelector('spec.foo=1'), ['metadata.name']);
  }).toThrow('field label not supported: spec.foo');
  expect(() => parseFieldSelector('nonsense')).toThrow(
    "invalid selector: 'nonsense'; can't understand 'nonsense'",
  );
  expect(parseFieldSelector('involvedObject.namespace=,x=1')).toHaveLength(2);
});
