import type { NodeView } from './node-info';

/** Numbers by topology key and the value of that label: nodes with the same value are one domain. */
export class Domains {
  private readonly byKey = new Map<string, Map<string, number>>();

  /** To the domain of the node, if it is in one. */
  addAt(node: NodeView, key: string, amount: number): void {
    const value = domainOf(node, key);
    if (value === undefined) return;
    const values = this.byKey.get(key);
    if (values === undefined) this.byKey.set(key, new Map([[value, amount]]));
    else values.set(value, (values.get(value) ?? 0) + amount);
  }

  /** Of the node's domain; 0 where nothing was added, or it is in none. */
  at(node: NodeView, key: string): number {
    const value = domainOf(node, key);
    return value === undefined ? 0 : (this.byKey.get(key)?.get(value) ?? 0);
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
