import fc from 'fast-check';
import { isNestedDeeper } from './json-depth';

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
    : 0;

it('agrees with a walk of the parsed value, whatever its strings hold', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(6), (text, depthMax) => {
      expect(isNestedDeeper(Buffer.from(text), depthMax)).toBe(
        depthOf(JSON.parse(text)) > depthMax,
      );
    }),
  );
});

it('answers for text that is no JSON', () => {
  expect(isNestedDeeper(Buffer.from('['.repeat(1_000_000)), 1000)).toBe(true);
  expect(isNestedDeeper(Buffer.from(`"${'['.repeat(2000)}`), 1000)).toBe(false);
  expect(isNestedDeeper(Buffer.from(`${'a'.repeat(1000)}"\\`), 1000)).toBe(false);
});
