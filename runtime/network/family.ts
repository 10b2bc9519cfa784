import { type IpFamily } from '../../lib/net/ip';

/** How nftables says things of one family of addresses. */
export interface NftFamily {
  readonly family: IpFamily;
  /** Of its tables, and of the fields of its header: `ip saddr`. */
  readonly word: 'ip' | 'ip6';
  readonly type: 'ipv4_addr' | 'ipv6_addr';
  readonly loopback: string;
  readonly multicast: string;
  /** Names its answers: `reject with icmp port-unreachable`. */
  readonly icmp: 'icmp' | 'icmpv6';
}

const NFT_FAMILIES: Readonly<Record<IpFamily, NftFamily>> = {
  4: {
    family: 4,
    word: 'ip',
    type: 'ipv4_addr',
    loopback: '127.0.0.0/8',
    multicast: '224.0.0.0/4',
    icmp: 'icmp',
  },
  6: {
    family: 6,
    word: 'ip6',
    type: 'ipv6_addr',
    loopback: '::1',
    multicast: 'ff00::/8',
    icmp: 'icmpv6',
  },
};

export const nftOf = (family: IpFamily): NftFamily => NFT_FAMILIES[family];

export const IP_FAMILIES: readonly IpFamily[] = [4, 6];

/** Of our chains that drop what is passed on: in front of all others' that do, which `ForeignDrops` watches. */
export const FORWARD_PRIORITY = 'filter - 10';
