import type { CachedAnswer } from '../upstream/answer-cache';
import { FLAG, HEADER_BYTES } from '../wire/constants';
import type { Query } from '../wire/query';
import { OPT_BYTES, writeHeader, writeOpt } from '../wire/response';

/**
 * What another server has answered, as the answer to `query`: its question is as long, so pointers hold. As much
 * of it as `maxBytes` take; TTLs are what is left of them.
 */
export const writeRelay = (
  query: Query,
  { answer, ageMs, isStale }: CachedAnswer,
  maxBytes: number,
): Buffer => {
  const { question, edns } = query;
  const start = HEADER_BYTES + question.length;
  const optBytes = edns === undefined ? 0 : OPT_BYTES;
  const roomBytes = maxBytes - start - optBytes;
  const { ends } = answer;
  let kept = ends.length;
  while (kept > 0 && (ends[kept - 1] ?? 0) > roomBytes) kept--;
  const byteCount = kept === 0 ? 0 : (ends[kept - 1] ?? 0);
  const isCut = kept < answer.answerCount;
  const message = Buffer.alloc(start + byteCount + optBytes);
  const isTruncated = isCut || answer.isTruncated;
  writeHeader(message, query, isTruncated ? FLAG.truncated : 0, answer.rcode);
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(Math.min(kept, answer.answerCount), 6);
  message.writeUInt16BE(isCut ? 0 : kept - answer.answerCount, 8);
  message.writeUInt16BE(edns === undefined ? 0 : 1, 10);
  question.copy(message, HEADER_BYTES);
  answer.records.copy(message, start, 0, byteCount);
  for (const offset of answer.ttlOffsets.slice(0, kept)) {
    const at = start + offset;
    message.writeUInt32BE(ttlLeft(message.readUInt32BE(at), ageMs, isStale), at);
  }
  if (edns !== undefined) writeOpt(message, start + byteCount, answer.rcode, edns.wantsDnssec);
  return message;
};

const ttlLeft = (ttlSeconds: number, ageMs: number, isStale: boolean): number =>
  isStale
    ? STALE_SECONDS
    : Math.max(0, Math.min(ttlSeconds, TTL_MAX_SECONDS) - Math.floor(ageMs / 1000));

/** Source: RFC 8767. */
const STALE_SECONDS = 30;
/** No client is to hold what we do not. */
const TTL_MAX_SECONDS = 300;
