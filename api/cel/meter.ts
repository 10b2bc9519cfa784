import { setImmediate } from 'node:timers/promises';
import { CelBudgetError } from './errors';

/**
 * What one expression may cost. Upstream's unit, about the time of one look at a variable, and less of
 * it than upstream's 1,000,000: here all requests wait while one is evaluated, for about 40 ms at most.
 */
export const PER_CALL_LIMIT = 300_000;
/** What all rules of one object, or all expressions of one policy for one request, may cost. */
export const OBJECT_BUDGET = 3_000_000;
/** What all match conditions of one webhook or policy may cost. */
export const MATCH_CONDITIONS_BUDGET = 750_000;
/** What going to one item of a list, or one entry of a map, costs beside what is done with it. */
export const ITEM_COST = 3;

/** A string is looked through at ten characters a unit. */
export const STRING_COST = 0.1;

/** Shared by the expressions that are evaluated for one object. */
export class CelBudget {
  private sinceRest = 0;

  constructor(private left: number = OBJECT_BUDGET) {}

  get remaining(): number {
    return this.left;
  }

  /** What an evaluation has cost; the next one has so much less. */
  take(cost: number): void {
    this.left = Math.max(0, this.left - cost);
    this.sinceRest += cost;
  }

  /** To be awaited between expressions: lets others run when these have run for long. */
  async rest(): Promise<void> {
    if (this.sinceRest < PER_CALL_LIMIT / 2) return;
    this.sinceRest = 0;
    await nextTurn();
  }
}

/** One after another: many who rest at a time would all go on in one turn of the event loop. */
const nextTurn = (): Promise<void> => {
  lastTurn = lastTurn.then(() => setImmediate());
  return lastTurn;
};

let lastTurn: Promise<void> = Promise.resolve();

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
