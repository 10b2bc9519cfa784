import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { parseCidr } from '../../lib/net/ip';
import { invalid, type FieldError } from './field-error';

/** Addresses of machines. Source of the words: upstream's pkg/apis/core/validation. */
export const validateIp = (address: string | undefined, field: string): readonly FieldError[] =>
  isIP(address ?? '') > 0
    ? []
    : [
        invalid(
          field,
          address ?? '',
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      ];

/** Where a name is wanted: addresses are also read with zeros in front of their numbers, and never with a zone. */
export const validateNoIp = (host: string, field: string): readonly FieldError[] =>
  host.includes('%') || isIP(withoutZeros(host)) === 0
    ? []
    : [invalid(field, host, 'must be a DNS name, not an IP address')];

const withoutZeros = (text: string): string =>
  /^[\d.]+$/.test(text) ? text.replace(/(?<!\d)0+(?=\d)/g, '') : text;

/** A range of addresses, as `10.9.8.0/24`: bits beyond the prefix are allowed. */
export const validateCidr = (range: string, field: string): readonly FieldError[] =>
  typeof parseCidr(range) === 'string'
    ? [invalid(field, range, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
    : [];

export const validateIpv4 = (address: string, field: string): readonly FieldError[] =>
  isIPv4(address) ? [] : [invalid(field, address, 'must be a valid IPv4 address')];

export const validateIpv6 = (address: string, field: string): readonly FieldError[] =>
  isIPv6(address) ? [] : [invalid(field, address, 'must be a valid IPv6 address')];

/** What is reached at it differs with who asks: a machine's own loopback, its metadata service. */
export const validateNonSpecialIp = (
  address: string | undefined,
  field: string,
): readonly FieldError[] => {
  const family = isIP(address ?? '');
  if (address === undefined || family === 0)
    return [invalid(field, address ?? '', 'must be a valid IP address')];
  return SPECIAL.filter(({ list }) => list.check(address, family === 4 ? 'ipv4' : 'ipv6')).map(
    ({ why }) => invalid(field, address, why),
  );
};

type Subnet = readonly [network: string, prefixLength: number];

const special = (why: string, four: Subnet, six: Subnet) => {
  const list = new BlockList();
  list.addSubnet(...four, 'ipv4');
  list.addSubnet(...six, 'ipv6');
  return { why, list };
};

const SPECIAL = [
  special('may not be unspecified (0.0.0.0 or ::)', ['0.0.0.0', 32], ['::', 128]),
  special(
    'may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ['127.0.0.0', 8],
    ['::1', 128],
  ),
  special(
    'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ),
  special(
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    ['224.0.0.0', 24],
    ['ff02::', 16],
  ),
];
