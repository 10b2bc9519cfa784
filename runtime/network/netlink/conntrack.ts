import { constants } from 'node:os';

import { ipBytes, type IpAddress, type IpFamily } from '../../../lib/net/ip';
import { familyHeader, NETFILTER_HEADER_BYTES } from './netfilter';
import {
  addressAmong,
  attribute,
  decodeAttributes,
  nestedAttribute as nested,
  u16be,
  u32,
  u8,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/**
 * Has the kernel forget which way datagrams to a port of an address went: those of a client that goes
 * on sending would for ever take the way that was right for the first of them.
 */
export const forgetDatagrams = (address: IpAddress, port: number): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
  flags: 0,
  what: `forget datagrams to port ${port}`,
  accepts: [constants.errno.ENOENT],
  body: Buffer.concat([
    familyHeader(address),
    nested(
      CTA_TUPLE_ORIG,
      nested(CTA_TUPLE_IP, attribute(fieldsOf(address).target, ipBytes(address))),
      nested(
        CTA_TUPLE_PROTO,
        attribute(CTA_PROTO_NUM, u8(IPPROTO_UDP)),
        attribute(CTA_PROTO_DST_PORT, u16be(port)),
      ),
    ),
    nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, u32(BY_TARGET))),
  ]),
});

/**
 * Has the kernel forget all that goes to an address by way of another: whoever sent to its last owner
 * through a port of the node would for ever send to the next.
 */
export const forgetFlowsTo = (address: IpAddress): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
  flags: 0,
  what: 'forget what was led to an address',
  accepts: [constants.errno.ENOENT],
  body: Buffer.concat([
    familyHeader(address),
    // Answers come from there.
    nested(
      CTA_TUPLE_REPLY,
      nested(CTA_TUPLE_IP, attribute(fieldsOf(address).source, ipBytes(address))),
    ),
    nested(CTA_FILTER, attribute(CTA_FILTER_REPLY_FLAGS, u32(BY_SOURCE))),
  ]),
});

/** A flow as the kernel tracks it. */
export interface TrackedFlow {
  /** Who opened it. */
  readonly source: IpAddress;
  /** Who answers: where it was led, if it was. */
  readonly destination: IpAddress;
  /** As an IP header has it. */
  readonly protocol: number;
  /** Of the destination; 0 where there are no ports. */
  readonly port: number;
  /** Whom it was opened to, before it was led. */
  readonly target: IpAddress;
  readonly targetPort: number;
  /** What `forgetFlow` knows it by. */
  readonly tuple: Buffer;
}

/** All of a family that are tracked. */
export const listFlows = (family: IpFamily): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
  flags: 0,
  what: 'list tracked flows',
  body: familyHeader({ family }),
});

/** Undefined for what is no flow between addresses. */
export const decodeFlow = ({ payload }: NetlinkMessage): TrackedFlow | undefined => {
  const attributes = decodeAttributes(payload.subarray(NETFILTER_HEADER_BYTES));
  const tuple = attributes.get(CTA_TUPLE_ORIG);
  const [opening, answer] = [tuple, attributes.get(CTA_TUPLE_REPLY)].map(addressOf);
  if (tuple === undefined || opening === undefined || answer === undefined) return undefined;
  const { source: destination, port, protocol } = answer;
  const { source, target, targetPort } = opening;
  return {
    ...{ source, destination, protocol, port, target, targetPort },
    tuple: Buffer.from(tuple),
  };
};

/** What comes of it next is a flow of its own. */
export const forgetFlow = ({
  source,
  tuple,
}: Pick<TrackedFlow, 'source' | 'tuple'>): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
  flags: 0,
  what: 'forget a flow',
  accepts: [constants.errno.ENOENT],
  body: Buffer.concat([familyHeader(source), nested(CTA_TUPLE_ORIG, tuple)]),
});

const addressOf = (tuple: Buffer | undefined) => {
  if (tuple === undefined) return undefined;
  const parts = decodeAttributes(tuple);
  const [ip, proto] = [parts.get(CTA_TUPLE_IP), parts.get(CTA_TUPLE_PROTO)];
  if (ip === undefined || proto === undefined) return undefined;
  const ends = decodeAttributes(ip);
  const source = addressAmong(ends, FIELDS_4.source, FIELDS_6.source);
  const target = addressAmong(ends, FIELDS_4.target, FIELDS_6.target);
  const of = decodeAttributes(proto);
  if (source === undefined || target === undefined) return undefined;
  return {
    source,
    target,
    targetPort: of.get(CTA_PROTO_DST_PORT)?.readUInt16BE() ?? 0,
    protocol: of.get(CTA_PROTO_NUM)?.readUInt8() ?? 0,
    port: of.get(CTA_PROTO_SRC_PORT)?.readUInt16BE() ?? 0,
  };
};

/** Attributes of the two addresses of a tuple: CTA_IP_V4_*, CTA_IP_V6_*. */
const FIELDS_4 = { source: 1, target: 2 };
const FIELDS_6 = { source: 3, target: 4 };
const fieldsOf = ({ family }: IpAddress) => (family === 4 ? FIELDS_4 : FIELDS_6);

const IPPROTO_UDP = 17;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Which parts of the tuple count: source address; destination address, protocol, destination port. */
const BY_SOURCE = 1;
const BY_TARGET = (1 << 1) | (1 << 3) | (1 << 5);
