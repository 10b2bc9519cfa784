/** An IPv4 range. Addresses are unsigned 32-bit numbers. */
export interface Ipv4Cidr {
  readonly base: number;
  readonly prefixLength: number;
}

/** Dotted quad to number; undefined for anything that is not exactly four decimal octets. */
export const parseIpv4 = (text: string): number | undefined => {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  const octets = match.slice(1).map(Number);
  if (octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((value, octet) => value * 256 + octet, 0);
};

export const formatIpv4 = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

/** `a.b.c.d/n` with no bit set below the prefix; undefined otherwise. */
export const parseCidr = (text: string): Ipv4Cidr | undefined => {
  const [addressText = '', lengthText = '', ...rest] = text.split('/');
  const base = parseIpv4(addressText);
  if (base === undefined || rest.length > 0 || !/^\d{1,2}$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  if (prefixLength > 32 || base % sizeOf(prefixLength) !== 0) return undefined;
  return { base, prefixLength };
};

export const formatCidr = ({ base, prefixLength }: Ipv4Cidr): string =>
  `${formatIpv4(base)}/${prefixLength}`;

/** How many addresses the range holds. */
export const cidrSize = ({ prefixLength }: Ipv4Cidr): number => sizeOf(prefixLength);

export const cidrContains = (cidr: Ipv4Cidr, address: number): boolean =>
  address >= cidr.base && address < cidr.base + cidrSize(cidr);

export const cidrsOverlap = (a: Ipv4Cidr, b: Ipv4Cidr): boolean =>
  cidrContains(a, b.base) || cidrContains(b, a.base);

const sizeOf = (prefixLength: number): number => 2 ** (32 - prefixLength);

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
