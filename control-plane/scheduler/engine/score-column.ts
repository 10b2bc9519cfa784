import { NORMALIZE, normalized, scoreOf, scoreTermOf } from '../decide';
import type { NodeInfo } from '../node-info';
import type { CallMeter, ProfileMeter } from '../plugin-metrics';
import type { ScorePlugin, ScoreTerm } from '../plugins/plugin';
import type { PodInfo } from '../pod-info';
import type { Profile } from '../profile';
import type { TrackedView } from '../snapshot';
import { basisOf } from './basis';
import type { Column } from './column';

/** What a plugin gives each node by itself: a node is scored again only when it changed. */
export class ScoreColumn implements Column {
  readonly name: string;
  private readonly plugin: ScorePlugin;
  private readonly weight: number;
  /** By slot; NaN stands for no score. */
  private readonly raw: Float64Array;
  /** By slot: the versions of what was scored last. */
  private readonly scoredNode: Int32Array;
  private readonly scoredPods: Int32Array;
  private term: ScoreTerm | undefined;
  private basis: string | undefined;
  /** Of raw scores that are brought to 0 to 100: how many nodes that fit have each. */
  private readonly holders = new Map<number, number>();
  private points: ReadonlyMap<number, number> = new Map();
  private isStale = false;
  private readonly scoring: CallMeter | undefined;

  constructor(
    { plugin, weight }: Profile['scores'][number],
    private readonly model: PodInfo,
    private readonly cluster: TrackedView,
    slotCount: number,
    private readonly meter?: ProfileMeter,
  ) {
    this.name = plugin.name;
    this.plugin = plugin;
    this.weight = weight;
    this.raw = new Float64Array(slotCount);
    this.scoredNode = new Int32Array(slotCount).fill(-1);
    this.scoredPods = new Int32Array(slotCount).fill(-1);
    this.basis = basisOf(plugin, model, cluster);
    this.term = scoreTermOf({ plugin, meter }, model, cluster, NO_NODES);
    this.scoring = meter?.of(plugin.name, 'Score');
  }

  get isOfPods(): boolean {
    return this.plugin.scope === 'node';
  }

  get isLost(): boolean {
    return this.basis === undefined;
  }

  /** It is told by `enter` and `leave`. */
  update(): void {}

  prepare(fitting: () => Iterable<readonly [slot: number, node: NodeInfo]>): boolean {
    const { plugin, meter, model, cluster } = this;
    const basis = basisOf(plugin, model, cluster);
    if (basis === this.basis) return false;
    this.basis = basis;
    this.term = scoreTermOf({ plugin, meter }, model, cluster, NO_NODES);
    this.holders.clear();
    this.scoredNode.fill(-1);
    this.isStale = true;
    for (const [slot, node] of fitting()) this.enter(slot, node);
    return true;
  }

  enter(slot: number, node: NodeInfo): void {
    const { term } = this;
    if (term === undefined) return;
    const score = this.scoreAt(slot, node, term);
    if (term.normalize === undefined) return;
    const count = this.holders.get(score) ?? 0;
    this.holders.set(score, count + 1);
    if (count === 0) this.isStale = true;
  }

  /** A node that only did not fit for a while is not scored again. */
  private scoreAt(slot: number, node: NodeInfo, term: ScoreTerm): number {
    const isKnown =
      this.scoredNode[slot] === node.nodeVersion &&
      (!this.isOfPods || this.scoredPods[slot] === node.podsVersion);
    if (isKnown) return this.raw[slot] ?? NaN;
    this.scoredNode[slot] = node.nodeVersion;
    this.scoredPods[slot] = node.podsVersion;
    return (this.raw[slot] = scoreOf(term, node, this.scoring) ?? NaN);
  }

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

  settle(): boolean {
    const normalize = this.term?.normalize;
    if (!this.isStale || normalize === undefined) return false;
    this.isStale = false;
    const scores = [...this.holders.keys()];
    const raw = scores.map((score) => (Number.isNaN(score) ? undefined : score));
    const shares = normalized(normalize, raw, this.meter?.of(this.name, NORMALIZE));
    const before = this.points;
    this.points = new Map(
      scores.map((score, index) => [score, (shares[index] ?? 0) * this.weight]),
    );
    return scores.some((score) => before.get(score) !== this.points.get(score));
  }

  at(slot: number): number {
    const { term } = this;
    if (term === undefined) return 0;
    const score = this.raw[slot] ?? NaN;
    if (term.normalize !== undefined) return this.points.get(score) ?? 0;
    return Number.isNaN(score) ? 0 : score * this.weight;
  }
}

const NO_NODES: readonly never[] = [];
