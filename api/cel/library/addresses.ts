import { CelRuntimeError } from '../errors';
import {
  formatIp,
  masked,
  parseCidr,
  parseIp,
  prefixContains,
  sameIp,
  widthOf,
  type IpAddress,
  type IpPrefix,
} from '../../../lib/net/ip';
import { BOOL, INT, opaque, STRING, type CelType } from '../types';
import type { Meter } from '../meter';
import { CelOpaque } from '../values';
import { PARSE_COST } from './conversions';
import { fn, member, type Library, type Overload } from './function';

const IP: CelType<IpValue> = opaque('net.IP');
const CIDR: CelType<CidrValue> = opaque('net.CIDR');

class IpValue extends CelOpaque {
  readonly type: CelType = IP;

  constructor(readonly ip: IpAddress) {
    super();
  }

  override equals(other: CelOpaque): boolean {
    return other instanceof IpValue && sameIp(this.ip, other.ip);
  }
}

class CidrValue extends CelOpaque {
  readonly type: CelType = CIDR;

  constructor(readonly prefix: IpPrefix) {
    super();
  }

  override equals(other: CelOpaque): boolean {
    return (
      other instanceof CidrValue &&
      this.prefix.length === other.prefix.length &&
      sameIp(this.prefix.address, other.prefix.address)
    );
  }
}

const ipOf = (meter: Meter, text: string): IpAddress => {
  meter.charge(PARSE_COST);
  const ip = parseIp(text);
  if (typeof ip === 'string')
    throw new CelRuntimeError(`IP Address parse error during conversion from string: ${ip}`);
  return ip;
};

const cidrOf = (meter: Meter, text: string): IpPrefix => {
  meter.charge(PARSE_COST);
  const prefix = parseCidr(text);
  if (typeof prefix === 'string') throw new CelRuntimeError(prefix);
  return prefix;
};

const isRead = (read: (text: string) => object | string): readonly Overload[] => [
  fn([STRING], BOOL, (meter, text) => {
    meter.charge(PARSE_COST);
    return typeof read(text) !== 'string';
  }),
];

const contains = (outer: IpPrefix, inner: IpPrefix): boolean =>
  inner.length >= outer.length && prefixContains(outer, inner.address);

const isIp = (test: (ip: IpAddress) => boolean): readonly Overload[] => [
  member([IP], BOOL, (_meter, { ip }) => test(ip)),
];

/** Are the first bits those? */
const begins = ({ bits, ...ip }: IpAddress, length: number, prefix: bigint): boolean =>
  bits >> BigInt(widthOf({ ...ip, bits }) - length) === prefix;

const isLoopback = (ip: IpAddress): boolean =>
  ip.family === 4 ? begins(ip, 8, 127n) : ip.bits === 1n;
const isMulticast = (ip: IpAddress): boolean =>
  ip.family === 4 ? begins(ip, 4, 0xen) : begins(ip, 8, 0xffn);
const isLinkLocalUnicast = (ip: IpAddress): boolean =>
  ip.family === 4 ? begins(ip, 16, 0xa9fen) : begins(ip, 10, 0x3fan);
const isLinkLocalMulticast = (ip: IpAddress): boolean =>
  ip.family === 4 ? begins(ip, 24, 0xe00000n) : begins(ip, 16, 0xff02n);
const isBroadcast = (ip: IpAddress): boolean => ip.family === 4 && ip.bits === 0xffffffffn;

export const ADDRESS_LIBRARY: Library = {
  isIP: isRead(parseIp),
  isCIDR: isRead(parseCidr),
  ip: [
    fn([STRING], IP, (meter, text) => new IpValue(ipOf(meter, text))),
    member([CIDR], IP, (_meter, { prefix }) => new IpValue(prefix.address)),
  ],
  'ip.isCanonical': [fn([STRING], BOOL, (meter, text) => formatIp(ipOf(meter, text)) === text)],
  cidr: [fn([STRING], CIDR, (meter, text) => new CidrValue(cidrOf(meter, text)))],
  family: [member([IP], INT, (_meter, { ip }) => BigInt(ip.family))],
  isUnspecified: isIp(({ bits }) => bits === 0n),
  isLoopback: isIp(isLoopback),
  isLinkLocalMulticast: isIp(isLinkLocalMulticast),
  isLinkLocalUnicast: isIp(isLinkLocalUnicast),
  isGlobalUnicast: isIp(
    (ip) =>
      ip.bits !== 0n &&
      !isBroadcast(ip) &&
      !isLoopback(ip) &&
      !isMulticast(ip) &&
      !isLinkLocalUnicast(ip),
  ),
  containsIP: [
    member([CIDR, IP], BOOL, (_meter, { prefix }, { ip }) => prefixContains(prefix, ip)),
    member([CIDR, STRING], BOOL, (meter, { prefix }, text) =>
      prefixContains(prefix, ipOf(meter, text)),
    ),
  ],
  containsCIDR: [
    member([CIDR, CIDR], BOOL, (_meter, a, b) => contains(a.prefix, b.prefix)),
    member([CIDR, STRING], BOOL, (meter, { prefix }, text) =>
      contains(prefix, cidrOf(meter, text)),
    ),
  ],
  masked: [member([CIDR], CIDR, (_meter, { prefix }) => new CidrValue(masked(prefix)))],
  prefixLength: [member([CIDR], INT, (_meter, { prefix }) => BigInt(prefix.length))],
  string: [
    fn([IP], STRING, (_meter, { ip }) => formatIp(ip)),
    fn(
      [CIDR],
      STRING,
      (_meter, { prefix: { address, length } }) => `${formatIp(address)}/${length}`,
    ),
  ],
};
