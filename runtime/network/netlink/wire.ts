import { ipOfBytes, type IpAddress, type IpFamily } from '../../../lib/net/ip';

/** One request to rtnetlink: a fixed header that depends on the type, then attributes. */
export interface NetlinkRequest {
  readonly type: number;
  /** `NLM_F_*` beyond REQUEST and ACK. */
  readonly flags: number;
  readonly body: Uint8Array;
  /** Names the request in errors. */
  readonly what: string;
  /** Error numbers that count as success: the thing is already there, or already gone. */
  readonly accepts?: readonly number[];
  /** Begins or ends a transaction, and is not answered by itself. */
  readonly isBracket?: boolean;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** After the netlink header. */
  readonly payload: Buffer;
}

export const encodeRequest = (
  { type, flags, body }: NetlinkRequest,
  sequence: number,
  extraFlags: number,
): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | NLM_F_REQUEST | extraFlags, 6);
  header.writeUInt32LE(sequence, 8);
  return padded(Buffer.concat([header, body]));
};

/** The messages of one datagram. A length that lies ends the walk. */
export const decodeMessages = (datagram: Buffer): NetlinkMessage[] => {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return messages;
};

export const attribute = (type: number, ...payload: readonly Uint8Array[]): Buffer => {
  const data = Buffer.concat(payload);
  const header = Buffer.alloc(ATTRIBUTE_HEADER_BYTES);
  header.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + data.length, 0);
  header.writeUInt16LE(type, 2);
  return padded(Buffer.concat([header, data]));
};

export const nestedAttribute = (type: number, ...payload: readonly Uint8Array[]): Buffer =>
  attribute(type | NLA_F_NESTED, ...payload);

/** By type; the last of a kind wins. */
export const decodeAttributes = (bytes: Buffer): ReadonlyMap<number, Buffer> =>
  new Map(listAttributes(bytes));

/** What the first of these types that is there holds; undefined when it is no address, or none is there. */
export const addressAmong = (
  attributes: ReadonlyMap<number, Buffer>,
  ...types: readonly number[]
): IpAddress | undefined => {
  const bytes = types.map((type) => attributes.get(type)).find((found) => found !== undefined);
  return bytes === undefined ? undefined : ipOfBytes(bytes);
};

/** In their order, also where there are many of a kind. */
export const listAttributes = (bytes: Buffer): readonly (readonly [number, Buffer])[] => {
  const attributes: [number, Buffer][] = [];
  for (let at = 0; at + ATTRIBUTE_HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    const type = bytes.readUInt16LE(at + 2) & ATTRIBUTE_TYPE_MASK;
    attributes.push([type, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length)]);
    at += aligned(length);
  }
  return attributes;
};

export const u8 = (...values: readonly number[]): Buffer => Buffer.from(values);

export const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

export const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

export const u16be = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};

export const u32be = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

export const cString = (text: string): Buffer => Buffer.from(`${text}\0`);

export const fromCString = (bytes: Buffer): string => bytes.toString('utf8').replace(/\0.*$/s, '');

const aligned = (length: number): number => (length + 3) & ~3;

const padded = (bytes: Buffer): Buffer =>
  bytes.length % 4 === 0
    ? bytes
    : Buffer.concat([bytes, Buffer.alloc(aligned(bytes.length) - bytes.length)]);

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const NLM_F_REQUEST = 0x1;

export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** As the kernel counts families. */
export const afOf = ({ family }: Pick<IpAddress, 'family'>): number =>
  family === 4 ? AF_INET : AF_INET6;

/** Undefined for what is neither IPv4 nor IPv6. */
export const familyOfAf = (af: number): IpFamily | undefined =>
  af === AF_INET ? 4 : af === AF_INET6 ? 6 : undefined;
