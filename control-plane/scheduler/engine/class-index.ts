import type { RankedNode } from '../../../api/decisions';
import { refusalBeside } from '../beside-nominated';
import { TOP_COUNT, type Judgement } from '../decide';
import { termOf, verdictOf, type Rule } from '../filters';
import type { NodeInfo } from '../node-info';
import type { Refusal } from '../plugins/plugin';
import type { PodInfo } from '../pod-info';
import type { Profile } from '../profile';
import { RefusalTally } from '../refusal-tally';
import type { TrackedView } from '../snapshot';
import { ringStartOf } from '../tie-break';
import { basisOf } from './basis';
import type { Column } from './column';
import { FollowedColumn } from './followed-column';
import { FollowedRule } from './followed-rule';
import { MaxTree } from './max-tree';
import type { NodeRing } from './node-ring';
import { ScoreColumn } from './score-column';
import { Verdicts, type Verdict } from './verdicts';

export interface ClassIndexDeps {
  readonly cluster: TrackedView;
  readonly profile: Profile;
  readonly ring: NodeRing;
}

/** A rule, asked of each node, or followed by domains. */
interface KeptRule extends Rule {
  readonly followed?: FollowedRule;
}

/**
 * What every node says of the pods of one class, kept: only nodes that changed since the class was last
 * asked are asked again, and of those, what their pods cannot change is not.
 */
export class ClassIndex {
  private readonly rules: readonly KeptRule[];
  private readonly followed: readonly FollowedRule[];
  private readonly filterBasis: string;
  private readonly columns: readonly Column[];
  private readonly totals: MaxTree;
  private readonly verdicts = new Verdicts();
  /** By slot; `undefined` where the node fits. */
  private readonly verdictAt: (Verdict | undefined)[];
  /** By slot: what rules say that go by the node and its pods; `undefined` where none refuses. */
  private readonly ownAt: ((Refusal | undefined)[] | undefined)[];
  private readonly seenNode: Int32Array;
  private readonly seenPods: Int32Array;
  private feasibleCount = 0;
  private position = -1;
  private factsVersion: number;
  private readonly namespacesVersion: number;

  constructor(
    private readonly model: PodInfo,
    private readonly deps: ClassIndexDeps,
  ) {
    const { cluster, profile, ring } = deps;
    this.rules = rulesFor(model, deps);
    this.followed = this.rules.flatMap(({ followed }) => followed ?? []);
    this.filterBasis = basisOfFilters(model, deps);
    this.columns = profile.scores.map((each) => columnFor(each, model, deps));
    this.factsVersion = cluster.factsVersion;
    this.namespacesVersion = cluster.namespacesVersion;
    this.totals = new MaxTree(ring.length);
    this.verdictAt = new Array<Verdict | undefined>(ring.length).fill(undefined);
    this.ownAt = new Array<undefined>(ring.length).fill(undefined);
    this.seenNode = new Int32Array(ring.length).fill(-1);
    this.seenPods = new Int32Array(ring.length).fill(-1);
  }

  /** Can nothing be kept of what is said of such pods now? */
  get isLost(): boolean {
    const { cluster, profile } = this.deps;
    return (
      this.columns.some(({ isLost }) => isLost) ||
      this.rules.some(({ term }) => term.rejection !== undefined) ||
      profile.filters.some(
        (plugin) =>
          plugin.follow === undefined && basisOf(plugin, this.model, cluster) === undefined,
      )
    );
  }

  /** Does it go by other nodes than the one that is asked about? Then room that is being made is not foreseen. */
  get isOfDomains(): boolean {
    return this.followed.length > 0;
  }

  /** Does it go by pods that are selected, maybe by the labels of their namespaces? */
  private get followsPods(): boolean {
    return this.isOfDomains || this.columns.some((each) => each instanceof FollowedColumn);
  }

  /** Takes up what changed. False where it goes by something else now, and must be built anew. */
  refresh(): boolean {
    const { cluster, ring } = this.deps;
    if (this.followsPods && this.namespacesVersion !== cluster.namespacesVersion) return false;
    const touched = this.takeUp();
    let isAll = touched.length * BULK_SHARE > ring.length;
    if (this.factsVersion !== cluster.factsVersion) {
      this.factsVersion = cluster.factsVersion;
      if (basisOfFilters(this.model, this.deps) !== this.filterBasis) return false;
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

  /** Asks the nodes that changed, or whose domains did, and returns their slots. */
  private takeUp(): readonly number[] {
    const { cluster, ring } = this.deps;
    const changed = cluster.touched.since(this.position);
    this.position = cluster.touched.end;
    const touched = new Set<number>();
    for (const node of changed ?? ring.nodes) {
      const slot = ring.slotOf(node);
      if (slot !== undefined && !this.isSeen(slot, node)) touched.add(slot);
    }
    // All numbers first: what a node says may go by any of them.
    for (const slot of touched) this.tell(slot, ring.nodes[slot] as NodeInfo);
    for (const each of this.followed) for (const slot of each.takeChanged()) touched.add(slot);
    for (const slot of touched) this.ask(slot, ring.nodes[slot] as NodeInfo);
    return [...touched];
  }

  private isSeen(slot: number, node: NodeInfo): boolean {
    return this.seenNode[slot] === node.nodeVersion && this.seenPods[slot] === node.podsVersion;
  }

  private tell(slot: number, node: NodeInfo): void {
    for (const each of this.followed) each.update(node);
    for (const column of this.columns) column.update(slot, node);
  }

  private ask(slot: number, node: NodeInfo): void {
    const isOther = this.seenNode[slot] !== node.nodeVersion;
    const areOthers = this.seenPods[slot] !== node.podsVersion;
    const before = this.verdictAt[slot];
    const didFit = this.seenPods[slot] !== -1 && before === undefined;
    if (before !== undefined) this.verdicts.remove(before);
    if (isOther || areOthers) this.ownAt[slot] = this.ownRefusals(slot, node, isOther);
    this.seenNode[slot] = node.nodeVersion;
    this.seenPods[slot] = node.podsVersion;
    const verdict = this.judge(slot, node);
    this.verdictAt[slot] = verdict;
    const fits = verdict === undefined;
    this.feasibleCount += Number(fits) - Number(didFit);
    for (const column of this.columns) {
      const isKept = didFit && fits && !isOther && !(column.isOfPods && areOthers);
      if (isKept) continue;
      if (didFit) column.leave(slot, node);
      if (fits) column.enter(slot, node);
    }
  }

  /** Where the node object is the same, static rules say what they said. */
  private ownRefusals(slot: number, node: NodeInfo, isOther: boolean) {
    const before = this.ownAt[slot];
    let found: (Refusal | undefined)[] | undefined;
    for (let index = 0; index < this.rules.length; index++) {
      const rule = this.rules[index] as KeptRule;
      if (rule.followed !== undefined) continue;
      const isKept = !isOther && rule.plugin.scope === 'static';
      const refusal = isKept ? before?.[index] : verdictOf(rule, node);
      if (refusal !== undefined) (found ??= [])[index] = refusal;
    }
    return found;
  }

  private judge(slot: number, node: NodeInfo): Verdict | undefined {
    let first: Rule | undefined;
    let refusal: Refusal | undefined;
    let later: Refusal[] | undefined;
    const own = this.ownAt[slot];
    for (let index = 0; index < this.rules.length; index++) {
      const rule = this.rules[index] as KeptRule;
      const said = rule.followed === undefined ? own?.[index] : rule.followed.refusalAt(slot);
      if (said === undefined) continue;
      if (refusal === undefined) [first, refusal] = [rule, said];
      else (later ??= []).push(said);
    }
    if (first !== undefined && refusal !== undefined) {
      const refused = { plugin: first.plugin, refusal };
      return this.verdicts.add(refused, later ?? NONE, refusal.isPodBound);
    }
    const beside = this.isOfDomains ? undefined : refusalBeside(this.model, node, this.deps);
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
      scores: Object.fromEntries(this.columns.map((each) => [each.name, each.at(slot)])),
    }));
  }
}

const rulesFor = (model: PodInfo, { cluster, profile, ring }: ClassIndexDeps) =>
  profile.filters.flatMap((plugin): readonly KeptRule[] => {
    const meter = profile.meter?.of(plugin.name, 'Filter');
    if (plugin.follow !== undefined && basisOf(plugin, model, cluster) === undefined) {
      const rule = { plugin, term: plugin.follow(model, cluster), meter };
      return [{ ...rule, followed: new FollowedRule(rule, ring) }];
    }
    const term = termOf(plugin, model, cluster, profile.meter?.of(plugin.name, 'PreFilter'));
    return term === undefined ? [] : [{ plugin, term, meter }];
  });

const columnFor = (
  score: Profile['scores'][number],
  model: PodInfo,
  { cluster, ring, profile: { meter } }: ClassIndexDeps,
): Column => {
  const { plugin, weight } = score;
  if (plugin.follow === undefined || basisOf(plugin, model, cluster) !== undefined)
    return new ScoreColumn(score, model, cluster, ring.length, meter);
  const term = plugin.follow(model, cluster);
  return new FollowedColumn({ name: plugin.name, weight, term, ring, meter });
};

/** What the rules go by of the cluster. */
const basisOfFilters = (model: PodInfo, { cluster, profile }: ClassIndexDeps): string =>
  profile.filters.map((plugin) => basisOf(plugin, model, cluster) ?? FOLLOWED).join('\n');

const NONE: readonly never[] = [];
const FOLLOWED = 'its domains';
/** Beyond this share of the nodes, one pass over all totals is cheaper than many ways up the tree. */
const BULK_SHARE = 8;
