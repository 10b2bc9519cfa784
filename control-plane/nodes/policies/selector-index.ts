import type { LabelRequirement, Labels } from '../../../api/selectors';

/**
 * Finds the selectors that may match given labels without looking at the others: each is filed under
 * one label that whatever it matches must have. Those that ask for none are candidates always.
 */
export class SelectorIndex<K> {
  private readonly byAnchor = new Map<string, Set<K>>();
  private readonly unanchored = new Set<K>();

  add(key: K, requirements: readonly LabelRequirement[]): void {
    const anchors = anchorsOf(requirements);
    if (anchors === undefined) this.unanchored.add(key);
    for (const anchor of anchors ?? []) {
      const keys = this.byAnchor.get(anchor) ?? new Set<K>();
      this.byAnchor.set(anchor, keys.add(key));
    }
  }

  /** With the requirements it was added with. */
  remove(key: K, requirements: readonly LabelRequirement[]): void {
    this.unanchored.delete(key);
    for (const anchor of anchorsOf(requirements) ?? []) {
      const keys = this.byAnchor.get(anchor);
      keys?.delete(key);
      if (keys?.size === 0) this.byAnchor.delete(anchor);
    }
  }

  /** All that match are among them. */
  candidates(labels: Labels): Set<K> {
    const found = new Set(this.unanchored);
    for (const [label, value] of Object.entries(labels))
      for (const anchor of [labelAnchor(label), valueAnchor(label, value)])
        for (const key of this.byAnchor.get(anchor) ?? []) found.add(key);
    return found;
  }

  get isEmpty(): boolean {
    return this.unanchored.size + this.byAnchor.size === 0;
  }
}

/** What whatever matches has one of; undefined: it need not have any label. */
const anchorsOf = (requirements: readonly LabelRequirement[]): readonly string[] | undefined => {
  const byValue = requirements.find(({ operator }) => ['=', '==', 'in'].includes(operator));
  if (byValue !== undefined) return byValue.values.map((value) => valueAnchor(byValue.key, value));
  const byName = requirements.find(({ operator }) => operator === 'exists');
  return byName === undefined ? undefined : [labelAnchor(byName.key)];
};

/** No label contains a line break. */
const labelAnchor = (label: string): string => `${label}\n`;
const valueAnchor = (label: string, value: string): string => `${label}\n=${value}`;
