import fc from 'fast-check';
import { parseCidr, type IpPrefix } from '../../../lib/net/ip';
import { seededRandom } from '../../../lib/random';
import { addressesOf, anyFree, isWithin, portsOf } from './bands';

const range = (text: string) => parseCidr(text) as IpPrefix;

it.each([
  ['10.96.0.0/16', 65_534, '10.96.0.1', '10.96.255.254', '10.96.1.0'],
  ['10.96.0.0/24', 254, '10.96.0.1', '10.96.0.254', '10.96.0.16'],
  ['10.96.0.0/28', 14, '10.96.0.1', '10.96.0.14', '10.96.0.1'],
  ['fd00::/112', 65_535, 'fd00::1', 'fd00::ffff', 'fd00::100'],
])('counts the addresses of %s', (text, count, first, last, dynamic) => {
  const addresses = addressesOf(range(text));
  expect(addresses.count).toBe(count);
  expect(addresses.at(0)).toBe(first);
  expect(addresses.at(count - 1)).toBe(last);
  expect(addresses.at(addresses.lowerCount)).toBe(dynamic);
});

it.each([
  [30_000, 32_767, 86],
  [30_000, 30_015, 0],
  [30_000, 30_127, 16],
  [1, 65_535, 128],
])('leaves the first of ports %d to %d for who names them', (first, last, lowerCount) => {
  expect(portsOf({ first, last })).toMatchObject({ count: last - first + 1, lowerCount });
});

it('has no address at the ends of a range, nor beyond it', () => {
  const held = ['10.96.0.1', '10.96.0.14', '10.96.0.0', '10.96.0.15', '10.96.0.16', 'x', 'fd00::1'];
  expect(held.map((each) => isWithin(range('10.96.0.0/28'), each))).toEqual([
    ...[true, true],
    ...[false, false, false, false, false],
  ]);
});

it('gives each number once, the upper ones first, until there is none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer(), (size, seed) => {
      const ports = portsOf({ first: 1000, last: 999 + size });
      const random = seededRandom(seed);
      const used = new Set<number>();
      for (let i = 0; i < size; i++) {
        const port = anyFree(ports, (each) => used.has(each), random);
        expect(port).toBeDefined();
        expect(used.has(port ?? 0)).toBe(false);
        const isUpper = (port ?? 0) >= 1000 + ports.lowerCount;
        expect(isUpper).toBe(i < size - ports.lowerCount);
        used.add(port ?? 0);
      }
      expect(anyFree(ports, (each) => used.has(each), random)).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});
