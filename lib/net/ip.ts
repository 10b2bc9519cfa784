import { isIPv4, isIPv6 } from 'node:net';

export type IpFamily = 4 | 6;

/** The one place that knows how long addresses are and how they are written. */
export interface IpAddress {
  readonly family: IpFamily;
  readonly bits: bigint;
}

export interface IpPrefix {
  readonly address: IpAddress;
  readonly length: number;
}

/** An address, or why it is none. Neither zones nor IPv4 in IPv6 are taken, as upstream. */
export const parseIp = (text: string): IpAddress | string => {
  if (text.length > TEXT_MAX) return `ParseAddr("${text.slice(0, TEXT_MAX)}"): unable to parse IP`;
  if (isIPv4(text)) return { family: 4, bits: bitsOf4(text) };
  if (!isIPv6(text)) return `ParseAddr("${text}"): unable to parse IP`;
  if (text.includes('%')) return `IP address ${JSON_QUOTE(text)} with zone value is not allowed`;
  const bits = bitsOf6(text);
  if (bits >> 32n === 0xffffn) return `IPv4-mapped IPv6 address ${JSON_QUOTE(text)} is not allowed`;
  return { family: 6, bits };
};

/** `10.0.0.0/8`; bits beyond the prefix may be set. */
export const parseCidr = (text: string): IpPrefix | string => {
  const slash = text.lastIndexOf('/');
  const wrong = `network address parse error during conversion from string: netip.ParsePrefix(${JSON_QUOTE(text.slice(0, TEXT_MAX))})`;
  if (slash < 0) return `${wrong}: no '/'`;
  const address = parseIp(text.slice(0, slash));
  if (typeof address === 'string') return `${wrong}: ${address}`;
  const digits = text.slice(slash + 1);
  const length = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : NaN;
  if (!(length <= widthOf(address))) return `${wrong}: prefix length out of range`;
  return { address, length };
};

/** The address; undefined when it is none. */
export const ipOf = (text: string): IpAddress | undefined => {
  const ip = parseIp(text);
  return typeof ip === 'string' ? undefined : ip;
};

/** Undefined for what is no address. */
export const familyOf = (text: string): IpFamily | undefined =>
  isIPv4(text) ? 4 : ipOf(text)?.family;

/** The canonical text of an address of that family; undefined for all else. */
export const textIn = (family: IpFamily, text: string): string | undefined => {
  if (isIPv4(text)) return family === 4 ? text : undefined;
  const ip = family === 6 ? ipOf(text) : undefined;
  return ip === undefined ? undefined : formatIp(ip);
};

/** `10.0.0.0/8` with no bit set beyond the prefix; undefined otherwise. */
export const rangeOf = (text: string): IpPrefix | undefined => {
  const range = parseCidr(text);
  if (typeof range === 'string') return undefined;
  return masked(range).address.bits === range.address.bits ? range : undefined;
};

/** The same of what has bits set beyond it. */
export const networkOf = (text: string): IpPrefix | undefined => {
  const range = parseCidr(text);
  return typeof range === 'string' ? undefined : masked(range);
};

/** The first of each family, in their order. */
export const onePerFamily = <T>(
  all: readonly T[],
  family: (one: T) => IpFamily | undefined,
): readonly T[] =>
  all.filter((one, i) => {
    const own = family(one);
    return own !== undefined && all.findIndex((other) => family(other) === own) === i;
  });

/** `HOST:PORT`, where an IPv6 address needs brackets. */
export const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

export const widthOf = ({ family }: IpAddress): number => (family === 4 ? 32 : 128);

export const sameIp = (a: IpAddress, b: IpAddress): boolean =>
  a.family === b.family && a.bits === b.bits;

/** The same prefix with nothing set beyond it. */
export const masked = ({ address, length }: IpPrefix): IpPrefix => {
  const shift = BigInt(widthOf(address) - length);
  return { address: { ...address, bits: (address.bits >> shift) << shift }, length };
};

export const prefixContains = ({ address, length }: IpPrefix, ip: IpAddress): boolean => {
  if (address.family !== ip.family) return false;
  const shift = BigInt(widthOf(address) - length);
  return address.bits >> shift === ip.bits >> shift;
};

/** The same of texts; nothing is in what is no range, and what is no address is nowhere. */
export const cidrContains = (cidr: string, address: string): boolean => {
  const [prefix, ip] = [parseCidr(cidr), parseIp(address)];
  return typeof prefix !== 'string' && typeof ip !== 'string' && prefixContains(prefix, ip);
};

export const prefixesOverlap = (a: IpPrefix, b: IpPrefix): boolean =>
  prefixContains(a, b.address) || prefixContains(b, a.address);

/** The address alone, as a range. */
export const hostPrefix = (address: IpAddress): IpPrefix => ({
  address,
  length: widthOf(address),
});

/** How many addresses the range holds. */
export const prefixSize = ({ address, length }: IpPrefix): bigint =>
  1n << BigInt(widthOf(address) - length);

/** The address that many after the range's own. */
export const ipAt = ({ address }: IpPrefix, offset: number | bigint): IpAddress => ({
  ...address,
  bits: address.bits + BigInt(offset),
});

export const lastOf = (range: IpPrefix): IpAddress => ipAt(range, prefixSize(range) - 1n);

/** From the first to the last, which belong to it. */
export const prefixBetween = (first: IpAddress, last: IpAddress): IpPrefix => {
  const spread = first.bits ^ last.bits;
  const free = spread === 0n ? 0 : spread.toString(2).length;
  return { address: first, length: widthOf(first) - free };
};

/** As it travels: four bytes, or sixteen. */
export const ipBytes = ({ family, bits }: IpAddress): Buffer =>
  Buffer.from(bits.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');

/** Undefined when they are neither four nor sixteen. */
export const ipOfBytes = (bytes: Uint8Array): IpAddress | undefined => {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  return {
    family: bytes.length === 4 ? 4 : 6,
    bits: BigInt(`0x${Buffer.from(bytes).toString('hex')}`),
  };
};

/** The address of the range itself, or of all that are in it: nobody can have those. */
export const isEdge = (range: IpPrefix, { family, bits }: IpAddress): boolean => {
  const offset = bits - masked(range).address.bits;
  return offset === 0n || (family === 4 && offset === prefixSize(range) - 1n);
};

/** In the canonical form: RFC 5952 for IPv6. */
export const formatIp = ({ family, bits }: IpAddress): string =>
  family === 4 ? parts(bits, 4, 8n).join('.') : formatIp6(parts(bits, 8, 16n));

/** `10.0.0.0/8` */
export const formatPrefix = ({ address, length }: IpPrefix): string =>
  `${formatIp(address)}/${length}`;

/** Zero: no address, or all of them. */
export const isUnspecified = ({ bits }: IpAddress): boolean => bits === 0n;

/** Of one link, and of no use beyond it. */
export const isLinkLocal = (address: IpAddress): boolean =>
  LINK_LOCAL.some((range) => prefixContains(range, address));

const parts = (bits: bigint, count: number, width: bigint): readonly number[] =>
  Array.from({ length: count }, (_, i) =>
    Number((bits >> (BigInt(count - 1 - i) * width)) & ((1n << width) - 1n)),
  );

const formatIp6 = (groups: readonly number[]): string => {
  const hex = groups.map((group) => group.toString(16));
  const { start, length } = longestZeros(groups);
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
};

const longestZeros = (groups: readonly number[]): { start: number; length: number } => {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
};

const bitsOf4 = (text: string): bigint =>
  text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);

const bitsOf6 = (text: string): bigint => {
  const [head = '', tail] = text.split('::');
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...zeros, ...after].reduce((bits, group) => (bits << 16n) | group, 0n);
};

const groupsOf = (text: string): bigint[] =>
  text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (!group.includes('.')) return [BigInt(`0x${group}`)];
        const bits = bitsOf4(group);
        return [bits >> 16n, bits & 0xffffn];
      });

const TEXT_MAX = 64;
const JSON_QUOTE = (text: string): string => `"${text}"`;
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].flatMap((text) => networkOf(text) ?? []);
