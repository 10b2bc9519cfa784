import type { SchedulingDecision } from '../../../api/decisions';
import type { PodInfo } from '../pod-info';
import { Snapshot } from '../snapshot';
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
 * What the snapshot has been lately, step by step, with the decisions between the steps: each can be taken
 * again in the very state in which it was taken. Bounded: what is older is folded into the state with which
 * the steps begin. In memory only. What namespaces, budgets, selectors and storage say is as it is now.
 */
export class Journal {
  private readonly base: Snapshot;
  private entries: JournalEntry[] = [];

  /** Follows the snapshot from now on; it must be empty yet. */
  constructor(
    snapshot: Snapshot,
    private readonly entryCountMax = ENTRY_COUNT_MAX,
  ) {
    this.base = snapshot.copy();
    snapshot.onChange = (change) => this.note(change);
  }

  note(entry: JournalEntry): void {
    this.entries.push(entry);
    if (this.entries.length < 2 * this.entryCountMax) return;
    for (const each of this.entries.slice(0, this.entryCountMax)) applyTo(this.base, each);
    this.entries = this.entries.slice(this.entryCountMax);
  }

  /**
   * The last decisions, the oldest first, each with the state before it, which the next step changes.
   * Yields nothing for the steps between that do not need a look.
   */
  *last(count: number): Generator<{ decision: JournalDecision; cluster: Snapshot } | undefined> {
    const entries = this.entries;
    let left = entries.filter(isDecision).length;
    const cluster = this.base.copy();
    for (const entry of entries) {
      if (!isDecision(entry)) applyTo(cluster, entry);
      else if (left-- <= count) yield { decision: entry, cluster };
      // So that whoever goes through them may let others run.
      yield undefined;
    }
  }
}

const isDecision = (entry: JournalEntry): entry is JournalDecision => entry.kind === 'decision';

const applyTo = (cluster: Snapshot, entry: JournalEntry): void => {
  switch (entry.kind) {
    case 'node':
      cluster.setNode(entry.node);
      return;
    case 'node-gone':
      cluster.removeNode(entry.name);
      return;
    case 'placed':
      cluster.assume(entry.info, entry.nodeName);
      return;
    case 'pod-gone':
      cluster.removePod(entry.uid);
      return;
    case 'nominated':
      cluster.nominate(entry.info, entry.nodeName);
      return;
    case 'nomination-ended':
      cluster.endNomination(entry.uid);
      return;
    case 'decision':
      return;
  }
};

/** A pod takes about four. */
const ENTRY_COUNT_MAX = 8_000;
