import { randomInt } from 'node:crypto';
import { describeError } from '../../../lib/describe-error';
import type { Clock } from '../../../lib/clock';
import { FLAG, HEADER_BYTES, RCODE } from '../wire/constants';
import { OPT_BYTES, writeOpt } from '../wire/response';
import { AnswerCache, type CachedAnswer, type CacheLimits } from './answer-cache';
import { exchangeByTcp, exchangeByUdp, type UpstreamAddress } from './exchange';
import { parseUpstreamAnswer, type UpstreamAnswer } from './upstream-answer';

/** What is asked of others. Those that are the same are asked once. */
export interface OutsideQuestion {
  /** Name, type and class as bytes. */
  readonly question: Buffer;
  /** In lower case. */
  readonly name: string;
  readonly type: number;
  readonly wantsDnssec: boolean;
  readonly isCheckingDisabled: boolean;
}

export interface ForwarderDeps {
  /** In the order in which they are asked. */
  readonly servers: () => readonly UpstreamAddress[];
  readonly clock: Clock;
  readonly count: (what: ForwardCount) => void;
  readonly limits?: Partial<ForwarderLimits>;
}

export type ForwardCount = 'hit' | 'miss' | 'stale' | 'forwarded' | 'failed' | 'refused';

export interface ForwarderLimits extends CacheLimits {
  readonly tryMs: number;
  /** Questions that are being asked of others at one time. */
  readonly inFlight: number;
  /** Clients that wait for them. */
  readonly waiting: number;
  /** A server that failed `failuresMax` times in a row is asked again only now and then. */
  readonly failuresMax: number;
  readonly downMs: number;
}

interface Health {
  failures: number;
  askAgainMs: number;
}

/**
 * Asks the node's own servers for what is none of the cluster's: each in turn until one answers. What was answered
 * is kept for as long as it may be, and longer where none answers any more. Never waits for servers known to be
 * down. A question that comes back to us waits for itself, and so no loop is ever more than one question.
 */
export class Forwarder {
  private readonly limits: ForwarderLimits;
  private readonly cache: AnswerCache;
  private readonly flights = new Map<string, Promise<UpstreamAnswer | undefined>>();
  private readonly health = new Map<string, Health>();
  private waitingCount = 0;

  constructor(private readonly deps: ForwarderDeps) {
    this.limits = { ...LIMITS, ...deps.limits };
    this.cache = new AnswerCache(this.limits);
  }

  /** At once where it is known already; undefined when there is nobody to ask, or none answers. */
  ask(asked: OutsideQuestion): CachedAnswer | Promise<CachedAnswer | undefined> | undefined {
    const { clock, count } = this.deps;
    const key = keyOf(asked);
    const cached = this.cache.get(key, clock.monotonicMs());
    if (cached?.isStale === false) {
      count('hit');
      return cached;
    }
    count('miss');
    const flying = this.flights.get(key);
    if (flying === undefined && !this.mayAsk()) {
      count(cached === undefined ? 'refused' : 'stale');
      return cached;
    }
    if (this.waitingCount >= this.limits.waiting) {
      count('refused');
      return cached;
    }
    return this.wait(flying ?? this.start(key, asked), cached);
  }

  private async wait(
    flight: Promise<UpstreamAnswer | undefined>,
    cached: CachedAnswer | undefined,
  ): Promise<CachedAnswer | undefined> {
    this.waitingCount++;
    try {
      const answer = await flight;
      if (answer !== undefined && isSound(answer)) return { answer, ageMs: 0, isStale: false };
      if (cached !== undefined) {
        this.deps.count('stale');
        return cached;
      }
      return answer === undefined ? undefined : { answer, ageMs: 0, isStale: false };
    } finally {
      this.waitingCount--;
    }
  }

  private start(key: string, asked: OutsideQuestion): Promise<UpstreamAnswer | undefined> {
    const flight = this.askEach(asked)
      .then((answer) => {
        if (answer !== undefined) this.cache.put(key, answer, this.deps.clock.monotonicMs());
        else this.deps.count('failed');
        return answer;
      })
      .finally(() => this.flights.delete(key));
    this.flights.set(key, flight);
    return flight;
  }

  private mayAsk(): boolean {
    const servers = this.deps.servers();
    return this.flights.size < this.limits.inFlight && servers.some((each) => !this.isDown(each));
  }

  /** The first sound answer; else the last that came at all. */
  private async askEach(asked: OutsideQuestion): Promise<UpstreamAnswer | undefined> {
    const { servers, clock } = this.deps;
    const endMs = clock.monotonicMs() + this.limits.tryMs * TRIES_MAX;
    let last: UpstreamAnswer | undefined;
    for (const server of servers().filter((each) => !this.isDown(each))) {
      if (clock.monotonicMs() >= endMs) break;
      const answer = await this.askOne(server, asked);
      if (answer === undefined) continue;
      if (isSound(answer)) return answer;
      last = answer;
    }
    return last;
  }

  private async askOne(
    server: UpstreamAddress,
    asked: OutsideQuestion,
  ): Promise<UpstreamAnswer | undefined> {
    this.deps.count('forwarded');
    const health = this.healthOf(server);
    // Of a server that is down, one question finds out whether it is up again.
    if (health.failures >= this.limits.failuresMax) this.putOff(health);
    try {
      const answer = await this.exchange(server, asked);
      health.failures = 0;
      return answer;
    } catch {
      health.failures++;
      if (health.failures >= this.limits.failuresMax) this.putOff(health);
      return undefined;
    }
  }

  private async exchange(server: UpstreamAddress, asked: OutsideQuestion) {
    const { clock } = this.deps;
    const { tryMs: timeoutMs } = this.limits;
    const send = (
      exchange: typeof exchangeByUdp<UpstreamAnswer>,
      hasEdns: boolean,
    ): Promise<UpstreamAnswer> => {
      const id = randomInt(2 ** 16);
      const request = requestOf(asked, id, hasEdns);
      const read = (message: Buffer) => parseUpstreamAnswer(message, id, asked.question);
      return exchange({ server, request, read, timeoutMs, clock });
    };
    const first = await send(exchangeByUdp, true);
    // Servers older than EDNS take it for damage.
    const answer = first.rcode === RCODE.FORMERR ? await send(exchangeByUdp, false) : first;
    if (!answer.isTruncated) return answer;
    return await send(exchangeByTcp, answer === first).catch((error: unknown) => {
      if (answer.answerCount > 0) return answer;
      throw new Error(`truncated, and by TCP: ${describeError(error)}`);
    });
  }

  private isDown(server: UpstreamAddress): boolean {
    const { failures, askAgainMs } = this.healthOf(server);
    return failures >= this.limits.failuresMax && this.deps.clock.monotonicMs() < askAgainMs;
  }

  private putOff(health: Health): void {
    health.askAgainMs = this.deps.clock.monotonicMs() + this.limits.downMs;
  }

  private healthOf({ address, port }: UpstreamAddress): Health {
    const key = `${address} ${port}`;
    const known = this.health.get(key);
    if (known !== undefined) return known;
    if (this.health.size >= HEALTH_MAX) this.health.clear();
    const health = { failures: 0, askAgainMs: 0 };
    this.health.set(key, health);
    return health;
  }
}

/** An answer that another server would not better. */
const isSound = ({ rcode }: UpstreamAnswer): boolean =>
  rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;

const keyOf = ({ question, name, wantsDnssec, isCheckingDisabled }: OutsideQuestion): string =>
  `${name} ${question.readUInt32BE(question.length - 4)} ${wantsDnssec}${isCheckingDisabled}`;

const requestOf = (
  { question, wantsDnssec, isCheckingDisabled }: OutsideQuestion,
  id: number,
  hasEdns: boolean,
): Buffer => {
  const questionEnd = HEADER_BYTES + question.length;
  const message = Buffer.alloc(questionEnd + (hasEdns ? OPT_BYTES : 0));
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(
    FLAG.recursionDesired | (isCheckingDisabled ? FLAG.checkingDisabled : 0),
    2,
  );
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(hasEdns ? 1 : 0, 10);
  question.copy(message, HEADER_BYTES);
  if (hasEdns) writeOpt(message, questionEnd, 0, wantsDnssec);
  return message;
};

const LIMITS: ForwarderLimits = {
  entries: 10_000,
  bytes: 16 * 1024 * 1024,
  positiveMaxMs: 300_000,
  negativeMaxMs: 30_000,
  staleMs: 3_600_000,
  tryMs: 2_000,
  inFlight: 512,
  waiting: 4_096,
  failuresMax: 2,
  downMs: 5_000,
};
/** A client asks again after five seconds. */
const TRIES_MAX = 2;
const HEALTH_MAX = 64;
