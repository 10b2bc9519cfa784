import { commonHeader, NETFILTER_HEADER_BYTES, nftMessage } from './netfilter';
import {
  attribute,
  cString,
  decodeAttributes,
  fromCString,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/** A chain of any table of nftables. */
export interface NftChain {
  /** As nft names it. */
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly name: string;
  /** Undefined where others jump to it. */
  readonly hook: string | undefined;
  readonly drops: boolean;
}

/** The named counters of a table, in the order in which they were made. */
export const listCounters = (table: string): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETOBJ),
  flags: 0,
  what: `list counters of ${table}`,
  body: Buffer.concat([commonHeader(), attribute(NFTA_OBJ_TABLE, cString(table))]),
});

/** Name and packets; undefined for an object of another kind. */
export const decodeCounter = ({
  payload,
}: NetlinkMessage): readonly [string, number] | undefined => {
  const attributes = decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  const name = attributes.get(NFTA_OBJ_NAME);
  const data = decodeAttributes(attributes.get(NFTA_OBJ_DATA) ?? EMPTY);
  const packets = data.get(NFTA_COUNTER_PACKETS);
  if (name === undefined || packets?.length !== 8) return undefined;
  return [fromCString(name), Number(packets.readBigUInt64BE())];
};

/** Of all tables of all families. */
export const listAllChains = (): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETCHAIN),
  flags: 0,
  what: 'list chains',
  body: commonHeader(),
});

/** Undefined for one of a family that passes no IP on. */
export const decodeChain = ({ payload }: NetlinkMessage): NftChain | undefined => {
  const family = FAMILIES.get(payload[0] ?? 0);
  const attributes = decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  const [table, name] = [attributes.get(NFTA_CHAIN_TABLE), attributes.get(NFTA_CHAIN_NAME)];
  if (family === undefined || table === undefined || name === undefined) return undefined;
  const hook = decodeAttributes(attributes.get(NFTA_CHAIN_HOOK) ?? EMPTY).get(NFTA_HOOK_HOOKNUM);
  const policy = attributes.get(NFTA_CHAIN_POLICY);
  return {
    ...{ family, table: fromCString(table), name: fromCString(name) },
    hook: hook?.length === 4 ? HOOKS[hook.readUInt32BE()] : undefined,
    drops: policy?.length === 4 && policy.readUInt32BE() === NF_DROP,
  };
};

const EMPTY = Buffer.alloc(0);
const NFT_MSG_GETCHAIN = 4;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_HOOK_HOOKNUM = 1;
const NF_DROP = 0;
const NFT_MSG_GETOBJ = 19;
const NFTA_OBJ_TABLE = 1;
const NFTA_OBJ_NAME = 2;
const NFTA_OBJ_DATA = 4;
const NFTA_COUNTER_PACKETS = 2;
const FAMILIES = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [10, 'ip6'],
] as const) as ReadonlyMap<number, NftChain['family']>;
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'];
