import fc from 'fast-check';
import { isSameText, quantitiesOf, textsOf } from './amounts';
import { jsonEqual } from './json-value';

const number = fc.integer({ min: 0, max: 3000 });
const suffix = fc.constantFrom('', 'm', 'k', 'Ki', 'Mi', 'e3', 'E', 'Ei');
const amount = fc.tuple(number, suffix).map(([count, unit]) => `${count}${unit}`);
const names = fc.constantFrom('cpu', 'memory', 'pods', '__proto__');
const amounts = fc
  .array(fc.tuple(names, amount), { maxLength: 3 })
  .map((entries) => quantitiesOf(Object.fromEntries(entries)));

it('knows what reads the same without writing it down', () => {
  const written = quantitiesOf({ a: '1024', b: '1Ki', c: '1e3' });
  expect(isSameText(written, quantitiesOf({ c: '1e3', b: '1Ki', a: '1024' }))).toBe(true);
  expect(isSameText(written, quantitiesOf({ a: '1Ki', b: '1Ki', c: '1e3' }))).toBe(false);
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      expect(isSameText(a, b)).toBe(jsonEqual(textsOf(a), textsOf(b)));
      expect(isSameText(a, quantitiesOf(textsOf(a)))).toBe(true);
    }),
  );
});
