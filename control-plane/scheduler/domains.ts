import type { NodeView } from './node-info';

/** Numbers by topology key and the value of that label: nodes with the same value are one domain. */
export class Domains {
  private readonly byKey = new Map<string, Map<string, number>>();
  /** How often something was added to a domain; it is there as long as that was not all taken back. */
  private readonly additions = new Map<string, Map<string, number>>();
  private readonly leasts = new Map<string, number>();

  /** To the domain of the node, if it is in one. */
  addAt(node: NodeView, key: string, amount: number): void {
    const value = domainOf(node, key);
    if (value !== undefined) this.add({ key, value, amount });
  }

  add({ key, value, amount }: DomainShare): void {
    increase(this.byKey, key, value, amount);
    increase(this.additions, key, value, 1);
    this.leasts.delete(key);
  }

  /** Takes back what was added. */
  remove({ key, value, amount }: DomainShare): void {
    increase(this.byKey, key, value, -amount);
    increase(this.additions, key, value, -1);
    this.leasts.delete(key);
    if (this.additions.get(key)?.get(value) !== 0) return;
    for (const numbers of [this.byKey, this.additions]) {
      numbers.get(key)?.delete(value);
      if (numbers.get(key)?.size === 0) numbers.delete(key);
    }
  }

  /** Of the node's domain; 0 where nothing was added, or it is in none. */
  at(node: NodeView, key: string): number {
    const value = domainOf(node, key);
    return value === undefined ? 0 : (this.byKey.get(key)?.get(value) ?? 0);
  }

  /** The smallest number of a domain of the key; Infinity where there is none. */
  least(key: string): number {
    const known = this.leasts.get(key);
    if (known !== undefined) return known;
    let least = Infinity;
    for (const amount of this.values(key).values()) least = Math.min(least, amount);
    this.leasts.set(key, least);
    return least;
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

/** A domain: the nodes whose label `key` has this value. */
export interface DomainName {
  readonly key: string;
  readonly value: string;
}

interface DomainShare extends DomainName {
  readonly amount: number;
}

/** What one node adds to one domain. */
export interface NodeShare extends DomainShare {
  readonly to: Domains;
}

/** The domain of a node; undefined where it has no such label. */
export const domainOf = ({ labels }: NodeView, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

/** A node's share in the numbers of its domain; none where it is in none. */
export const shareOf = (
  node: NodeView,
  key: string,
  to: Domains,
  amount: number,
): readonly NodeShare[] => {
  const value = domainOf(node, key);
  return value === undefined ? [] : [{ to, key, value, amount }];
};

/** What each node added, so that it can be taken back once the node is another. */
export class NodeShares {
  private readonly byNode = new Map<string, readonly NodeShare[]>();
  private changed: DomainName[] = [];

  /** Puts the node's shares in place of those that it had. True where they are others. */
  replace(nodeName: string, shares: readonly NodeShare[]): boolean {
    const before = this.byNode.get(nodeName) ?? NO_SHARES;
    if (areEqual(before, shares)) return false;
    // Added first: a domain that stays must not be gone in between, or it would be the last one.
    for (const share of shares) share.to.add(share);
    for (const share of before) share.to.remove(share);
    if (shares.length === 0) this.byNode.delete(nodeName);
    else this.byNode.set(nodeName, shares);
    this.changed.push(...before, ...shares);
    return true;
  }

  /** The domains whose numbers may be others than when this was last asked. */
  takeChanged(): readonly DomainName[] {
    const { changed } = this;
    this.changed = [];
    return changed;
  }
}

const areEqual = (a: readonly NodeShare[], b: readonly NodeShare[]): boolean =>
  a.length === b.length &&
  a.every(({ to, key, value, amount }, index) => {
    const other = b[index];
    return (
      to === other?.to && key === other.key && value === other.value && amount === other.amount
    );
  });

const increase = (
  numbers: Map<string, Map<string, number>>,
  key: string,
  value: string,
  amount: number,
): void => {
  const values = numbers.get(key);
  if (values === undefined) numbers.set(key, new Map([[value, amount]]));
  else values.set(value, (values.get(value) ?? 0) + amount);
};

const NO_VALUES: ReadonlyMap<string, number> = new Map();
const NO_SHARES: readonly NodeShare[] = [];
