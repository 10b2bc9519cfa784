const NODE_PREFIX_LENGTH = 24;

/**
 * The first /24 of `clusterCidr` that is not in `used`. @throws Error when the range is malformed or
 * exhausted.
 */
export const allocatePodCidr = (clusterCidr: string, used: ReadonlySet<string>): string => {
  const { base, prefixLength } = parseCidr(clusterCidr);
  const count = 2 ** (NODE_PREFIX_LENGTH - prefixLength);
  for (let index = 0; index < count; index++) {
    const cidr = `${formatAddress(base + index * 256)}/${NODE_PREFIX_LENGTH}`;
    if (!used.has(cidr)) return cidr;
  }
  throw new Error(`no free /24 is left in ${clusterCidr}: all ${count} are in use by nodes`);
};

const parseCidr = (cidr: string): { readonly base: number; readonly prefixLength: number } => {
  const [address = '', length = ''] = cidr.split('/');
  const base = parseAddress(address);
  const prefixLength = Number(length);
  if (base === undefined || !/^\d{1,2}$/.test(length) || prefixLength > NODE_PREFIX_LENGTH)
    throw new Error(`invalid cluster range ${cidr}: expected IPv4 with a prefix of at most /24`);
  const sizeBytes = 2 ** (32 - prefixLength);
  return { base: Math.floor(base / sizeBytes) * sizeBytes, prefixLength };
};

const parseAddress = (text: string): number | undefined => {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
};

const formatAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
