import type { IpFamily } from '../../../lib/net/ip';
import { afOf, AF_UNSPEC, u8 } from './wire';

/** `struct nfgenmsg`, which begins each message of netfilter: of one about a family of addresses. */
export const familyHeader = (about: { readonly family: IpFamily }): Buffer =>
  u8(afOf(about), NFNETLINK_V0, 0, 0);

/** The same of one about no family. */
export const commonHeader = (subsystem = 0): Buffer => u8(AF_UNSPEC, NFNETLINK_V0, 0, subsystem);

/** As long as each of both. */
export const NETFILTER_HEADER_BYTES = 4;

/** A message type of nftables. */
export const nftMessage = (type: number): number => (NFNL_SUBSYS_NFTABLES << 8) | type;

export const NFNL_SUBSYS_NFTABLES = 10;
const NFNETLINK_V0 = 0;
