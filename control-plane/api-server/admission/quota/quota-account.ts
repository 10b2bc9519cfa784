import { ApiError, hasReason } from '../../../../api/errors';
import { ledgerOf, withLedger, type Stock } from '../../../../api/quota/ledger';
import type { ObjectName, ResourceQuota } from '../../../../api/types';
import { Condition, DeadlineExceededError } from '../../../../lib/async/deadline';
import type { Clock } from '../../../../lib/clock';
import type { StoredObject } from '../../../store/store';
import type { WriteOutcome } from '../admission-plugin';
import {
  judge,
  judgeAnew,
  needsCount,
  type Batch,
  type Claim,
  type Judgement,
  type Verdict,
} from './judgement';

/** The quotas as they are stored, and what they count. */
export interface QuotaStore {
  /** As the cache has it, which may be behind. */
  cached(name: ObjectName): StoredObject | undefined;
  newest(name: ObjectName): Promise<StoredObject | undefined>;
  /** Objects of each kind that the quota bounds, none older than the call. */
  stock(quota: ResourceQuota): Promise<readonly Stock[]>;
  /** @throws NotFound, Conflict unless `old` is what is stored */
  replace(old: StoredObject, next: ResourceQuota): Promise<StoredObject>;
}

export interface QuotaAccountDeps {
  readonly store: QuotaStore;
  readonly clock: Clock;
}

/**
 * The claims of one server on one quota. Those that come together are judged and noted in one write.
 * Nobody is refused while the writes of others that were let in before are under way, for they may
 * fail; nor by an old count: before a refusal all is counted anew.
 */
export class QuotaAccount {
  private asks: Ask[] = [];
  private readonly released = new Set<string>();
  private readonly settled = new Set<string>();
  /** Taken, and not settled. */
  private readonly held = new Set<string>();
  private readonly freed = new Condition();
  private freedCount = 0;
  private users = 0;
  private known: StoredObject | undefined;
  private working: Promise<void> | undefined;

  constructor(
    private readonly name: ObjectName,
    private readonly deps: QuotaAccountDeps,
  ) {}

  /** Nobody asks, and nobody is to be told anything. */
  get isIdle(): boolean {
    return this.users === 0 && this.held.size === 0;
  }

  /**
   * Takes what a write needs, unless it is free.
   * @throws ApiError when the store fails; InternalError when there is no end to conflicts
   */
  async take(claim: Claim, signal: AbortSignal): Promise<Verdict> {
    this.users++;
    try {
      return await this.takeInTurn(claim, signal);
    } finally {
      this.users--;
    }
  }

  /** Of a claim that was taken, once its write has an end. @throws ApiError when the store fails */
  async settle({ id }: Claim, outcome: WriteOutcome): Promise<void> {
    this.users++;
    // What nobody knows of stays noted, until it is found to be stored or its time is over.
    if (outcome === 'refused') this.released.add(id);
    if (outcome === 'stored') this.settled.add(id);
    this.held.delete(id);
    try {
      // What is stored is counted either way: its note goes with the next write, or the last.
      if (outcome === 'refused' || this.held.size === 0) await this.ask(undefined);
    } finally {
      this.users--;
      if (outcome === 'refused') this.freedCount++;
      this.freed.notify();
    }
  }

  private async takeInTurn(claim: Claim, signal: AbortSignal): Promise<Verdict> {
    const { clock } = this.deps;
    const endMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      const before = this.freedCount;
      const verdict = await this.ask(claim);
      if (verdict.type !== 'refused') return verdict;
      const isFreed = () => this.freedCount !== before;
      const limitMs = endMs - clock.monotonicMs();
      if (!isFreed() && limitMs > 0)
        await this.freed
          .until(() => isFreed() || this.held.size === 0, { what: WAIT, limitMs, clock, signal })
          .catch(ignoreDeadline);
      if (!isFreed()) return verdict;
    }
  }

  /** Without a claim: only writes down what has been released and settled. */
  private async ask(claim: Claim | undefined): Promise<Verdict> {
    const ask: Ask = { claim, answer: undefined };
    this.asks.push(ask);
    for (;;) {
      if (ask.answer !== undefined) break;
      this.working ??= this.work();
      await this.working;
    }
    if ('error' in ask.answer) throw ask.answer.error;
    return ask.answer.verdict;
  }

  /** Whoever asks while a write is under way shares the next. Never rejects. */
  private async work(): Promise<void> {
    while (this.asks.length > 0) {
      const asks = this.asks.slice(0, BATCH_MAX);
      this.asks = this.asks.slice(BATCH_MAX);
      try {
        await this.commit(asks);
      } catch (error) {
        this.known = undefined;
        for (const ask of asks) ask.answer = { error };
      }
    }
    this.working = undefined;
  }

  private async commit(asks: readonly Ask[]): Promise<void> {
    const released = [...this.released];
    const settled = new Set(this.settled);
    const claims = asks.flatMap(({ claim }) => claim ?? []);
    const verdicts = await this.write({ claims, released, settled });
    for (const id of released) this.released.delete(id);
    for (const id of settled) this.settled.delete(id);
    for (const ask of asks) {
      const index = ask.claim === undefined ? -1 : claims.indexOf(ask.claim);
      const verdict = verdicts[index] ?? FREE;
      if (verdict.type === 'taken' && ask.claim !== undefined) this.held.add(ask.claim.id);
      ask.answer = { verdict };
    }
  }

  /** A quota that has gone bounds nothing. */
  private async write(batch: Batch): Promise<readonly Verdict[]> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const current = this.current() ?? (await this.deps.store.newest(this.name));
      if (current === undefined) return [];
      const { quota, judgement } = await this.judged(current, batch);
      if (quota === undefined) return [];
      if (!judgement.isChanged) return judgement.verdicts;
      try {
        const next = withLedger(quota.object, judgement.ledger);
        this.known = await this.deps.store.replace(quota, next);
        return judgement.verdicts;
      } catch (error) {
        if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
        this.known = await this.deps.store.newest(this.name);
        if (this.known === undefined) return [];
      }
    }
    throw new ApiError('InternalError', 'resource quota evaluation timed out');
  }

  /** By the count that is there, if nobody suffers by it. */
  private async judged(
    current: StoredObject,
    batch: Batch,
  ): Promise<{ readonly quota: StoredObject | undefined; readonly judgement: Judgement }> {
    const { store, clock } = this.deps;
    const known = current.object as ResourceQuota;
    const ledger = ledgerOf(known);
    const judgement = judge(known, ledger, batch, clock.now());
    if (!needsCount(ledger, judgement)) return { quota: current, judgement };
    const quota = await store.newest(this.name);
    if (quota === undefined) return { quota, judgement };
    const object = quota.object as ResourceQuota;
    const stock = await store.stock(object);
    return { quota, judgement: judgeAnew(object, stock, batch, clock.now()) };
  }

  private current(): StoredObject | undefined {
    const cached = this.deps.store.cached(this.name);
    const { known } = this;
    if (known === undefined || cached === undefined) return known ?? cached;
    return cached.resourceVersion > known.resourceVersion ? cached : known;
  }
}

interface Ask {
  readonly claim: Claim | undefined;
  answer: { readonly verdict: Verdict } | { readonly error: unknown } | undefined;
}

const FREE: Verdict = { type: 'free' };
const WAIT = 'the write of another';

const ignoreDeadline = (error: unknown): void => {
  if (!(error instanceof DeadlineExceededError)) throw error;
};

const BATCH_MAX = 100;
const ATTEMPTS_MAX = 50;
/** How long one may wait for what others may give back. */
const PATIENCE_MS = 5000;
