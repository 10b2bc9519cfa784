import { scoreOf, scoreTermOf } from '../decide';
import type { NodeView } from '../node-info';
import type { ScorePlugin, ScoreTerm } from '../plugins/plugin';
import type { PodInfo } from '../pod-info';
import type { Profile } from '../profile';
import type { TrackedView } from '../snapshot';

/** What one plugin gives each node that fits, for the pods of one class. */
export class ScoreColumn {
  readonly plugin: ScorePlugin;
  private readonly weight: number;
  /** By slot; NaN stands for no score. */
  private readonly raw: Float64Array;
  private term: ScoreTerm | undefined;
  private basis: string | undefined;
  /** Of raw scores that are brought to 0 to 100: how many nodes that fit have each. */
  private readonly holders = new Map<number, number>();
  private points: ReadonlyMap<number, number> = new Map();
  private isStale = false;

  constructor(
    { plugin, weight }: Profile['scores'][number],
    private readonly model: PodInfo,
    private readonly cluster: TrackedView,
    slotCount: number,
  ) {
    this.plugin = plugin;
    this.weight = weight;
    this.raw = new Float64Array(slotCount);
    this.basis = basisOfScore(plugin, model, cluster);
    this.term = scoreTermOf(plugin, model, cluster, NO_NODES);
  }

  /** Does it go by the pods of a node? */
  get isOfPods(): boolean {
    return this.plugin.scope === 'node';
  }

  /** Can it be kept at all? */
  get isLost(): boolean {
    return this.basis === undefined;
  }

  /** Takes up what it goes by of the cluster; where that is another, `fitting` are scored again. True then. */
  prepare(fitting: () => Iterable<readonly [slot: number, node: NodeView]>): boolean {
    const { plugin, model, cluster } = this;
    const basis = basisOfScore(plugin, model, cluster);
    if (basis === this.basis) return false;
    this.basis = basis;
    this.term = scoreTermOf(plugin, model, cluster, NO_NODES);
    this.holders.clear();
    this.isStale = true;
    for (const [slot, node] of fitting()) this.enter(slot, node);
    return true;
  }

  /** A node fits now. */
  enter(slot: number, node: NodeView): void {
    const { term } = this;
    if (term === undefined) return;
    const score = scoreOf(term, node) ?? NaN;
    this.raw[slot] = score;
    if (term.normalize === undefined) return;
    const count = this.holders.get(score) ?? 0;
    this.holders.set(score, count + 1);
    if (count === 0) this.isStale = true;
  }

  /** A node that fitted does not, or is to be scored again. */
  leave(slot: number): void {
    if (this.term?.normalize === undefined) return;
    const score = this.raw[slot] ?? NaN;
    const count = this.holders.get(score) ?? 0;
    if (count > 1) this.holders.set(score, count - 1);
    else {
      this.holders.delete(score);
      this.isStale = true;
    }
  }

  /** Works out what raw scores are worth. True where one that was there before is worth something else. */
  settle(): boolean {
    const normalize = this.term?.normalize;
    if (!this.isStale || normalize === undefined) return false;
    this.isStale = false;
    const scores = [...this.holders.keys()];
    const shares = normalize(scores.map((score) => (Number.isNaN(score) ? undefined : score)));
    const before = this.points;
    this.points = new Map(
      scores.map((score, index) => [score, (shares[index] ?? 0) * this.weight]),
    );
    return scores.some((score) => before.get(score) !== this.points.get(score));
  }

  /** Weighted, of a node that fits. */
  at(slot: number): number {
    const { term } = this;
    if (term === undefined) return 0;
    const score = this.raw[slot] ?? NaN;
    if (term.normalize !== undefined) return this.points.get(score) ?? 0;
    return Number.isNaN(score) ? 0 : score * this.weight;
  }
}

const basisOfScore = (
  plugin: ScorePlugin,
  model: PodInfo,
  cluster: TrackedView,
): string | undefined => (plugin.scope === 'domain' ? plugin.basis?.(model, cluster) : '');

const NO_NODES: readonly never[] = [];
