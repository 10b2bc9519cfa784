import * as fc from 'fast-check';
import {
  bytesOf,
  canonicalQuantity,
  cpuMillisOf,
  formatQuantity,
  parseQuantity,
  QuantityError,
} from './quantity';

it.each([
  ['64e6', 64_000_000],
  ['64E6', 64_000_000],
  [64e6, 64_000_000],
  ['2E', 2e18],
  ['128Mi', 134_217_728],
  ['1.5Gi', 1_610_612_736],
  ['100m', 1],
  ['-1', -1],
])('reads %s as %d units', (text, value) => {
  expect(bytesOf(text)).toBe(value);
});

it.each([
  ['0.1', '100m'],
  ['1e3', '1e3'],
  ['1000m', '1'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['0.5Gi', '512Mi'],
  ['0.5Ki', '512'],
  ['00.10', '100m'],
  ['-0', '0'],
  ['1500', '1500'],
  ['12000', '12k'],
  ['0.0000000001', '1n'],
  ['64e6', '64e6'],
  ['1000Ki', '1000Ki'],
  ['3000E', '9223372036854775807'],
  ['9223372036854775808', '9223372036854775807'],
  ['1e999999999', '9223372036854775807'],
  ['1e-999999999', '1e-9'],
])('prints %s as %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical);
});

it('counts CPU in millicores, rounded up', () => {
  expect(['1e3', '0.1', '1n', '2'].map(cpuMillisOf)).toEqual([1_000_000, 100, 1, 2000]);
});

it.each([
  ['100x', /must match the regular expression/],
  ['', /must match/],
  ['-', /must match/],
  ['1.2.3', /must match/],
  ['64ei', /suffix/],
  ['1Kii', /suffix/],
  [' 1', /must match/],
  ['9'.repeat(1000), /must match/],
])('refuses %j', (text, message) => {
  expect(() => parseQuantity(text)).toThrow(QuantityError);
  expect(() => parseQuantity(text)).toThrow(message);
});

it('reads back what it prints', () => {
  const formats = fc.constantFrom('DecimalSI', 'BinarySI', 'DecimalExponent');
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 27n), 10n ** 27n), formats, (nanos, format) => {
      const text = formatQuantity({ nanos, format });
      expect(parseQuantity(text).nanos).toBe(nanos);
      expect(canonicalQuantity(text)).toBe(text);
    }),
  );
});
