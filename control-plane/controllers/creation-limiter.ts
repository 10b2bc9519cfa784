import type { Clock } from '../../lib/clock';

/** What an owner may create now, and when to ask again if that is not all. */
interface Allowance {
  readonly count: number;
  /** Undefined when nothing is held back. */
  readonly retryInMs: number | undefined;
}

/** Why creations are held back, in words that stay the same while the cause does. */
export interface Trouble {
  /** Upstream's reason for refused creations; ours for pods that do not last, or have no node. */
  readonly reason: 'FailedCreate' | 'PodsEndEarly' | 'PodsUnassigned';
  readonly message: string;
}

interface Owner {
  /** Pods that count, by uid, with the monotonic time of creation; -Infinity if made before our time. */
  readonly members: Map<string, number>;
  /** Lost pods that are not replaced yet. */
  debt: number;
  /** Replacements that may be made at once; refilled over time. */
  tokens: number;
  tokensAtMs: number;
  /** Rounds in a row in which a pod ended right after its creation. */
  strikes: number;
  /** Attempts in a row that the API refused. */
  refusals: number;
  /** How many one round may create while pods end early. */
  batch: number;
  isRoundStruck: boolean;
  roundAtMs: number;
  notBeforeMs: number;
  trouble: Trouble | undefined;
}

/**
 * Keeps controllers from creating pods at full speed when that is in vain, whatever the cause: the
 * API refuses them, their node rejects them, something deletes them. Growth to a larger size is not
 * held back. Per owner:
 *
 * - after a refused creation one is tried at a time, later each time, up to `REFUSED_MAX_MS`;
 * - after pods that end within `EARLY_MS` of their creation the next come in small rounds, later each
 *   time up to `EARLY_MAX_MS`; a round that lasts doubles the next (upstream's slow start, over time);
 * - replacing pods of any age is bounded by a bucket of tokens: a node's worth at once, then
 *   `REPLACED_PER_SECOND`.
 *
 * Time is this process's monotonic clock; nothing is read from the pods' own stamps.
 */
export class CreationLimiter {
  private readonly owners = new Map<string, Owner>();

  constructor(private readonly clock: Clock) {}

  /**
   * Compares the owner's active pods with those it had: what is missing and was not `released`, was
   * lost. `causeOf` says how a lost pod ended.
   */
  observe(
    owner: string,
    activeUids: readonly string[],
    /** `OutOfcpu`; undefined for a pod that is just gone. */
    causeOf: (uid: string) => string | undefined,
  ): void {
    const known = this.owners.get(owner);
    if (known === undefined) {
      this.owners.set(owner, newOwner(activeUids, this.clock.monotonicMs()));
      return;
    }
    const active = new Set(activeUids);
    const lost = [...known.members.keys()].filter((uid) => !active.has(uid));
    const nowMs = this.clock.monotonicMs();
    const early = lost.filter((uid) => nowMs - (known.members.get(uid) ?? -Infinity) < EARLY_MS);
    for (const uid of lost) known.members.delete(uid);
    for (const uid of active) if (!known.members.has(uid)) known.members.set(uid, -Infinity);
    known.debt += lost.length;
    const [first] = early;
    if (first !== undefined) strike(known, causeOf(first), nowMs);
    else if (hasLasted(known, nowMs)) calm(known);
  }

  /** How many of `wanted` pods may be created now, by an owner that wants `size` in all. */
  allowance(owner: string, wanted: number, size: number): Allowance {
    const known = this.owners.get(owner);
    if (known === undefined) return { count: 0, retryInMs: undefined };
    const nowMs = this.clock.monotonicMs();
    if (wanted <= 0) {
      settle(known);
      return { count: 0, retryInMs: calmInMs(known, nowMs) };
    }
    if (nowMs < known.notBeforeMs) return { count: 0, retryInMs: known.notBeforeMs - nowMs };
    refill(known, size, nowMs);
    known.debt = Math.min(known.debt, wanted);
    const growth = wanted - known.debt;
    const replaced = Math.min(known.debt, Math.floor(known.tokens));
    const roundSize = known.refusals > 0 ? 1 : known.batch;
    const count = Math.min(growth + replaced, roundSize);
    if (count >= wanted) return { count, retryInMs: calmInMs(known, nowMs) };
    return { count, retryInMs: known.strikes > 0 ? roundGapMs(known) : MS_PER_REPLACEMENT };
  }

  /** Notes the outcome of a round: the uids of the pods made, and the last refusal's message if any. */
  created(owner: string, uids: readonly string[], refusal: string | undefined): void {
    const known = this.owners.get(owner);
    if (known === undefined) return;
    const nowMs = this.clock.monotonicMs();
    for (const uid of uids) known.members.set(uid, nowMs);
    const replaced = Math.min(known.debt, uids.length);
    known.debt -= replaced;
    known.tokens -= replaced;
    if (uids.length > 0) startRound(known, nowMs);
    if (refusal === undefined) {
      known.refusals = 0;
      if (known.trouble?.reason === 'FailedCreate') known.trouble = undefined;
      return;
    }
    known.refusals++;
    known.trouble = { reason: 'FailedCreate', message: refusal };
    known.notBeforeMs = nowMs + doubled(REFUSED_INITIAL_MS, known.refusals - 1, REFUSED_MAX_MS);
  }

  /** The owner itself gives the pod up: that is no loss. */
  released(owner: string, uid: string): void {
    this.owners.get(owner)?.members.delete(uid);
  }

  troubleOf(owner: string): Trouble | undefined {
    return this.owners.get(owner)?.trouble;
  }

  forget(owner: string): void {
    this.owners.delete(owner);
  }
}

const newOwner = (activeUids: readonly string[], nowMs: number): Owner => ({
  members: new Map(activeUids.map((uid) => [uid, -Infinity])),
  debt: 0,
  tokens: Infinity,
  tokensAtMs: nowMs,
  strikes: 0,
  refusals: 0,
  batch: Infinity,
  isRoundStruck: false,
  roundAtMs: nowMs,
  notBeforeMs: 0,
  trouble: undefined,
});

/** A pod ended early: counts once a round, for the pods of one round mostly share their fate. */
const strike = (owner: Owner, cause: string | undefined, nowMs: number): void => {
  if (owner.isRoundStruck) return;
  owner.isRoundStruck = true;
  owner.strikes++;
  owner.batch = FIRST_BATCH;
  owner.notBeforeMs = Math.max(owner.notBeforeMs, nowMs, owner.roundAtMs + earlyWaitMs(owner));
  const how = cause ?? 'deleted';
  // The same cause keeps its words, though the amounts in a pod's own message change.
  owner.trouble = {
    reason: 'PodsEndEarly',
    message: `pods end within seconds of their creation (${how}); new ones come at growing intervals`,
  };
};

/** A round that was not struck doubles the next, and lets it come earlier. */
const startRound = (owner: Owner, nowMs: number): void => {
  if (owner.strikes > 0 && !owner.isRoundStruck) {
    owner.batch *= 2;
    owner.strikes = Math.max(1, owner.strikes - 1);
  }
  owner.isRoundStruck = false;
  owner.roundAtMs = nowMs;
  if (owner.strikes > 0) owner.notBeforeMs = nowMs + roundGapMs(owner);
};

/** When pods will have lasted long enough to trust the next ones; undefined where nothing is amiss. */
const calmInMs = (owner: Owner, nowMs: number): number | undefined =>
  owner.strikes === 0
    ? undefined
    : Math.max(0, owner.roundAtMs + Math.max(EARLY_MS, 2 * earlyWaitMs(owner)) - nowMs);

const hasLasted = (owner: Owner, nowMs: number): boolean => calmInMs(owner, nowMs) === 0;

const calm = (owner: Owner): void => {
  owner.strikes = 0;
  owner.batch = Infinity;
  if (owner.trouble?.reason === 'PodsEndEarly') owner.trouble = undefined;
};

/** Nothing is wanted any more: a refusal is no longer of interest, pods that end early are. */
const settle = (owner: Owner): void => {
  owner.debt = 0;
  owner.refusals = 0;
  if (owner.trouble?.reason === 'FailedCreate') owner.trouble = undefined;
};

const refill = (owner: Owner, size: number, nowMs: number): void => {
  const capacity = Math.max(TOKENS_MIN, size);
  const earned = ((nowMs - owner.tokensAtMs) / 1000) * REPLACED_PER_SECOND;
  owner.tokens = Math.min(capacity, owner.tokens + earned);
  owner.tokensAtMs = nowMs;
};

/** The first replacement comes at once: one pod may well be unlucky. */
const earlyWaitMs = ({ strikes }: Owner): number =>
  strikes <= 1 ? 0 : doubled(EARLY_INITIAL_MS, strikes - 2, EARLY_MAX_MS);

/** From one round to the next: the pods of a round need time to show whether they last. */
const roundGapMs = (owner: Owner): number => Math.max(EARLY_INITIAL_MS, earlyWaitMs(owner));

const doubled = (initialMs: number, times: number, maxMs: number): number =>
  Math.min(maxMs, initialMs * 2 ** Math.min(times, 30));

const EARLY_MS = 10_000;
const EARLY_INITIAL_MS = 1000;
const EARLY_MAX_MS = 60_000;
const FIRST_BATCH = 4;
const REFUSED_INITIAL_MS = 50;
const REFUSED_MAX_MS = 30_000;
const REPLACED_PER_SECOND = 5;
const MS_PER_REPLACEMENT = 1000 / REPLACED_PER_SECOND;
/** What one node may hold of an owner, for small owners. */
const TOKENS_MIN = 10;
