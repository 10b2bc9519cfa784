import { CelBudgetError, CelRuntimeError } from './errors';
import type { CelType } from './types';
import { CelObject, type CelValue } from './values';

/** An object whose fields are found out when they are first asked for, each once: `variables`. */
export class LazyObject extends CelObject {
  private readonly found = new Map<string, () => CelValue>();

  constructor(
    readonly type: CelType,
    private readonly fields: ReadonlyMap<string, () => CelValue>,
  ) {
    super();
  }

  field(name: string): CelValue | undefined {
    const known = this.found.get(name);
    if (known !== undefined) return known();
    const find = this.fields.get(name);
    if (find === undefined) return undefined;
    const outcome = outcomeOf(name, find);
    this.found.set(name, outcome);
    return outcome();
  }

  fieldNames(): Iterable<string> {
    return this.fields.keys();
  }
}

const outcomeOf = (name: string, find: () => CelValue): (() => CelValue) => {
  try {
    const value = find();
    return () => value;
  } catch (error) {
    if (error instanceof CelBudgetError || !(error instanceof CelRuntimeError)) throw error;
    const { message } = error;
    return () => {
      throw new CelRuntimeError(`composited variable "${name}" fails to evaluate: ${message}`);
    };
  }
};
