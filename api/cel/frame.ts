import { CelRuntimeError } from './errors';
import type { Meter } from './meter';
import type { CelValue } from './values';

/** One evaluation: its variables, and what it has cost so far. */
export class Frame {
  /** The variables of macros, each where the checker put it. */
  readonly slots: CelValue[] = [];
  private readonly known = new Map<string, CelValue>();

  constructor(
    readonly meter: Meter,
    private readonly find: (name: string) => CelValue | undefined,
  ) {}

  /** @throws CelRuntimeError when nothing was given for it */
  global(name: string): CelValue {
    let value = this.known.get(name);
    if (value === undefined) {
      value = this.find(name);
      if (value === undefined) throw new CelRuntimeError(`no such attribute(s): ${name}`);
      this.known.set(name, value);
    }
    return value;
  }
}

/** An expression, ready to be evaluated. @throws CelRuntimeError, CelBudgetError */
export type Plan = (frame: Frame) => CelValue;
