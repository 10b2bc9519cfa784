/** Numbers in a row of fixed length; the first of the greatest in any part of it is found in O(log n). */
export class MaxTree {
  /** Node i holds the greatest of nodes 2i and 2i + 1; the leaves are the numbers. */
  private readonly greatest: Float64Array;
  private readonly base: number;

  constructor(readonly length: number) {
    this.base = 1;
    while (this.base < length) this.base *= 2;
    this.greatest = new Float64Array(2 * this.base).fill(-Infinity);
  }

  at(index: number): number {
    return this.greatest[this.base + index] ?? -Infinity;
  }

  set(index: number, value: number): void {
    const { greatest } = this;
    let node = this.base + index;
    greatest[node] = value;
    for (node >>= 1; node >= 1; node >>= 1) {
      const larger = this.largerChild(node);
      if (greatest[node] === larger) return;
      greatest[node] = larger;
    }
  }

  /** All at once, in O(n). */
  setAll(valueAt: (index: number) => number): void {
    for (let index = 0; index < this.length; index++)
      this.greatest[this.base + index] = valueAt(index);
    for (let node = this.base - 1; node >= 1; node--) this.greatest[node] = this.largerChild(node);
  }

  /** The first index from `from` up to `to` with the greatest number; -1 where all are -Infinity. */
  firstGreatest(from: number, to: number): number {
    const { greatest } = this;
    let best = -Infinity;
    let at = 0;
    let left = this.base + from;
    let right = this.base + to;
    // Parts on the right are found from the last to the first: an equal one found later comes before.
    let rightBest = -Infinity;
    let rightAt = 0;
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1) {
        const value = greatest[left] ?? -Infinity;
        if (value > best) [best, at] = [value, left];
        left++;
      }
      if (right & 1) {
        right--;
        const value = greatest[right] ?? -Infinity;
        if (value >= rightBest) [rightBest, rightAt] = [value, right];
      }
    }
    if (rightBest > best) [best, at] = [rightBest, rightAt];
    return best === -Infinity ? -1 : this.firstLeaf(at, best);
  }

  private firstLeaf(from: number, value: number): number {
    let node = from;
    while (node < this.base) {
      node *= 2;
      if (this.greatest[node] !== value) node++;
    }
    return node - this.base;
  }

  private largerChild(node: number): number {
    const left = this.greatest[2 * node] ?? -Infinity;
    const right = this.greatest[2 * node + 1] ?? -Infinity;
    return left > right ? left : right;
  }
}
