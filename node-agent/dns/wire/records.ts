import { isIPv4, isIPv6 } from 'node:net';
import { CLASS_IN, HEADER_BYTES, TYPE } from './constants';
import { encodeName } from './names';

/** The bytes of records. An owner that is undefined is the name that was asked for. */

export const addressRecord = (
  address: string,
  ttlSeconds: number,
  owner?: Buffer,
): Buffer | undefined => {
  const data = addressBytes(address);
  if (data === undefined) return undefined;
  return record(owner, data.length === 4 ? TYPE.A : TYPE.AAAA, ttlSeconds, data);
};

export const nameRecord = (type: number, target: Buffer, ttlSeconds: number): Buffer =>
  record(undefined, type, ttlSeconds, target);

export const serviceRecord = (
  port: number,
  weight: number,
  target: Buffer,
  ttlSeconds: number,
): Buffer => {
  const data = Buffer.alloc(6 + target.length);
  data.writeUInt16BE(weight, 2);
  data.writeUInt16BE(port, 4);
  // Not compressed: RFC 2782.
  target.copy(data, 6);
  return record(undefined, TYPE.SRV, ttlSeconds, data);
};

export const textRecord = (text: string, ttlSeconds: number): Buffer =>
  record(undefined, TYPE.TXT, ttlSeconds, characterString(text));

/** To whoever asks for everything. Source: RFC 8482. */
export const anyRecord = (ttlSeconds: number): Buffer => {
  const data = Buffer.concat([characterString('RFC8482'), characterString('')]);
  return record(undefined, TYPE.HINFO, ttlSeconds, data);
};

export interface StartOfAuthority {
  readonly owner: Buffer;
  readonly server: Buffer;
  readonly contact: Buffer;
  readonly serial: number;
  /** For how long a client may hold that there is no such name: RFC 2308. */
  readonly ttlSeconds: number;
}

export const authorityRecord = ({
  owner,
  server,
  contact,
  serial,
  ttlSeconds,
}: StartOfAuthority): Buffer => {
  const times = Buffer.alloc(20);
  [serial >>> 0, REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, ttlSeconds].forEach(
    (value, index) => times.writeUInt32BE(value, 4 * index),
  );
  return record(owner, TYPE.SOA, ttlSeconds, Buffer.concat([server, contact, times]));
};

/** A record with an owner of its own, from the bytes of its data. */
export const record = (
  owner: Buffer | undefined,
  type: number,
  ttlSeconds: number,
  data: Buffer,
): Buffer => {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  fixed.writeUInt32BE(ttlSeconds, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner ?? ASKED_NAME, fixed, data]);
};

/** Undefined for what is no address. */
export const addressBytes = (address: string): Buffer | undefined => {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const groups = ipv6Groups(address);
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
};

const ipv6Groups = (address: string): readonly number[] => {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = '', a, b, c, d] = dotted ?? [];
  const pair = (high: string | undefined, low: string | undefined) =>
    (Number(high) * 256 + Number(low)).toString(16);
  const plain = dotted === null ? address : `${head}${pair(a, b)}:${pair(c, d)}`;
  const [left = '', right] = plain.split('::');
  const groupsOf = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
  const before = groupsOf(left);
  const after = right === undefined ? [] : groupsOf(right);
  const gap = right === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: gap }, () => 0), ...after];
};

const characterString = (text: string): Buffer => {
  const bytes = Buffer.from(text).subarray(0, 255);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
};

/** The name that was asked for begins right after the header. */
const ASKED_NAME = Buffer.of(0xc0, HEADER_BYTES);

/** Nobody transfers this zone: these say what CoreDNS says. */
const REFRESH_SECONDS = 7200;
const RETRY_SECONDS = 1800;
const EXPIRE_SECONDS = 86_400;

/** The root has no name of its own. */
export const nameBytes = (name: string): Buffer => encodeName(name) ?? Buffer.of(0);
