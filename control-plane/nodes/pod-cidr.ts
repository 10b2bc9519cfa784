import { formatPrefix, ipAt, networkOf, prefixSize } from '../../lib/net/ip';

/**
 * One range for a node from each of `clusterCidrs` that is in `used` by nobody. Source: upstream's
 * --node-cidr-mask-size-ipv4 and -ipv6, their defaults.
 * @throws Error when a range is malformed or exhausted
 */
export const allocatePodCidrs = (
  clusterCidrs: readonly string[],
  used: ReadonlySet<string>,
): readonly string[] => clusterCidrs.map((cidr) => allocatePodCidr(cidr, used));

const allocatePodCidr = (clusterCidr: string, used: ReadonlySet<string>): string => {
  const range = networkOf(clusterCidr);
  const length = NODE_PREFIX_LENGTHS[range?.address.family ?? 4];
  if (range === undefined || range.length > length)
    throw new Error(
      `invalid cluster range ${clusterCidr}: expected a prefix of at most /${length}`,
    );
  const count = 2 ** (length - range.length);
  const step = prefixSize({ ...range, length });
  for (let index = 0; index < count; index++) {
    const cidr = formatPrefix({ address: ipAt(range, BigInt(index) * step), length });
    if (!used.has(cidr)) return cidr;
  }
  throw new Error(`no free /${length} is left in ${clusterCidr}: all ${count} are in use by nodes`);
};

const NODE_PREFIX_LENGTHS = { 4: 24, 6: 64 } as const;
