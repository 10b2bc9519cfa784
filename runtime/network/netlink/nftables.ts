import { commonHeader, NETFILTER_HEADER_BYTES, nftMessage } from './netfilter';
import { decodeAttributes, type NetlinkMessage, type NetlinkRequest } from './wire';

/** Asks for the number of the current rule set, which every change of any table raises by one. */
export const getGeneration = (): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETGEN),
  flags: 0,
  what: 'generation of the firewall rules',
  body: commonHeader(),
});

export const decodeGeneration = ({ payload }: NetlinkMessage): number | undefined =>
  decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES)).get(NFTA_GEN_ID)?.readUInt32BE();

const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
