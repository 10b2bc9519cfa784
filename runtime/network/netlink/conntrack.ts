import { constants } from 'node:os';

import { attribute, ipv4Bytes, u16be, u32, u8, type NetlinkRequest } from './wire';

/**
 * Has the kernel forget which way datagrams to a port of an address went: those of a client that goes
 * on sending would for ever take the way that was right for the first of them.
 */
export const forgetDatagrams = (address: number, port: number): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
  flags: 0,
  what: `forget datagrams to port ${port}`,
  accepts: [constants.errno.ENOENT],
  body: Buffer.concat([
    u8(AF_INET, NFNETLINK_V0, 0, 0),
    nested(
      CTA_TUPLE_ORIG,
      nested(CTA_TUPLE_IP, attribute(CTA_IP_V4_DST, ipv4Bytes(address))),
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
export const forgetFlowsTo = (address: number): NetlinkRequest => ({
  type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
  flags: 0,
  what: 'forget what was led to an address',
  accepts: [constants.errno.ENOENT],
  body: Buffer.concat([
    u8(AF_INET, NFNETLINK_V0, 0, 0),
    // Answers come from there.
    nested(CTA_TUPLE_REPLY, nested(CTA_TUPLE_IP, attribute(CTA_IP_V4_SRC, ipv4Bytes(address)))),
    nested(CTA_FILTER, attribute(CTA_FILTER_REPLY_FLAGS, u32(BY_SOURCE))),
  ]),
});

const nested = (type: number, ...payload: readonly Uint8Array[]): Buffer =>
  attribute(type | NLA_F_NESTED, ...payload);

const NLA_F_NESTED = 0x8000;
const AF_INET = 2;
const NFNETLINK_V0 = 0;
const IPPROTO_UDP = 17;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
const BY_SOURCE = 1;
/** Which parts of the tuple count: destination address, protocol, destination port. */
const BY_TARGET = (1 << 1) | (1 << 3) | (1 << 5);
