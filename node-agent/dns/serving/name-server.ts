import type { Clock } from '../../../lib/clock';
import type { RecordTable } from '../records/record-table';
import { nameServerOf, TTL_SECONDS } from '../records/record-table';
import type { NameRecords } from '../records/service-names';
import type { CachedAnswer } from '../upstream/answer-cache';
import type { Forwarder } from '../upstream/forwarder';
import { freeRecordsOf } from '../upstream/upstream-answer';
import { CLASS_IN, FLAG, RCODE, TYPE } from '../wire/constants';
import { readPlainName, skipName } from '../wire/names';
import { parseQuery, type Query } from '../wire/query';
import { anyRecord, authorityRecord, nameBytes, record } from '../wire/records';
import {
  emptyReply,
  SERVER_FAILURE,
  udpLimitOf,
  writeRefusal,
  writeReply,
  type Reply,
} from '../wire/response';
import type { DnsCounters } from './counters';
import { writeRelay } from './relay';

export interface NameServerDeps {
  readonly table: RecordTable;
  readonly forwarder: Pick<Forwarder, 'ask'>;
  readonly counters: DnsCounters;
  readonly clock: Clock;
}

/** Answers messages: of the cluster's names at once, of others when it knows. Knows no sockets. */
export class NameServer {
  private authorities: readonly (readonly [suffix: string, records: readonly Buffer[]])[] = [];
  private turn = 0;

  constructor(private readonly deps: NameServerDeps) {}

  /** The table has changed. */
  changed(domain: string): void {
    const server = nameBytes(nameServerOf(domain));
    const contact = nameBytes(`hostmaster.${domain}`);
    const serial = Math.floor(this.deps.clock.now() / 1000);
    const rest = { server, contact, serial, ttlSeconds: TTL_SECONDS };
    // What lies in none of them is not told with authority.
    this.authorities = [domain, 'in-addr.arpa', 'ip6.arpa'].map((zone) => [
      zone,
      [authorityRecord({ owner: nameBytes(zone), ...rest })],
    ]);
  }

  /** The answer, at once where it is known; undefined for what is to get none. `maxBytes`: of this transport. */
  answer(message: Buffer, maxBytes?: number): Buffer | Promise<Buffer> | undefined {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    const { counters } = this.deps;
    if (!('question' in query)) {
      counters.answered(query.rcode);
      return writeRefusal(query);
    }
    counters.asked(query.type);
    const limitBytes = maxBytes ?? udpLimitOf(query);
    const reply = this.replyTo(query, limitBytes);
    if (reply instanceof Promise)
      return reply.then((later) => this.write(query, later, limitBytes));
    return this.write(query, reply, limitBytes);
  }

  private write(query: Query, reply: Reply | Buffer, limitBytes: number): Buffer {
    if (Buffer.isBuffer(reply)) {
      this.deps.counters.answered(reply.readUInt16BE(2) & 0xf);
      return reply;
    }
    this.deps.counters.answered(reply.rcode);
    this.turn = (this.turn + 1) & 0xffff;
    return writeReply(query, reply, limitBytes, this.turn);
  }

  private replyTo(query: Query, limitBytes: number): Answered | Promise<Answered> {
    const refusal = refusalOf(query);
    if (refusal !== undefined) return emptyReply(refusal);
    const found = this.deps.table.lookup(query.name);
    switch (found.kind) {
      case 'none':
        return this.authoritative(query, RCODE.NXDOMAIN);
      case 'records':
        return this.replyWith(query, found.records);
      case 'outside':
        return query.type === TYPE.ANY ? this.everything(false) : this.outside(query, limitBytes);
    }
  }

  private replyWith(query: Query, records: NameRecords): Reply | Promise<Reply> {
    const { type } = query;
    if (type === TYPE.ANY) return this.everything(true);
    const set = records.get(type);
    if (set !== undefined)
      return {
        ...this.authoritative(query, RCODE.NOERROR, set.records),
        additional: set.additional,
      };
    const alias = records.get(TYPE.CNAME)?.records[0];
    if (alias !== undefined) return this.follow(query, alias);
    const apex =
      type === TYPE.SOA ? this.authorities.find(([zone]) => zone === query.name) : undefined;
    return this.authoritative(query, RCODE.NOERROR, apex?.[1]);
  }

  /**
   * An alias with what it leads to, since the C library does not ask further by itself. What cannot be had is left
   * out: the alias holds all the same.
   */
  private follow(
    query: Query,
    alias: Buffer,
    before: readonly Buffer[] = [],
  ): Reply | Promise<Reply> {
    const target = dataOf(alias);
    const tail = query.question.subarray(query.question.length - 4);
    const asked = { ...query, question: Buffer.concat([target, tail]), name: nameIn(target) };
    const way = [...before, alias];
    const withWay = (more: readonly Buffer[]): Reply => ({
      ...this.authoritative(query, RCODE.NOERROR, [...way, ...more]),
      isOrdered: true,
    });
    const found = this.deps.table.lookup(asked.name);
    if (found.kind === 'none') return withWay([]);
    if (found.kind === 'records') {
      const owned = (each: Buffer) => Buffer.concat([target, each.subarray(POINTER_BYTES)]);
      const next = found.records.get(TYPE.CNAME)?.records[0];
      if (next !== undefined && way.length < ALIASES_MAX)
        return this.follow(asked, owned(next), way);
      return withWay((found.records.get(query.type)?.records ?? []).map(owned));
    }
    const answer = this.deps.forwarder.ask(outsideQuestionOf(asked));
    const chain = (cached: CachedAnswer | undefined) =>
      withWay(cached === undefined ? [] : chainOf(cached, asked));
    return answer instanceof Promise ? answer.then(chain) : chain(answer);
  }

  private outside(query: Query, limitBytes: number): Answered | Promise<Answered> {
    const answer = this.deps.forwarder.ask(outsideQuestionOf(query));
    const relay = (cached: CachedAnswer | undefined): Answered =>
      cached === undefined ? SERVER_FAILURE : writeRelay(query, cached, limitBytes);
    return answer instanceof Promise ? answer.then(relay) : relay(answer);
  }

  private everything(isAuthoritative: boolean): Reply {
    return { ...emptyReply(RCODE.NOERROR), isAuthoritative, answers: ANY_ANSWER };
  }

  private authoritative({ name }: Query, rcode: number, answers: readonly Buffer[] = []): Reply {
    const zone =
      answers.length > 0 ? undefined : this.authorities.find(([each]) => name.endsWith(each));
    return { rcode, isAuthoritative: true, answers, authority: zone?.[1] ?? [], additional: [] };
  }
}

/** Records, or a whole message. */
type Answered = Reply | Buffer;

/** The code with which a question is refused that nobody here answers. */
const refusalOf = ({ type, class: queryClass, edns }: Query): number | undefined => {
  if (edns !== undefined && edns.version > 0) return RCODE.BADVERS;
  if (type === TYPE.OPT) return RCODE.FORMERR;
  if (queryClass !== CLASS_IN || type === TYPE.AXFR || type === TYPE.IXFR) return RCODE.REFUSED;
  const isMeta = type >= TYPE.FIRST_META && type < TYPE.LAST_META;
  return isMeta ? RCODE.NOTIMP : undefined;
};

const outsideQuestionOf = ({ question, name, type, edns, flags }: Query) => ({
  ...{ question, name, type },
  wantsDnssec: edns?.wantsDnssec === true,
  isCheckingDisabled: (flags & FLAG.checkingDisabled) !== 0,
});

const chainOf = (
  { answer, ageMs }: CachedAnswer,
  { question, type }: Pick<Query, 'question' | 'type'>,
): readonly Buffer[] =>
  freeRecordsOf(answer, question, type).map(({ owner, type: recordType, ttlSeconds, data }) =>
    record(owner, recordType, Math.max(1, ttlSeconds - Math.floor(ageMs / 1000)), data),
  );

const nameIn = (bytes: Buffer): string => readPlainName(bytes, 0)?.name ?? '';

/** What a record has after its name, which is a pointer or written out, and its fixed fields. */
const dataOf = (bytes: Buffer): Buffer => bytes.subarray((skipName(bytes, 0) ?? 0) + FIXED_BYTES);

const FIXED_BYTES = 10;
const POINTER_BYTES = 2;
/** As many as the C library would follow. */
const ALIASES_MAX = 8;
const ANY_ANSWER = [anyRecord(TTL_SECONDS)];
