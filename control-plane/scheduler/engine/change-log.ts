/** What changed, in order, for readers that come back now and then: each remembers how far it has read. */
export class ChangeLog<T> {
  private readonly items: T[] = [];
  private forgottenCount = 0;

  /** Where a reader goes on that has seen all. */
  get end(): number {
    return this.forgottenCount + this.items.length;
  }

  add(item: T): void {
    if (this.items.length === 2 * REMEMBERED_MIN) {
      this.items.splice(0, REMEMBERED_MIN);
      this.forgottenCount += REMEMBERED_MIN;
    }
    this.items.push(item);
  }

  /** What came since then, possibly several times; `undefined` where that is not remembered. */
  since(position: number): readonly T[] | undefined {
    if (position < this.forgottenCount) return undefined;
    return position === this.end ? NONE : this.items.slice(position - this.forgottenCount);
  }
}

const NONE: readonly never[] = [];

/** Beyond this, looking at every node costs no more. */
const REMEMBERED_MIN = 8192;
