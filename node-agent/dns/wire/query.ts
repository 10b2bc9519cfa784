import { FLAG, HEADER_BYTES, RCODE, TYPE } from './constants';
import { readPlainName, skipName } from './names';

/** What a client offers by EDNS(0). Source: RFC 6891. */
export interface Edns {
  readonly version: number;
  readonly udpBytes: number;
  readonly wantsDnssec: boolean;
}

export interface Query {
  readonly id: number;
  /** Of the header, those that an answer repeats. */
  readonly flags: number;
  /** Name, type and class as they were sent, in the client's own case. */
  readonly question: Buffer;
  /** In lower case. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly edns: Edns | undefined;
}

/** What is no question that could be answered, and how it is refused. */
export interface BadQuery {
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
}

/**
 * The question in a message. Undefined for what is to get no answer at all: it is too short to have one, or is
 * itself an answer (two servers that answer each other would never end).
 */
export const parseQuery = (message: Buffer): Query | BadQuery | undefined => {
  if (message.length < HEADER_BYTES) return undefined;
  const id = message.readUInt16BE(0);
  const head = message.readUInt16BE(2);
  if ((head & FLAG.response) !== 0) return undefined;
  const opcode = head & OPCODE;
  const flags = head & (OPCODE | FLAG.recursionDesired | FLAG.checkingDisabled);
  if (opcode !== 0) return { id, flags, rcode: RCODE.NOTIMP };
  const bad = { id, flags, rcode: RCODE.FORMERR };
  if (message.readUInt16BE(4) !== 1) return bad;
  const read = readPlainName(message, HEADER_BYTES);
  if (read === undefined || read.end + 4 > message.length) return bad;
  const end = read.end + 4;
  const edns = readEdns(message, end);
  if (edns === 'malformed') return bad;
  return {
    id,
    flags,
    question: message.subarray(HEADER_BYTES, end),
    name: read.name,
    type: message.readUInt16BE(read.end),
    class: message.readUInt16BE(read.end + 2),
    edns,
  };
};

/** Looks through what follows the question: one OPT record at most, at the root. */
const readEdns = (message: Buffer, start: number): Edns | undefined | 'malformed' => {
  const before = message.readUInt16BE(6) + message.readUInt16BE(8);
  const count = before + message.readUInt16BE(10);
  let edns: Edns | undefined;
  let at = start;
  for (let index = 0; index < count; index++) {
    const fixed = skipName(message, at);
    if (fixed === undefined || fixed + FIXED_BYTES > message.length) return 'malformed';
    if (message.readUInt16BE(fixed) === TYPE.OPT) {
      if (edns !== undefined || index < before || fixed !== at + 1) return 'malformed';
      edns = {
        udpBytes: message.readUInt16BE(fixed + 2),
        version: message[fixed + 5] ?? 0,
        wantsDnssec: ((message[fixed + 6] ?? 0) & 0x80) !== 0,
      };
    }
    at = fixed + FIXED_BYTES + message.readUInt16BE(fixed + 8);
    if (at > message.length) return 'malformed';
  }
  return edns;
};

const OPCODE = 0x7800;
/** Of a record after its name: type, class, TTL and the length of its data. */
const FIXED_BYTES = 10;
