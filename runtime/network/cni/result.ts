import { z } from 'zod';

import { formatIp, onePerFamily, parseCidr, type IpFamily } from '../../../lib/net/ip';

/** What plugins say they have made, as far as it is used here. Anything else in it is passed on unread. */
export interface CniResult {
  /** One of each family, those in `families` first. */
  readonly ips: readonly string[];
  /** The end of the link on the host; empty where the plugin names none. */
  readonly hostInterface: string;
}

/**
 * Pure: the addresses of the sandbox. @throws Error when the result is none, or holds no address.
 * @param families in the order of their importance
 */
export const readResult = (result: unknown, families: readonly IpFamily[]): CniResult => {
  const parsed = resultSchema.safeParse(result);
  if (!parsed.success) throw new Error('the result of the CNI network is not valid');
  const { interfaces, ips } = parsed.data;
  const own = ips.flatMap(({ address, interface: index }) => {
    const isOfHost = index !== undefined && interfaces[index]?.sandbox === '';
    const prefix = parseCidr(address);
    return isOfHost || typeof prefix === 'string' ? [] : [prefix.address];
  });
  const order: readonly IpFamily[] = [...families, 4, 6];
  const sorted = own.sort((a, b) => order.indexOf(a.family) - order.indexOf(b.family));
  const addresses = onePerFamily(sorted, ({ family }) => family).map(formatIp);
  if (addresses.length === 0) throw new Error('the CNI network has given no address');
  const links = interfaces.filter(({ sandbox, name }) => sandbox === '' && name !== '');
  // A bridge comes before the link to it.
  return { ips: addresses, hostInterface: links.at(-1)?.name ?? '' };
};

const MAX_ITEMS = 64;

const resultSchema = z.looseObject({
  interfaces: z
    .array(
      z.looseObject({
        name: z.string().max(64).default(''),
        sandbox: z.string().max(4096).default(''),
      }),
    )
    .max(MAX_ITEMS)
    .nullish()
    .transform((value) => value ?? []),
  ips: z
    .array(
      z.looseObject({
        address: z.string().max(64),
        interface: z
          .number()
          .int()
          .nullish()
          .transform((value) => value ?? undefined),
      }),
    )
    .max(MAX_ITEMS)
    .nullish()
    .transform((value) => value ?? []),
});
