import { hasReason } from '../../../api/errors';
import { backoffMs } from '../../../lib/async/backoff';
import { linkedController } from '../../../lib/async/linked-controller';
import { timedController } from '../../../lib/async/timed-controller';
import { onAbort } from '../../../lib/async/on-abort';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import type { Term } from '../store';
import type { EtcdConnection } from './connection';
import { LEADER_KEY } from './keys';
import {
  createKey,
  grantLease,
  readHolder,
  removeKey,
  revokeLease,
  type Candidate,
  type Holder,
} from './leader-key';
import { freeIfFull, isOutOfSpace } from './maintenance';
import { watchRange } from './watch-range';

export interface LeadershipDeps {
  readonly connection: EtcdConnection;
  readonly candidate: Candidate;
  /** How long a leader that etcd does not hear from stays it. */
  readonly leaseSeconds: number;
  /** The etcd is this server's own: whoever holds the lead in it lives no more. */
  readonly isSole: boolean;
  /** What was done within a term does not end with it: the process must not go on. */
  readonly onStuck: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one server of a cluster does, and only while it leads. */
export interface Leading {
  /** The term of this server, while it leads. */
  readonly term: Term | undefined;
  /** Does another server lead, as far as is known? */
  readonly isFollowing: boolean;
  /** The identity of the server that leads, as far as is known. */
  readonly leader: string | undefined;
  /**
   * Does the work in each term of this server, until `signal` aborts. Work is told to end with its term
   * by the signal that it is given; the next term begins when all has. @throws what the work throws
   */
  during(work: LeadersWork, signal: AbortSignal): Promise<void>;
}

type LeadersWork = (signal: AbortSignal, term: LedTerm) => Promise<void>;

interface LedTerm extends Term {
  /** Did somebody lead, and write, since this server began to read? */
  readonly isSuccessor: boolean;
}

/**
 * Which of the servers leads: the one that made the leader's key, under a lease that it renews. The
 * revision at which the key was made is the number of the term, which goes into each write of the
 * leader (`Store.within`): the lease says who may lead next and when, the number keeps out whoever
 * has led before. So nothing depends on clocks, and a leader that etcd does not answer goes on, in vain.
 *
 * A server takes the lead at once from an earlier start of itself, and, as it starts, from one of a
 * release that knew no leases.
 */
export class Leadership implements Leading {
  private current: OwnTerm | undefined;
  private other: Holder | undefined;
  private hasLed = false;
  private activeCount = 0;
  /** Of those who wait for the next term, or for the end of all work. */
  private waiting = new Set<() => void>();

  constructor(private readonly deps: LeadershipDeps) {}

  get term(): Term | undefined {
    return this.current;
  }

  get isFollowing(): boolean {
    return this.other !== undefined;
  }

  get leader(): string | undefined {
    return this.current === undefined ? this.other?.identity : this.deps.candidate.identity;
  }

  /** A write found that the term is over. */
  noteFenced({ number }: Term): void {
    if (this.current?.number === number) this.current.end();
  }

  async during(work: LeadersWork, signal: AbortSignal): Promise<void> {
    for (let done: OwnTerm | undefined; ;) {
      await this.until(() => this.current !== undefined && this.current !== done, signal);
      const { current } = this;
      if (hasAborted(signal) || current === undefined) return;
      done = current;
      using both = linkedController(signal, current.signal);
      this.activeCount++;
      try {
        await work(both.signal, current);
      } finally {
        this.activeCount--;
        this.changed();
      }
    }
  }

  /** Campaigns and leads, again and again, until `signal` aborts; then the lead is free for others. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.deps;
    let failureCount = 0;
    for (let isFirst = true; !signal.aborted;) {
      try {
        const held = await this.campaign(isFirst, signal);
        failureCount = 0;
        isFirst = false;
        if (held !== undefined) await this.lead(held, signal);
      } catch (error) {
        if (hasAborted(signal)) return;
        log.debug({ err: describeError(error) }, 'cannot campaign for the lead yet');
        await clock.sleep(backoffMs(failureCount++, RETRY, systemRandom), signal);
      }
    }
  }

  /** Returns what this server holds; undefined when another has it, after that has changed. */
  private async campaign(isFirst: boolean, signal: AbortSignal): Promise<Holder | undefined> {
    const { connection, candidate, leaseSeconds, isSole } = this.deps;
    const { holder, revision } = await readHolder(connection, signal);
    if (holder?.instance === candidate.instance) return holder;
    if (holder !== undefined && !this.mayTakeFrom(holder, isFirst)) {
      this.follow(holder);
      await this.change(revision, signal);
      return undefined;
    }
    try {
      if (!isSole) await freeIfFull(connection, signal);
      const lease = await grantLease(connection, leaseSeconds, signal);
      // Others who wait for it may be faster then, which is as well.
      if (holder !== undefined) await removeKey(connection, holder, signal);
      const now = await createKey(connection, candidate, lease, signal);
      if (now?.lease === lease) return now;
      await revokeLease(connection, lease, signal);
      return undefined;
    } catch (error) {
      if (!hasReason(error, 'InsufficientStorage')) throw error;
      return this.inherited(signal);
    }
  }

  /**
   * A full etcd takes no key, and must not keep the server from what frees it: this server carries on
   * with the number of who led before, or 0. It is fenced by the next that leads, but does not fence
   * that one before, should it live.
   */
  private async inherited(signal: AbortSignal): Promise<Holder> {
    const { connection, log } = this.deps;
    log.warn({}, 'etcd is full: this server leads as the one before it, until there is room');
    const { holder } = await readHolder(connection, signal);
    return { createRevision: holder?.createRevision ?? 0, lease: 0n };
  }

  private mayTakeFrom({ identity, lease }: Holder, isFirst: boolean): boolean {
    const { isSole, candidate } = this.deps;
    return isSole || (isFirst && (lease === 0n || identity === candidate.identity));
  }

  private async lead(held: Holder, signal: AbortSignal): Promise<void> {
    const { clock, log, onStuck, isSole } = this.deps;
    const term = new OwnTerm(held.createRevision, !isSole || this.hasLed);
    this.hasLed = true;
    this.other = undefined;
    this.current = term;
    log.info({ term: term.number }, 'this server leads');
    this.changed();
    using either = linkedController(signal, term.signal);
    await this.keep(held, either.signal);
    term.end();
    this.current = undefined;
    if (!signal.aborted) log.warn({ term: term.number }, 'this server leads no more');
    const callOff = clock.after(STUCK_MS, onStuck);
    await this.until(() => this.activeCount === 0);
    callOff();
    if (signal.aborted && held.lease !== 0n) await this.release(held.lease);
  }

  /** Renews the lease, until it is over or the key is another's. Silence of etcd says neither. */
  private async keep(held: Holder, signal: AbortSignal): Promise<void> {
    const { connection, clock, leaseSeconds } = this.deps;
    const everyMs = held.lease === 0n ? INHERITED_MS : (leaseSeconds * 1000) / RENEWALS;
    for (let failureCount = 0; !signal.aborted;) {
      try {
        await clock.sleep(failureCount === 0 ? everyMs : Math.min(everyMs, RETRY.maxMs), signal);
        if (hasAborted(signal) || !(await this.renew(held, signal))) return;
        failureCount = 0;
      } catch {
        failureCount++;
        if (connection.replaced.aborted) return;
      }
    }
  }

  private async renew({ lease, createRevision }: Holder, signal: AbortSignal): Promise<boolean> {
    const { connection } = this.deps;
    // A lead without a lease is for want of space, and to be had as others are once there is some.
    if (lease === 0n) return isOutOfSpace(connection, signal);
    if ((await connection.keepAlive(lease)) <= 0) return false;
    return (await readHolder(connection, signal)).holder?.createRevision === createRevision;
  }

  /** Others need not wait until the lease runs out; where etcd is away, they do. */
  private async release(lease: bigint): Promise<void> {
    const { connection, clock } = this.deps;
    using late = timedController(clock, RELEASE_MS);
    await revokeLease(connection, lease, late.signal).catch(() => undefined);
  }

  private follow(holder: Holder): void {
    if (this.other?.createRevision !== holder.createRevision) {
      const { identity = '' } = holder;
      this.deps.log.info({ leader: identity, term: holder.createRevision }, 'another server leads');
    }
    this.other = holder;
  }

  /** Resolves when the key has changed since `revision`, or might have. */
  private async change(revision: number, signal: AbortSignal): Promise<void> {
    const { clock, leaseSeconds } = this.deps;
    using watching = timedController(clock, leaseSeconds * 1000, signal);
    const key = { key: LEADER_KEY, rangeEnd: Buffer.alloc(0) };
    const deps = { ...this.deps, trustsProgress: false, hasChangedSince: async () => false };
    for await (const { type } of watchRange(deps, key, revision + 1, watching.signal))
      if (type === 'revision') return;
  }

  private async until(isSo: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!isSo() && signal?.aborted !== true)
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.waiting.delete(wake);
          forget();
          resolve();
        };
        const forget = onAbort(signal, wake);
        this.waiting.add(wake);
      });
  }

  private changed(): void {
    for (const wake of [...this.waiting]) wake();
  }
}

class OwnTerm implements LedTerm {
  private readonly over = new AbortController();
  readonly signal = this.over.signal;

  constructor(
    readonly number: number,
    readonly isSuccessor: boolean,
  ) {}

  end(): void {
    this.over.abort();
  }
}

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Of a lease, before it runs out. */
const RENEWALS = 3;
const INHERITED_MS = 5_000;
const RELEASE_MS = 1_000;
const STUCK_MS = 30_000;
const RETRY = { initialMs: 50, maxMs: 1_000 };
