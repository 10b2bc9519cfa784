/** Counts values by upper bounds, as Prometheus has it. */
export class Histogram {
  private readonly counts: number[];
  private sum = 0;
  private total = 0;

  /** Bounds ascend. */
  constructor(private readonly bounds: readonly number[]) {
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.sum += value;
    this.total++;
    const place = this.bounds.findIndex((bound) => value <= bound);
    if (place >= 0) this.counts[place] = (this.counts[place] ?? 0) + 1;
  }

  /** The series of one set of labels, in the text format. */
  lines(name: string, labels: string): readonly string[] {
    const before = labels === '' ? '' : `${labels},`;
    const own = labels === '' ? '' : `{${labels}}`;
    let below = 0;
    return [
      ...this.bounds.map(
        (bound, i) => `${name}_bucket{${before}le="${bound}"} ${(below += this.counts[i] ?? 0)}`,
      ),
      `${name}_bucket{${before}le="+Inf"} ${this.total}`,
      `${name}_sum${own} ${this.sum}`,
      `${name}_count${own} ${this.total}`,
    ];
  }
}

/** `count` bounds, each `factor` times the one before. */
export const exponentialBounds = (first: number, factor: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Number((first * factor ** i).toPrecision(12)));
