import {
  attribute,
  cString,
  decodeAttributes,
  u8,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/**
 * Asks for the number that a family of generic netlink has on this machine; the kernel loads its module if
 * there is one. Refused with ENOENT where the kernel has no such family.
 * Source: Documentation/netlink/specs/nlctrl.yaml
 */
export const getFamily = (name: string): NetlinkRequest => ({
  type: GENL_ID_CTRL,
  flags: 0,
  what: `look up netlink family ${name}`,
  body: Buffer.concat([
    genericHeader(CTRL_CMD_GETFAMILY, CTRL_VERSION),
    attribute(CTRL_ATTR_FAMILY_NAME, cString(name)),
  ]),
});

export const decodeFamily = ({ payload }: NetlinkMessage): number | undefined =>
  decodeAttributes(payload.subarray(GENERIC_HEADER_BYTES)).get(CTRL_ATTR_FAMILY_ID)?.readUInt16LE();

/** `struct genlmsghdr`, which begins each message of generic netlink. */
export const genericHeader = (command: number, version: number): Buffer =>
  u8(command, version, 0, 0);

export const GENERIC_HEADER_BYTES = 4;
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_VERSION = 2;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
