import { CelBudgetError } from './errors';

/** What one expression may cost. Upstream's unit: about the time of one look at a variable. */
export const PER_CALL_LIMIT = 1_000_000;
/** What all rules of one object, or all policies' expressions for one request, may cost. */
export const OBJECT_BUDGET = 10_000_000;
/** What all match conditions of one webhook or policy may cost. */
export const MATCH_CONDITIONS_BUDGET = 2_500_000;

/** A string is looked through at ten characters a unit. */
export const STRING_COST = 0.1;

/** Shared by the expressions that are evaluated for one object. */
export class CelBudget {
  constructor(private left: number = OBJECT_BUDGET) {}

  get remaining(): number {
    return this.left;
  }

  /** What an evaluation has cost; the next one has so much less. */
  take(cost: number): void {
    this.left = Math.max(0, this.left - cost);
  }
}

/** Counts the cost of one evaluation. */
export class Meter {
  private cost = 0;
  private readonly limit: number;

  constructor(
    perCall: number,
    private readonly budgetLeft: number,
  ) {
    this.limit = Math.min(perCall, budgetLeft);
  }

  get spent(): number {
    return this.cost;
  }

  /** Comes before the work that it pays for. @throws CelBudgetError */
  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.limit)
      throw new CelBudgetError(this.limit < this.budgetLeft ? 'call' : 'budget');
  }

  /** For work that goes through strings or bytes of this many characters. */
  traverse(length: number): void {
    this.charge(1 + Math.ceil(length * STRING_COST));
  }
}
