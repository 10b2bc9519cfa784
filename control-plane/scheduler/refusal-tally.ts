import type { RefusalCount } from '../../api/decisions';
import type { Refusal } from './plugins/plugin';

/** Counts nodes by all that refuses them. */
export class RefusalTally {
  private readonly byText = new Map<string, { reasons: readonly string[]; count: number }>();

  /** One node more: its first refusal, and those of later plugins. */
  add(first: Refusal, later: readonly Refusal[]): void {
    const isPlain = later.length === 0 && first.reasons.length === 1;
    // Mostly one plugin has one reason: no text is made for that.
    const text = isPlain
      ? first.reasons[0]
      : [first, ...later].flatMap(({ reasons }) => reasons).join(SEPARATOR);
    const known = this.byText.get(text);
    if (known === undefined) this.byText.set(text, { reasons: text.split(SEPARATOR), count: 1 });
    else known.count++;
  }

  /** Most frequent first. Beyond `SETS_MAX`, the rarest are counted together. */
  counts(): readonly RefusalCount[] {
    const all = [...this.byText.values()].sort((a, b) => b.count - a.count);
    if (all.length <= SETS_MAX) return all;
    const rest = all.slice(SETS_MAX - 1).reduce((sum, { count }) => sum + count, 0);
    return [...all.slice(0, SETS_MAX - 1), { reasons: ['other reasons'], count: rest }];
  }
}

/** No reason holds it. */
const SEPARATOR = '\n';
const SETS_MAX = 20;
