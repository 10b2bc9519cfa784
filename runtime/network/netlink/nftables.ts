import { decodeAttributes, u8, type NetlinkMessage, type NetlinkRequest } from './wire';

/** Asks for the number of the current rule set, which every change of any table raises by one. */
export const getGeneration = (): NetlinkRequest => ({
  type: (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
  flags: 0,
  what: 'generation of the firewall rules',
  body: u8(AF_UNSPEC, NFNETLINK_V0, 0, 0),
});

export const decodeGeneration = ({ payload }: NetlinkMessage): number | undefined =>
  decodeAttributes(payload.subarray(NFGENMSG_BYTES)).get(NFTA_GEN_ID)?.readUInt32BE();

const AF_UNSPEC = 0;
const NFNETLINK_V0 = 0;
const NFGENMSG_BYTES = 4;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
