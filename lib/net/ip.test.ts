import fc from 'fast-check';
import {
  familyOf,
  formatIp,
  formatPrefix,
  ipBytes,
  ipOf,
  ipOfBytes,
  lastOf,
  networkOf,
  prefixBetween,
  prefixContains,
  prefixesOverlap,
  rangeOf,
  textIn,
  type IpAddress,
} from './ip';

const addresses: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((bits) => ({ family: 4 as const, bits })),
  fc
    .bigInt({ min: 1n << 96n, max: (1n << 128n) - 1n })
    .map((bits) => ({ family: 6 as const, bits })),
);

it('has each address as text and as bytes, and back', () => {
  fc.assert(
    fc.property(addresses, (address) => {
      expect(ipOf(formatIp(address))).toEqual(address);
      expect(ipOfBytes(ipBytes(address))).toEqual(address);
      expect(familyOf(formatIp(address))).toBe(address.family);
      expect(textIn(address.family, formatIp(address))).toBe(formatIp(address));
    }),
  );
});

it('finds a range again from its first and last address', () => {
  fc.assert(
    fc.property(addresses, fc.nat(128), (address, length) => {
      const width = address.family === 4 ? 32 : 128;
      const range = networkOf(`${formatIp(address)}/${Math.min(length, width)}`)!;
      expect(prefixContains(range, address)).toBe(true);
      expect(prefixBetween(range.address, lastOf(range))).toEqual(range);
      expect(rangeOf(formatPrefix(range))).toEqual(range);
    }),
  );
});

it.each(['', '1.2.3', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', '::ffff:1.2.3.4', 'fe80::1%eth0'])(
  'knows that %j is no address',
  (text) => expect(familyOf(text)).toBeUndefined(),
);

it.each(['10.0.0.1/24', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', 'fd00::1/64', 'fd00::/129'])(
  'knows that %j is no range',
  (text) => expect(rangeOf(text)).toBeUndefined(),
);

it.each([
  ['10.0.0.0/8', '10.9.0.0/16', true],
  ['10.1.0.0/16', '10.2.0.0/16', false],
  ['fd00::/16', 'fd00:1::/64', true],
  ['0.0.0.0/0', '::/0', false],
])('tells whether %s and %s overlap', (a, b, overlap) => {
  expect(prefixesOverlap(rangeOf(a)!, rangeOf(b)!)).toBe(overlap);
});

it('has one text for an address of a family, and none for the other', () => {
  expect(textIn(6, 'FD00:0::1')).toBe('fd00::1');
  expect(textIn(4, 'fd00::1')).toBeUndefined();
  expect(textIn(6, '10.0.0.1')).toBeUndefined();
});
