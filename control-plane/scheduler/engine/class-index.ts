import type { RankedNode } from '../../../api/decisions';
import { refusalBeside, TOP_COUNT, type Judgement } from '../decide';
import { filtersFor, verdictOf, type Rule } from '../filters';
import type { NodeInfo } from '../node-info';
import type { Refusal } from '../plugins/plugin';
import type { PodInfo } from '../pod-info';
import type { Profile } from '../profile';
import { RefusalTally } from '../refusal-tally';
import type { TrackedView } from '../snapshot';
import { ringStartOf } from '../tie-break';
import { MaxTree } from './max-tree';
import type { NodeRing } from './node-ring';
import { ScoreColumn } from './score-column';
import { Verdicts, type Verdict } from './verdicts';

export interface ClassIndexDeps {
  readonly cluster: TrackedView;
  readonly profile: Profile;
  readonly ring: NodeRing;
}

/**
 * What every node says of the pods of one class, kept: only nodes that changed since the class was last
 * asked are asked again, and of those, what their pods cannot change is not.
 */
export class ClassIndex {
  private readonly rules: readonly Rule[];
  private readonly filterBasis: string;
  private readonly columns: readonly ScoreColumn[];
  private readonly totals: MaxTree;
  private readonly verdicts = new Verdicts();
  /** By slot; `undefined` where the node fits. */
  private readonly verdictAt: (Verdict | undefined)[];
  /** By slot: what rules say that go by the node object alone; `undefined` where none refuses. */
  private readonly statics: ((Refusal | undefined)[] | undefined)[];
  private readonly seenNode: Int32Array;
  private readonly seenPods: Int32Array;
  private feasibleCount = 0;
  private position = -1;
  private factsVersion: number;

  /** `undefined` where nothing can be kept of what is said of such pods. */
  static of(model: PodInfo, deps: ClassIndexDeps): ClassIndex | undefined {
    const filterBasis = basisOf(model, deps);
    if (filterBasis === undefined) return undefined;
    const { rules, rejection } = filtersFor(model, deps.cluster, deps.profile);
    if (rejection !== undefined) return undefined;
    const index = new ClassIndex(model, rules, filterBasis, deps);
    return index.columns.some(({ isLost }) => isLost) ? undefined : index;
  }

  private constructor(
    private readonly model: PodInfo,
    rules: readonly Rule[],
    filterBasis: string,
    private readonly deps: ClassIndexDeps,
  ) {
    const { cluster, profile, ring } = deps;
    this.rules = rules;
    this.filterBasis = filterBasis;
    this.factsVersion = cluster.factsVersion;
    this.columns = profile.scores.map((each) => new ScoreColumn(each, model, cluster, ring.length));
    this.totals = new MaxTree(ring.length);
    this.verdictAt = new Array<Verdict | undefined>(ring.length).fill(undefined);
    this.statics = new Array<undefined>(ring.length).fill(undefined);
    this.seenNode = new Int32Array(ring.length).fill(-1);
    this.seenPods = new Int32Array(ring.length).fill(-1);
  }

  /** Takes up what changed. False where it goes by something else now, and must be built anew. */
  refresh(): boolean {
    const { cluster, ring } = this.deps;
    const touched = this.takeUp();
    let isAll = touched.length * BULK_SHARE > ring.length;
    if (this.factsVersion !== cluster.factsVersion) {
      this.factsVersion = cluster.factsVersion;
      if (basisOf(this.model, this.deps) !== this.filterBasis) return false;
      for (const column of this.columns) {
        isAll = column.prepare(() => this.fitting()) || isAll;
        if (column.isLost) return false;
      }
    }
    for (const column of this.columns) isAll = column.settle() || isAll;
    if (isAll) this.totals.setAll((slot) => this.totalAt(slot));
    else for (const slot of touched) this.totals.set(slot, this.totalAt(slot));
    return true;
  }

  /** What all nodes say of a pod of the class. */
  judgementOf(pod: PodInfo, seed: number): Judgement {
    const tally = new RefusalTally();
    for (const { refused, later, count } of this.verdicts.all()) tally.add(refused, later, count);
    return {
      nodesFeasible: this.feasibleCount,
      tally,
      podBound: () => this.podBound(),
      top: () => this.best(ringStartOf(pod.hash, seed)),
    };
  }

  private *fitting(): Iterable<readonly [slot: number, node: NodeInfo]> {
    for (const [slot, node] of this.deps.ring.nodes.entries())
      if (this.verdictAt[slot] === undefined) yield [slot, node];
  }

  /** Asks the nodes that changed, and returns their slots. */
  private takeUp(): readonly number[] {
    const { cluster, ring } = this.deps;
    const changed = cluster.touched.since(this.position);
    this.position = cluster.touched.end;
    const touched: number[] = [];
    for (const node of changed ?? ring.nodes) {
      const slot = ring.slotOf(node);
      if (slot !== undefined && this.ask(slot, node)) touched.push(slot);
    }
    return touched;
  }

  /** True where the node is not as it was when it was last asked. */
  private ask(slot: number, node: NodeInfo): boolean {
    const isOther = this.seenNode[slot] !== node.nodeVersion;
    if (!isOther && this.seenPods[slot] === node.podsVersion) return false;
    const isFirst = this.seenPods[slot] === -1;
    const before = this.verdictAt[slot];
    const didFit = !isFirst && before === undefined;
    if (!isFirst && before !== undefined) this.verdicts.remove(before);
    if (isOther) this.statics[slot] = this.staticRefusals(node);
    this.seenNode[slot] = node.nodeVersion;
    this.seenPods[slot] = node.podsVersion;
    const verdict = this.judge(slot, node);
    this.verdictAt[slot] = verdict;
    const fits = verdict === undefined;
    this.feasibleCount += Number(fits) - Number(didFit);
    for (const column of this.columns) {
      const isKept = didFit && fits && !isOther && !column.isOfPods;
      if (isKept) continue;
      if (didFit) column.leave(slot);
      if (fits) column.enter(slot, node);
    }
    return true;
  }

  private staticRefusals(node: NodeInfo): (Refusal | undefined)[] | undefined {
    let found: (Refusal | undefined)[] | undefined;
    this.rules.forEach((rule, index) => {
      if (rule.plugin.scope !== 'static') return;
      const refusal = verdictOf(rule, node);
      if (refusal !== undefined) (found ??= [])[index] = refusal;
    });
    return found;
  }

  private judge(slot: number, node: NodeInfo): Verdict | undefined {
    const { rules } = this;
    const statics = this.statics[slot];
    let first: Rule | undefined;
    let refusal: Refusal | undefined;
    let later: Refusal[] | undefined;
    for (let index = 0; index < rules.length; index++) {
      const rule = rules[index] as Rule;
      const own = rule.plugin.scope === 'static' ? statics?.[index] : verdictOf(rule, node);
      if (own === undefined) continue;
      if (refusal === undefined) [first, refusal] = [rule, own];
      else (later ??= []).push(own);
    }
    if (first !== undefined && refusal !== undefined) {
      const refused = { plugin: first.plugin, refusal };
      return this.verdicts.add(refused, later ?? NONE, refusal.isPodBound);
    }
    const beside = refusalBeside(this.model, node, this.deps);
    return beside === undefined ? undefined : this.verdicts.add(beside, NONE, false);
  }

  private totalAt(slot: number): number {
    if (this.verdictAt[slot] !== undefined) return -Infinity;
    let total = 0;
    for (const column of this.columns) total += column.at(slot);
    return total;
  }

  private podBound(): readonly NodeInfo[] {
    const { inOrder, nodes } = this.deps.ring;
    const found: NodeInfo[] = [];
    for (const slot of inOrder) {
      const node = nodes[slot];
      if (node !== undefined && this.verdictAt[slot]?.isPodBound === true) found.push(node);
    }
    return found;
  }

  /** The greatest totals; of equal ones, those that come first on the ring from the start. */
  private best(start: number): readonly RankedNode[] {
    const { ring } = this.deps;
    const { totals } = this;
    const from = ring.slotFrom(start);
    const found: { readonly slot: number; readonly total: number }[] = [];
    while (found.length < TOP_COUNT) {
      const ahead = totals.firstGreatest(from, ring.length);
      const around = totals.firstGreatest(0, from);
      const isAround = ahead < 0 || (around >= 0 && totals.at(around) > totals.at(ahead));
      const slot = isAround ? around : ahead;
      if (slot < 0) break;
      found.push({ slot, total: totals.at(slot) });
      totals.set(slot, -Infinity);
    }
    for (const { slot, total } of found) totals.set(slot, total);
    return found.map(({ slot, total }) => ({
      node: ring.nodes[slot]?.name ?? '',
      total,
      scores: Object.fromEntries(this.columns.map((each) => [each.plugin.name, each.at(slot)])),
    }));
  }
}

/** What the rules go by of the cluster; `undefined` where one must be asked anew each time. */
const basisOf = (model: PodInfo, { cluster, profile }: ClassIndexDeps): string | undefined => {
  const bases = profile.filters.map((plugin) =>
    plugin.scope === 'domain' ? plugin.basis?.(model, cluster) : '',
  );
  return bases.includes(undefined) ? undefined : bases.join('\n');
};

const NONE: readonly never[] = [];
/** Beyond this share of the nodes, one pass over all totals is cheaper than many ways up the tree. */
const BULK_SHARE = 8;
