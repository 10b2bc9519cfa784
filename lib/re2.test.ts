import { compileRe2, Re2CostError, Re2SyntaxError } from './re2';

it('matches anywhere, as RE2 does', () => {
  expect(compileRe2('b+').test('abbc')).toBe(true);
  expect(compileRe2('^b').test('abbc')).toBe(false);
  expect(compileRe2(String.raw`^\pL+$`).test('größe')).toBe(true);
  expect(compileRe2('(?i)^ABC$').test('abc')).toBe(true);
});

it.each([
  '(',
  'a{1001}',
  '((a{100}){100}){100}',
  '(?=a)',
  String.raw`(a)\1`,
  '[z-a]',
  'x'.repeat(20_000),
])('refuses %.20s, which is no expression of RE2', (pattern) => {
  expect(() => compileRe2(pattern)).toThrow(Re2SyntaxError);
  expect(() => compileRe2(pattern)).toThrow(/^error parsing regexp: /);
});

it('matches what makes others backtrack for ever', () => {
  const text = 'x'.repeat(20_000);
  for (const pattern of ['^(x+x+)+y$', '(x*)*y', '^(x|x)*$y', '(.*)(.*)(.*)(.*)(.*)[0-9]'])
    expect(compileRe2(pattern).test(text)).toBe(false);
});

it('refuses a text that is too long for a large pattern', () => {
  const large = compileRe2('[a-y]{1000}z');
  expect(large.test('abc')).toBe(false);
  expect(() => large.test('x'.repeat(100_000))).toThrow(Re2CostError);
});
