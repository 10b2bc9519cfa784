import type { Clock } from '../../../lib/clock';
import { compareKeys, type StoredObject } from '../../store/store';
import type { WriteOutcome } from '../admission/admission-plugin';
import { holdingsOf } from '../../../api/service-fields';

/** An address, or a node port. */
export type Holding = string | number;

/**
 * What services hold: what those that are stored say, and what writes under way have been given. The
 * first is no record of its own, so that nothing can be lost or left over.
 */
export class Holdings {
  private items: readonly StoredObject[] = [];
  /** How many of the stored services hold it: two only where somebody else has written them. */
  private readonly stored = new Map<Holding, number>();
  private readonly loans = new Map<Holding, Loan>();

  constructor(private readonly clock: Clock) {}

  has(holding: Holding): boolean {
    return this.stored.has(holding) || this.loans.has(holding);
  }

  /** Follows a list of all services, in order. What has not changed costs a comparison. */
  follow(items: readonly StoredObject[]): void {
    if (items === this.items) return;
    const [before, now] = [this.items, items];
    this.items = items;
    for (let old = 0, next = 0; old < before.length || next < now.length;) {
      const [a, b] = [before[old], now[next]];
      if (a !== b || a === undefined) {
        const order = a === undefined ? 1 : b === undefined ? -1 : compareKeys(a.key, b.key);
        if (order <= 0) this.forget(a as StoredObject);
        if (order >= 0) this.note(b as StoredObject);
        old += order <= 0 ? 1 : 0;
        next += order >= 0 ? 1 : 0;
      } else {
        old++;
        next++;
      }
    }
  }

  /** Until it is settled they are nobody else's. */
  lend(holdings: ReadonlySet<Holding>): Loan {
    const loan: Loan = { holdings, settled: undefined };
    for (const holding of holdings) this.loans.set(holding, loan);
    return loan;
  }

  /** What was stored is held on until the list tells of it, and what may have been until that is certain. */
  settle(loan: Loan, outcome: WriteOutcome): void {
    const isListed =
      outcome === 'stored' && [...loan.holdings].some((each) => this.stored.has(each));
    if (outcome === 'refused' || isListed) this.end(loan);
    else loan.settled = { isCertain: outcome === 'stored', atMs: this.clock.monotonicMs() };
  }

  /** The loans that a list tells all about which is newer than this call. */
  get settledLoans(): readonly Loan[] {
    const nowMs = this.clock.monotonicMs();
    return [...new Set(this.loans.values())].filter(
      ({ settled }) =>
        settled !== undefined && (settled.isCertain || nowMs - settled.atMs > WRITE_TIME_MAX_MS),
    );
  }

  get loanCount(): number {
    return this.loans.size;
  }

  end(loan: Loan): void {
    for (const holding of loan.holdings)
      if (this.loans.get(holding) === loan) this.loans.delete(holding);
  }

  private note({ object }: StoredObject): void {
    for (const holding of holdingsOf(object)) {
      this.stored.set(holding, (this.stored.get(holding) ?? 0) + 1);
      const loan = this.loans.get(holding);
      if (loan?.settled !== undefined) this.end(loan);
    }
  }

  private forget({ object }: StoredObject): void {
    for (const holding of holdingsOf(object)) {
      const count = (this.stored.get(holding) ?? 1) - 1;
      if (count === 0) this.stored.delete(holding);
      else this.stored.set(holding, count);
    }
  }
}

export interface Loan {
  readonly holdings: ReadonlySet<Holding>;
  settled: { readonly isCertain: boolean; readonly atMs: number } | undefined;
}

/** Longer than any write may take whose answer nobody got. */
const WRITE_TIME_MAX_MS = 60_000;
