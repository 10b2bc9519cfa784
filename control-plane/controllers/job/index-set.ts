/** From `first` to `last`, both included. */
export interface Interval {
  readonly first: number;
  readonly last: number;
}

/** Indexes of an indexed job, kept as upstream writes them: `0-4,6,8,9` (indexed_job_utils.go). */
export class IndexSet {
  static readonly EMPTY = new IndexSet([]);

  /** Intervals in order, none touching the next. */
  private constructor(readonly intervals: readonly Interval[]) {}

  static of(indexes: Iterable<number>): IndexSet {
    return IndexSet.merged([...indexes].map((index) => ({ first: index, last: index })));
  }

  /** Those below `completions`. What cannot be read is passed over: the text may be anybody's. */
  static parse(text: string, completions: number): IndexSet {
    const intervals = text.split(',').flatMap((each) => {
      const [, low, high = low] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(each) ?? [];
      if (low === undefined) return [];
      const interval = { first: Number(low), last: Math.min(Number(high), completions - 1) };
      return interval.first <= interval.last ? [interval] : [];
    });
    return IndexSet.merged(intervals);
  }

  private static merged(intervals: readonly Interval[]): IndexSet {
    const merged: Interval[] = [];
    for (const interval of [...intervals].sort((a, b) => a.first - b.first)) {
      const last = merged.at(-1);
      if (last === undefined || interval.first > last.last + 1) merged.push(interval);
      else if (interval.last > last.last) merged.splice(-1, 1, { ...last, last: interval.last });
    }
    return new IndexSet(merged);
  }

  get size(): number {
    return this.intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.intervals[middle]?.last ?? Infinity) >= index) high = middle;
      else low = middle + 1;
    }
    const found = this.intervals[low];
    return found !== undefined && found.first <= index;
  }

  union(other: IndexSet): IndexSet {
    return IndexSet.merged([...this.intervals, ...other.intervals]);
  }

  /** How many are in both. */
  commonCount(other: IndexSet): number {
    let count = 0;
    for (let i = 0, j = 0; ;) {
      const [a, b] = [this.intervals[i], other.intervals[j]];
      if (a === undefined || b === undefined) return count;
      count += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
      if (a.last <= b.last) i++;
      if (b.last <= a.last) j++;
    }
  }

  /** The first `count` below `completions` that are not in it. */
  firstMissing(count: number, completions: number): readonly number[] {
    const missing: number[] = [];
    let candidate = 0;
    for (const { first, last } of [...this.intervals, { first: completions, last: completions }]) {
      while (candidate < Math.min(first, completions) && missing.length < count)
        missing.push(candidate++);
      if (missing.length >= count) break;
      candidate = Math.max(candidate, last + 1);
    }
    return missing;
  }

  toString(): string {
    return this.intervals
      .map(({ first, last }) =>
        first === last ? String(first) : `${first}${last === first + 1 ? ',' : '-'}${last}`,
      )
      .join(',');
  }
}
