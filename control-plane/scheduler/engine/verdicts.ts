import type { Refused } from '../filters';
import type { Refusal } from '../plugins/plugin';

/** How a node refuses; equal verdicts are one object. */
export interface Verdict {
  readonly refused: Refused;
  readonly later: readonly Refusal[];
  /** Would other pods' going help? */
  readonly isPodBound: boolean;
  /** Nodes that refuse so. */
  count: number;
  readonly key: string;
}

/** The ways in which the nodes refuse one class of pods, counted. */
export class Verdicts {
  private readonly byKey = new Map<string, Verdict>();
  /** Most refusals are constants of their plugins: no key is made for those. */
  private readonly byRefusal = new WeakMap<Refusal, Verdict>();

  /** One node more. */
  add(refused: Refused, later: readonly Refusal[], isPodBound: boolean): Verdict {
    const { plugin, refusal } = refused;
    const isPlain = later.length === 0 && isPodBound === refusal.isPodBound;
    const same = isPlain ? this.byRefusal.get(refusal) : undefined;
    if (same !== undefined && same.count > 0 && same.refused.plugin === plugin) {
      same.count++;
      return same;
    }
    const verdict = this.byReasons(refused, later, isPodBound);
    if (isPlain) this.byRefusal.set(refusal, verdict);
    return verdict;
  }

  private byReasons(refused: Refused, later: readonly Refusal[], isPodBound: boolean): Verdict {
    const key = keyOf(refused, later, isPodBound);
    const known = this.byKey.get(key);
    if (known !== undefined) {
      known.count++;
      return known;
    }
    const verdict = { refused, later, isPodBound, count: 1, key };
    this.byKey.set(key, verdict);
    return verdict;
  }

  /** One node less. */
  remove(verdict: Verdict): void {
    verdict.count--;
    if (verdict.count === 0) this.byKey.delete(verdict.key);
  }

  all(): Iterable<Verdict> {
    return this.byKey.values();
  }
}

const keyOf = ({ plugin, refusal }: Refused, later: readonly Refusal[], isPodBound: boolean) => {
  const own = `${plugin.name} ${isPodBound} ${refusal.reasons.join('\n')}`;
  return later.reduce((key, { reasons }) => `${key}\n\n${reasons.join('\n')}`, own);
};
