import type { FieldError } from '../validation/field-error';

/** Work that may be long, in steps that are not: others may run between them. */
export type Steps<T> = Generator<void, T, void>;

/** Ends a step when enough has been done since the last: cost is reckoned in characters of a rule. */
export class Pacer {
  private sinceRest = 0;

  /** To be asked before work of this cost. */
  *after(cost: number): Steps<void> {
    this.sinceRest += cost;
    if (this.sinceRest < STEP_MAX) return;
    this.sinceRest = cost;
    yield;
  }
}

/** Of looking at one part of a schema. */
export const PART_COST = 10;
/** About five milliseconds. */
const STEP_MAX = 2_500;

/** What is wrong with each part of a schema in turn. */
export type Found = Generator<readonly FieldError[], void, void>;

/** All that is found, in steps. */
export function* gathered(found: Found, pacer: Pacer): Steps<readonly FieldError[]> {
  const errors: FieldError[] = [];
  for (const some of found) {
    yield* pacer.after(PART_COST);
    errors.push(...some);
  }
  return errors;
}
