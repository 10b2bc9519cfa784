import fc from 'fast-check';
import { brokenLimitOf } from './json-size';

const NONE = { depthMax: Infinity, valueCountMax: Infinity, keyBytesMax: Infinity };

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
    : 0;

const countOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, member) => sum + countOf(member), 1)
    : 1;

const spaced = fc.json().chain((text) =>
  fc.constantFrom(undefined, 1, '\t').map((indent) => ({
    value: JSON.parse(text) as unknown,
    text: Buffer.from(JSON.stringify(JSON.parse(text), undefined, indent)),
  })),
);

it('agrees with a walk of the parsed value about its depth, whatever its strings hold', () => {
  fc.assert(
    fc.property(spaced, fc.nat(6), ({ value, text }, depthMax) => {
      const broken = depthOf(value) > depthMax ? 'depthMax' : undefined;
      expect(brokenLimitOf(text, { ...NONE, depthMax })).toBe(broken);
    }),
  );
});

it('agrees with a walk of the parsed value about the count of its values', () => {
  fc.assert(
    fc.property(spaced, ({ value, text }) => {
      const count = countOf(value);
      expect(brokenLimitOf(text, { ...NONE, valueCountMax: count })).toBeUndefined();
      expect(brokenLimitOf(text, { ...NONE, valueCountMax: count - 1 })).toBe('valueCountMax');
    }),
  );
});

it('finds a long key, and lets long texts be', () => {
  const long = 'é'.repeat(50);
  const limits = { ...NONE, keyBytesMax: 99 };
  expect(brokenLimitOf(Buffer.from(JSON.stringify({ a: [{ [long]: 1 }] })), limits)).toBe(
    'keyBytesMax',
  );
  expect(brokenLimitOf(Buffer.from(JSON.stringify({ a: [long, { b: long }] })), limits)).toBe(
    undefined,
  );
});

it('answers for text that is no JSON', () => {
  const limits = { ...NONE, depthMax: 1000 };
  expect(brokenLimitOf(Buffer.from('['.repeat(1_000_000)), limits)).toBe('depthMax');
  expect(brokenLimitOf(Buffer.from(`"${'['.repeat(2000)}`), limits)).toBeUndefined();
  expect(brokenLimitOf(Buffer.from(`${'a'.repeat(1000)}"\\`), limits)).toBeUndefined();
});
