import { familyHeader, NETFILTER_HEADER_BYTES, nftMessage } from './netfilter';
import { type NftTable } from './nft-elements';
import {
  attribute,
  cString,
  decodeAttributes,
  fromCString,
  listAttributes,
  u8,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/** An element as the kernel keeps it. */
export interface KeptElement {
  readonly key: Buffer;
  /** Where the key is a range: its last. */
  readonly keyEnd?: Buffer;
  /** Absent in sets, and where there is a chain to go on in. */
  readonly data?: Buffer;
  readonly chain?: string;
}

export const listElements = (table: NftTable, set: string): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETSETELEM),
  flags: 0,
  what: `list elements of ${set}`,
  body: Buffer.concat([
    familyHeader(table),
    attribute(NFTA_SET_ELEM_LIST_TABLE, cString(table.name)),
    attribute(NFTA_SET_ELEM_LIST_SET, cString(set)),
  ]),
});

/** Each message has many. `chain`: what a verdict leads to. */
export const decodeElements = ({ payload }: NetlinkMessage): readonly KeptElement[] => {
  const attributes = decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  return listAttributes(attributes.get(NFTA_SET_ELEM_LIST_ELEMENTS) ?? EMPTY).map(([, element]) => {
    const parts = decodeAttributes(element);
    const valueOf = (type: number): Buffer | undefined =>
      decodeAttributes(parts.get(type) ?? EMPTY).get(NFTA_DATA_VALUE);
    const [keyEnd, data] = [valueOf(NFTA_SET_ELEM_KEY_END), valueOf(NFTA_SET_ELEM_DATA)];
    const verdict = decodeAttributes(parts.get(NFTA_SET_ELEM_DATA) ?? EMPTY);
    const chain = decodeAttributes(verdict.get(NFTA_DATA_VERDICT) ?? EMPTY).get(NFTA_VERDICT_CHAIN);
    return {
      key: valueOf(NFTA_SET_ELEM_KEY) ?? EMPTY,
      ...(keyEnd === undefined ? {} : { keyEnd }),
      ...(data === undefined ? {} : { data }),
      ...(chain === undefined ? {} : { chain: fromCString(chain) }),
    };
  });
};

/** What a rule does, and where, as bytes to compare; undefined for one of another table. */
export const ruleBytes = ({ payload }: NetlinkMessage, table: string): Buffer | undefined =>
  bytesOf(payload, table, NFTA_RULE_HANDLE, NFTA_RULE_POSITION);

/** Of all tables of its family. */
export const listChains = (table: NftTable): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETCHAIN),
  flags: 0,
  what: 'list chains',
  body: familyHeader(table),
});

/** The same for a chain. */
export const chainBytes = ({ payload }: NetlinkMessage, table: string): Buffer | undefined =>
  bytesOf(payload, table, NFTA_CHAIN_HANDLE, NFTA_CHAIN_ID);

export const listSets = (table: NftTable): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETSET),
  flags: 0,
  what: `list sets of ${table.name}`,
  body: Buffer.concat([familyHeader(table), attribute(NFTA_SET_TABLE, cString(table.name))]),
});

export const decodeSetName = ({ payload }: NetlinkMessage): string =>
  fromCString(
    decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES)).get(NFTA_SET_NAME) ?? EMPTY,
  );

/** The first attribute is the table's name in rules and chains alike. */
const bytesOf = (
  payload: Buffer,
  table: string,
  ...left: readonly number[]
): Buffer | undefined => {
  const attributes = listAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  const owner = attributes.find(([type]) => type === NFTA_RULE_TABLE)?.[1];
  if (owner === undefined || fromCString(owner) !== table) return undefined;
  return Buffer.concat(
    attributes.flatMap(([type, bytes]) => (left.includes(type) ? [] : [u8(type), bytes])),
  );
};

const EMPTY = Buffer.alloc(0);
const NFT_MSG_GETCHAIN = 4;
const NFT_MSG_GETSET = 10;
const NFT_MSG_GETSETELEM = 13;
const NFTA_CHAIN_HANDLE = 2;
const NFTA_CHAIN_ID = 11;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_HANDLE = 3;
const NFTA_RULE_POSITION = 6;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CHAIN = 2;
