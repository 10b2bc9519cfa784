import type { RefusalCount } from '../../api/decisions';
import type { Refused } from './filters';
import type { RefusalCounts } from './message';
import type { Refusal } from './plugins/plugin';

/** Counts nodes by what refuses them. Nothing in it depends on the order in which they are told. */
export class RefusalTally implements RefusalCounts {
  /** The plugins that refused a node first. */
  readonly refusedBy = new Set<string>();
  /** Every reason of each node's first refusal. */
  readonly reasons = new Map<string, number>();
  readonly rejection?: string;
  private readonly firsts = new Map<string, number>();
  private readonly byText = new Map<string, number>();

  /** `rejected` is what speaks against the pod wherever it would go. */
  constructor(rejected?: Refused) {
    if (rejected === undefined) return;
    // Without a node there is none to refuse: what would let the pod in is asked for all the same.
    this.refusedBy.add(rejected.plugin.name);
    this.rejection = rejected.refusal.reasons[0];
  }

  /** Nodes more: their first refusal, and those of later plugins. */
  add({ plugin, refusal }: Refused, later: readonly Refusal[], count = 1): void {
    this.refusedBy.add(plugin.name);
    increase(this.firsts, refusal.reasons[0], count);
    for (const reason of refusal.reasons) increase(this.reasons, reason, count);
    increase(this.byText, textOf(refusal, later), count);
  }

  /** The first reason of each node, counted. */
  firstReasons(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.firsts].sort(mostFirst));
  }

  /** Sets of reasons, most frequent first. Beyond `SETS_MAX`, the rarest are counted together. */
  counts(): readonly RefusalCount[] {
    const all = [...this.byText]
      .sort(mostFirst)
      .map(([text, count]) => ({ reasons: text.split(SEPARATOR), count }));
    if (all.length <= SETS_MAX) return all;
    const rest = all.slice(SETS_MAX - 1).reduce((sum, { count }) => sum + count, 0);
    return [...all.slice(0, SETS_MAX - 1), { reasons: ['other reasons'], count: rest }];
  }
}

const textOf = (first: Refusal, later: readonly Refusal[]): string => {
  // Mostly one plugin has one reason: no text is made for that.
  if (later.length === 0 && first.reasons.length === 1) return first.reasons[0];
  return [first, ...later].flatMap(({ reasons }) => reasons).join(SEPARATOR);
};

const increase = (counts: Map<string, number>, key: string, amount: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + amount);
};

const mostFirst = ([a, m]: Counted, [b, n]: Counted): number => n - m || (a < b ? -1 : 1);

type Counted = readonly [text: string, count: number];

/** No reason holds it. */
const SEPARATOR = '\n';
const SETS_MAX = 20;
