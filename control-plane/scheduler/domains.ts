import type { NodeView } from './node-info';

/** Numbers by topology key and the value of that label: nodes with the same value are one domain. */
export class Domains {
  private readonly byKey = new Map<string, Map<string, number>>();

  add(key: string, value: string, amount: number): void {
    const values = this.byKey.get(key);
    if (values === undefined) this.byKey.set(key, new Map([[value, amount]]));
    else values.set(value, (values.get(value) ?? 0) + amount);
  }

  /** 0 where nothing was added. */
  of(key: string, value: string): number {
    return this.byKey.get(key)?.get(value) ?? 0;
  }

  values(key: string): ReadonlyMap<string, number> {
    return this.byKey.get(key) ?? NO_VALUES;
  }

  keys(): Iterable<string> {
    return this.byKey.keys();
  }

  get isEmpty(): boolean {
    return this.byKey.size === 0;
  }
}

/** The domain of a node; undefined where it has no such label. */
export const domainOf = ({ labels }: NodeView, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

const NO_VALUES: ReadonlyMap<string, number> = new Map();
