import type { SchedulingDecision } from '../../../api/decisions';
import type { PodInfo } from '../pod-info';
import type { Snapshot } from '../snapshot';
import type { SnapshotChange } from '../snapshot-change';

/** A decision among the changes of what it was taken by. */
export interface JournalDecision {
  readonly kind: 'decision';
  /** With what was behind its claims. */
  readonly info: PodInfo;
  readonly record: SchedulingDecision;
}

export type JournalEntry = SnapshotChange | JournalDecision;

/**
 * How the snapshot has become what it is, step by step, with the decisions between the steps: taken back
 * from a copy, they give the very state in which each decision was taken. Bounded, and in memory only. What
 * namespaces, budgets, selectors and storage say is as it is now.
 */
export class Journal {
  private entries: JournalEntry[] = [];

  /** Follows the snapshot from now on. */
  constructor(
    private readonly snapshot: Snapshot,
    private readonly entryCountMax = ENTRY_COUNT_MAX,
  ) {
    snapshot.onChange = (change) => this.note(change);
  }

  note(entry: JournalEntry): void {
    this.entries.push(entry);
    if (this.entries.length >= 2 * this.entryCountMax)
      this.entries = this.entries.slice(this.entryCountMax);
  }

  /**
   * The last decisions, the oldest first, each with the state before it, which the next step changes. Yields
   * nothing for the steps between, so that whoever goes through them may let others run.
   */
  *last(count: number): Generator<{ decision: JournalDecision; cluster: Snapshot } | undefined> {
    const { start: cluster, entries } = yield* this.stretch(count);
    for (const entry of entries) {
      if (isDecision(entry)) yield { decision: entry, cluster };
      else become(cluster, entry, 'after');
      yield undefined;
    }
  }

  /**
   * From the first of the last so many decisions that are wanted to the last of them: what there was before,
   * and what happened. Other decisions are left out. Yields as `last`.
   */
  *stretch(
    count: number,
    isWanted: (decision: JournalDecision) => boolean = () => true,
  ): Generator<undefined, { start: Snapshot; entries: readonly JournalEntry[] }> {
    const entries = this.entries.filter((entry) => !isDecision(entry) || isWanted(entry));
    const start = this.snapshot.copy();
    const first = firstOfLast(entries, count);
    const end = entries.findLastIndex(isDecision) + 1;
    for (const entry of entries.slice(first).toReversed()) {
      if (!isDecision(entry)) become(start, entry, 'before');
      yield undefined;
    }
    return { start, entries: entries.slice(first, end) };
  }
}

/** Where the last so many decisions begin; the end where there is none. */
const firstOfLast = (entries: readonly JournalEntry[], count: number): number => {
  let first = entries.length;
  for (let i = entries.length - 1, left = count; i >= 0 && left > 0; i--) {
    if (entries[i]?.kind !== 'decision') continue;
    first = i;
    left--;
  }
  return first;
};

const isDecision = (entry: JournalEntry): entry is JournalDecision => entry.kind === 'decision';

/** As it was before the step, or after it. */
const become = (cluster: Snapshot, change: SnapshotChange, side: 'before' | 'after'): void => {
  switch (change.kind) {
    case 'node': {
      const node = change[side];
      if (node === undefined) cluster.removeNode(change.name);
      else cluster.setNode(node);
      return;
    }
    case 'placement': {
      const placed = change[side];
      if (placed === undefined) cluster.removePod(change.uid);
      else cluster.assume(placed.info, placed.nodeName);
      return;
    }
    case 'nomination': {
      const promised = change[side];
      if (promised === undefined) cluster.endNomination(change.uid);
      else cluster.nominate(promised.info, promised.nodeName);
      return;
    }
  }
};

/** A pod takes about four. */
const ENTRY_COUNT_MAX = 8_000;
