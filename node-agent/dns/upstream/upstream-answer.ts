import { FLAG, HEADER_BYTES, TYPE } from '../wire/constants';
import { expandName, skipName } from '../wire/names';

/** What another server has answered, as far as it is passed on. */
export interface UpstreamAnswer {
  readonly rcode: number;
  readonly isTruncated: boolean;
  /**
   * Answers and authority as they came. Their pointers count from the start of a message whose question is as
   * long as the one that was asked.
   */
  readonly records: Buffer;
  readonly answerCount: number;
  readonly authorityCount: number;
  /** Where each record's TTL is, in `records`. */
  readonly ttlOffsets: readonly number[];
  /** Where each record ends, in `records`. */
  readonly ends: readonly number[];
  /** How long it holds; undefined when it must not be kept. */
  readonly ttlSeconds: number | undefined;
}

/**
 * Reads an answer to `question`, which was sent as number `id`. Undefined for what is not its answer (anybody can
 * send us a message) or is damaged: it is as if it had never come.
 */
export const parseUpstreamAnswer = (
  message: Buffer,
  id: number,
  question: Buffer,
): UpstreamAnswer | undefined => {
  if (!answersTo(message, id, question)) return undefined;
  const head = message.readUInt16BE(2);
  const answerCount = message.readUInt16BE(6);
  const start = HEADER_BYTES + question.length;
  const walk = walkRecords(message, start, answerCount + message.readUInt16BE(8));
  const isTruncated = (head & FLAG.truncated) !== 0;
  // What was cut off may end in the middle of a record: it is asked for again, whole.
  if (walk === undefined) return isTruncated ? nothingOf(head) : undefined;
  const { ends, ttlOffsets, end } = walk;
  return {
    rcode: head & 0xf,
    isTruncated,
    records: Buffer.from(message.subarray(start, end)),
    answerCount,
    authorityCount: ends.length - answerCount,
    ttlOffsets: ttlOffsets.map((offset) => offset - start),
    ends: ends.map((offset) => offset - start),
    ttlSeconds: lifeOf(message, walk, answerCount),
  };
};

/** A record with its name written out, as it can be put into any message. */
export interface FreeRecord {
  readonly owner: Buffer;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Buffer;
}

/** The answers of an upstream that a chain of aliases is made of: aliases, and what was asked for. */
export const freeRecordsOf = (
  { records, answerCount, ends }: UpstreamAnswer,
  question: Buffer,
  type: number,
): readonly FreeRecord[] => {
  const start = HEADER_BYTES + question.length;
  const message = Buffer.concat([Buffer.alloc(HEADER_BYTES), question, records]);
  return ends.slice(0, answerCount).flatMap((_end, index) => {
    const at = start + (ends[index - 1] ?? 0);
    const owner = expandName(message, at);
    const fixed = skipName(message, at);
    if (owner === undefined || fixed === undefined) return [];
    const recordType = message.readUInt16BE(fixed);
    const dataStart = fixed + FIXED_BYTES;
    const isAlias = recordType === TYPE.CNAME;
    if (!isAlias && recordType !== type) return [];
    const data = isAlias
      ? expandName(message, dataStart)
      : message.subarray(dataStart, start + (ends[index] ?? 0));
    if (data === undefined) return [];
    return [{ owner, type: recordType, ttlSeconds: message.readUInt32BE(fixed + 4), data }];
  });
};

/** The question of an answer is ours to the byte, but for the case of letters. */
const answersTo = (message: Buffer, id: number, question: Buffer): boolean => {
  if (message.length < HEADER_BYTES + question.length) return false;
  const head = message.readUInt16BE(2);
  const isAnswer = (head & FLAG.response) !== 0 && (head & OPCODE) === 0;
  if (message.readUInt16BE(0) !== id || !isAnswer || message.readUInt16BE(4) !== 1) return false;
  const nameBytes = question.length - 4;
  return question.every((byte, index) => {
    const other = message[HEADER_BYTES + index] ?? 0;
    return index < nameBytes ? lower(byte) === lower(other) : byte === other;
  });
};

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

interface Walk {
  readonly ends: readonly number[];
  readonly ttlOffsets: readonly number[];
  readonly types: readonly number[];
  readonly end: number;
}

const walkRecords = (message: Buffer, start: number, count: number): Walk | undefined => {
  const ends: number[] = [];
  const ttlOffsets: number[] = [];
  const types: number[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    const fixed = skipName(message, at);
    if (fixed === undefined || fixed + FIXED_BYTES > message.length) return undefined;
    if (expandName(message, at) === undefined) return undefined;
    types.push(message.readUInt16BE(fixed));
    ttlOffsets.push(fixed + 4);
    at = fixed + FIXED_BYTES + message.readUInt16BE(fixed + 8);
    if (at > message.length) return undefined;
    ends.push(at);
  }
  return { ends, ttlOffsets, types, end: at };
};

/** Source: RFC 2308 for what there is not, which its SOA record gives a time. */
const lifeOf = (
  message: Buffer,
  { ttlOffsets, types, ends }: Walk,
  answerCount: number,
): number | undefined => {
  const ttlAt = (offset: number) => {
    const seconds = message.readUInt32BE(offset);
    return seconds > TTL_MAX_SECONDS ? 0 : seconds;
  };
  const answers = ttlOffsets.slice(0, answerCount).map(ttlAt);
  const rcode = message.readUInt16BE(2) & 0xf;
  if (rcode === 0 && answers.length > 0) return Math.min(...answers);
  const authority = types.findIndex((type, index) => index >= answerCount && type === TYPE.SOA);
  const offset = ttlOffsets[authority];
  const end = ends[authority];
  if (offset === undefined || end === undefined || end - offset < 4 + 20) return undefined;
  return Math.min(ttlAt(offset), ttlAt(end - 4), ...answers);
};

const nothingOf = (head: number): UpstreamAnswer => ({
  ...{ rcode: head & 0xf, isTruncated: true, records: Buffer.alloc(0) },
  ...{ answerCount: 0, authorityCount: 0, ttlOffsets: [], ends: [], ttlSeconds: undefined },
});

const OPCODE = 0x7800;
const FIXED_BYTES = 10;
/** More is nonsense, and counts as none: RFC 2181. */
const TTL_MAX_SECONDS = 2 ** 31 - 1;
