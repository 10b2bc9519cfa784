import { FLAG, HEADER_BYTES, PLAIN_UDP_BYTES, RCODE, TYPE, UDP_MAX_BYTES } from './constants';
import type { BadQuery, Query } from './query';

/** An answer whose records are bytes already, each whole. */
export interface Reply {
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly answers: readonly Buffer[];
  readonly authority: readonly Buffer[];
  /** Left out, without a word, where there is no room. */
  readonly additional: readonly Buffer[];
  /** Their order says something: it is kept. */
  readonly isOrdered?: boolean;
}

/**
 * The message that answers `query`, of `maxBytes` at most. Answers that have no room are left out and the message
 * is marked as truncated: older resolvers never ask again by TCP and make do with those that are there.
 * The answers begin with number `first`, modulo their count.
 */
export const writeReply = (query: Query, reply: Reply, maxBytes: number, first = 0): Buffer => {
  const { question, edns } = query;
  const { answers, authority } = reply;
  const fixedBytes = HEADER_BYTES + question.length + (edns === undefined ? 0 : OPT_BYTES);
  const roomBytes = maxBytes - fixedBytes;
  const count = answers.length;
  const from = reply.isOrdered === true ? 0 : first;
  let byteCount = 0;
  let kept = 0;
  while (kept < count) {
    const { length } = at(answers, (from + kept) % count);
    if (byteCount + length > roomBytes) break;
    byteCount += length;
    kept++;
  }
  const authorityCount = countThatFit(authority, roomBytes - byteCount);
  for (let i = 0; i < authorityCount; i++) byteCount += at(authority, i).length;
  const isTruncated = kept < count || authorityCount < authority.length;
  const extra = isTruncated ? 0 : countThatFit(reply.additional, roomBytes - byteCount);
  for (let i = 0; i < extra; i++) byteCount += at(reply.additional, i).length;

  const message = Buffer.allocUnsafe(fixedBytes + byteCount);
  const flags =
    (reply.isAuthoritative ? FLAG.authoritative : 0) | (isTruncated ? FLAG.truncated : 0);
  writeHeader(message, query, flags, reply.rcode);
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(kept, 6);
  message.writeUInt16BE(authorityCount, 8);
  message.writeUInt16BE(extra + (edns === undefined ? 0 : 1), 10);
  let end = put(message, question, HEADER_BYTES);
  for (let i = 0; i < kept; i++) end = put(message, at(answers, (from + i) % count), end);
  for (let i = 0; i < authorityCount; i++) end = put(message, at(authority, i), end);
  for (let i = 0; i < extra; i++) end = put(message, at(reply.additional, i), end);
  if (edns !== undefined) writeOpt(message, end, reply.rcode, edns.wantsDnssec);
  return message;
};

/** To what has no question that could be repeated. */
export const writeRefusal = ({ id, flags, rcode }: BadQuery): Buffer => {
  const message = Buffer.alloc(HEADER_BYTES);
  writeHeader(message, { id, flags }, 0, rcode);
  return message;
};

/** What `query` may be answered with by UDP. */
export const udpLimitOf = ({ edns }: Query): number =>
  edns === undefined
    ? PLAIN_UDP_BYTES
    : Math.min(UDP_MAX_BYTES, Math.max(PLAIN_UDP_BYTES, edns.udpBytes));

/** The end of every answer to a query with EDNS. Without options, and without a word on DNSSEC but an echo. */
export const writeOpt = (
  message: Buffer,
  start: number,
  rcode: number,
  wantsDnssec: boolean,
): void => {
  message[start] = 0;
  message.writeUInt16BE(TYPE.OPT, start + 1);
  message.writeUInt16BE(UDP_MAX_BYTES, start + 3);
  message.writeUInt16BE((rcode >> 4) << 8, start + 5);
  message.writeUInt16BE(wantsDnssec ? 0x8000 : 0, start + 7);
  message.writeUInt16BE(0, start + 9);
};

export const writeHeader = (
  message: Buffer,
  { id, flags: echoed }: { readonly id: number; readonly flags: number },
  flags: number,
  rcode: number,
): void => {
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(
    FLAG.response | FLAG.recursionAvailable | echoed | flags | (rcode & 0xf),
    2,
  );
};

/** A reply without records. */
export const emptyReply = (rcode: number): Reply => ({
  rcode,
  isAuthoritative: false,
  answers: [],
  authority: [],
  additional: [],
});

export const SERVER_FAILURE: Reply = emptyReply(RCODE.SERVFAIL);

export const OPT_BYTES = 11;

const countThatFit = (records: readonly Buffer[], roomBytes: number): number => {
  let byteCount = 0;
  let count = 0;
  for (const { length } of records) {
    byteCount += length;
    if (byteCount > roomBytes) break;
    count++;
  }
  return count;
};

const put = (message: Buffer, part: Buffer, start: number): number => {
  // A call into native code costs more than these few bytes.
  for (let i = 0; i < part.length; i++) message[start + i] = part[i] ?? 0;
  return start + part.length;
};

const at = (records: readonly Buffer[], index: number): Buffer => records[index] ?? NOTHING;

const NOTHING = Buffer.alloc(0);
