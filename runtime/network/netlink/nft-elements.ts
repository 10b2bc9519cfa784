import type { IpFamily } from '../../../lib/net/ip';
import {
  commonHeader,
  familyHeader,
  NETFILTER_HEADER_BYTES,
  NFNL_SUBSYS_NFTABLES,
  nftMessage,
} from './netfilter';
import {
  attribute,
  cString,
  decodeAttributes,
  nestedAttribute,
  NLM_F_CREATE,
  u32be,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/** An element of a set, or of a map. */
export interface SetElement {
  readonly key: Uint8Array;
  /** Where the key is a range: its last. */
  readonly keyEnd?: Uint8Array;
  /** What a map has for it. */
  readonly data?: Uint8Array;
  /** The chain to go on in; absent in sets. */
  readonly goto?: string;
}

/** Two tables of different families may have one name. */
export interface NftTable {
  readonly family: IpFamily;
  readonly name: string;
}

interface SetOf {
  readonly table: NftTable;
  readonly set: string;
}

/** As one transaction. */
export const asTransaction = (requests: readonly NetlinkRequest[]): readonly NetlinkRequest[] => [
  bracket(NFNL_MSG_BATCH_BEGIN),
  ...requests,
  bracket(NFNL_MSG_BATCH_END),
];

/** Fails when one is there already with other data. */
export const addElements = (
  of: SetOf,
  elements: readonly SetElement[],
): readonly NetlinkRequest[] => elementRequests(of, elements, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

/** Fails when one is not there. */
export const deleteElements = (
  of: SetOf,
  elements: readonly SetElement[],
): readonly NetlinkRequest[] => elementRequests(of, elements, NFT_MSG_DELSETELEM, 0);

/** A part of a key of several: the kernel begins each at a multiple of four bytes. */
export const keyPart = (bytes: Uint8Array): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

export const getTable = (table: NftTable): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETTABLE),
  flags: 0,
  what: `table ${table.name}`,
  body: Buffer.concat([familyHeader(table), attribute(NFTA_TABLE_NAME, cString(table.name))]),
});

/** `handle` is another whenever a table is made anew; `useCount` counts its chains and sets. */
export const decodeTable = ({
  payload,
}: NetlinkMessage): { readonly handle: bigint; readonly useCount: number } => {
  const attributes = decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  return {
    handle: attributes.get(NFTA_TABLE_HANDLE)?.readBigUInt64BE() ?? 0n,
    useCount: attributes.get(NFTA_TABLE_USE)?.readUInt32BE() ?? 0,
  };
};

export const listRules = (table: NftTable): NetlinkRequest => ({
  type: nftMessage(NFT_MSG_GETRULE),
  flags: 0,
  what: `rules of table ${table.name}`,
  body: Buffer.concat([familyHeader(table), attribute(NFTA_RULE_TABLE, cString(table.name))]),
});

const elementRequests = (
  { table, set }: SetOf,
  elements: readonly SetElement[],
  type: number,
  flags: number,
): readonly NetlinkRequest[] => {
  const requests: NetlinkRequest[] = [];
  for (let first = 0; first < elements.length; first += ELEMENTS_PER_MESSAGE) {
    const some = elements.slice(first, first + ELEMENTS_PER_MESSAGE).map(encoded);
    requests.push({
      type: nftMessage(type),
      flags,
      what: `elements of ${set}`,
      body: Buffer.concat([
        familyHeader(table),
        attribute(NFTA_SET_ELEM_LIST_TABLE, cString(table.name)),
        attribute(NFTA_SET_ELEM_LIST_SET, cString(set)),
        nestedAttribute(NFTA_SET_ELEM_LIST_ELEMENTS, ...some),
      ]),
    });
  }
  return requests;
};

const encoded = ({ key, keyEnd, data, goto }: SetElement): Buffer =>
  nestedAttribute(
    NFTA_LIST_ELEM,
    nestedAttribute(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key)),
    ...(keyEnd === undefined
      ? []
      : [nestedAttribute(NFTA_SET_ELEM_KEY_END, attribute(NFTA_DATA_VALUE, keyEnd))]),
    ...(data === undefined
      ? []
      : [nestedAttribute(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, data))]),
    ...(goto === undefined
      ? []
      : [
          nestedAttribute(
            NFTA_SET_ELEM_DATA,
            nestedAttribute(
              NFTA_DATA_VERDICT,
              attribute(NFTA_VERDICT_CODE, u32be(NFT_GOTO)),
              attribute(NFTA_VERDICT_CHAIN, cString(goto)),
            ),
          ),
        ]),
  );

const bracket = (type: number): NetlinkRequest => ({
  type,
  flags: 0,
  what: 'transaction',
  isBracket: true,
  body: commonHeader(NFNL_SUBSYS_NFTABLES),
});

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_GETRULE = 7;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_USE = 3;
const NFTA_TABLE_HANDLE = 4;
const NFTA_RULE_TABLE = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
/** -4 */
const NFT_GOTO = 0xfffffffc;
/** An attribute holds at most 64 KiB. */
const ELEMENTS_PER_MESSAGE = 400;
