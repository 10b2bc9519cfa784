import {
  Domains,
  domainOf,
  NodeShares,
  shareOf,
  type DomainName,
  type NodeShare,
} from '../domains';
import type { NodeInfo, NodeView } from '../node-info';
import type { AffinityTerm, PodAffinityTerms } from '../pod-affinity';
import type { PodInfo } from '../pod-info';
import type { ClusterView, TrackedView } from '../snapshot';
import { labelRemedy } from './node-affinity';
import {
  COST,
  MAX_NODE_SCORE,
  removalRemedy,
  type FilterPlugin,
  type FollowingFilter,
  type FollowingScore,
  type Finding,
  type Normalization,
  type Refusal,
  type Remedy,
  type ScorePart,
  type ScorePlugin,
} from './plugin';

/**
 * Keeps pods near those that they require, away from those that they shun, and from those that shun
 * them. Source: upstream's interpodaffinity/filtering.go.
 */
export const interPodAffinity: FilterPlugin = {
  name: 'InterPodAffinity',
  scope: 'domain',
  wakeOn: ['PodsChanged', 'NodeLabelsChanged'],
  basis: basisOf,

  prepare(pod, cluster) {
    // The search for whom to evict asks it for each candidate: not through all nodes for nothing.
    if (pod.affinity === undefined && !cluster.hasAffinityPods) return undefined;
    const term = new AffinityFilter(pod, cluster);
    for (const node of cluster.nodes) term.add(node);
    return term.isIdle ? undefined : term;
  },

  follow: (pod, cluster) => new AffinityFilter(pod, cluster),
};

/** Mostly nobody wishes anything of others. */
function basisOf(pod: PodInfo, { hasAffinityPods }: TrackedView): string | undefined {
  return pod.affinity === undefined && !hasAffinityPods ? '' : undefined;
}

/** The terms by which the first pod keeps the second away. */
const shunnedBy = (
  other: PodInfo,
  pod: PodInfo,
  { namespaceLabels }: ClusterView,
): readonly AffinityTerm[] =>
  (other.affinity?.antiRequired ?? NONE).filter((term) => term.selects(pod, namespaceLabels));

class AffinityFilter implements FollowingFilter {
  private readonly wishes: Pick<PodAffinityTerms, 'required' | 'antiRequired'>;
  /** Pods that meet all that is required, in the domains of each of its terms. */
  private readonly wanted = new Domains();
  private readonly shunned = new Domains();
  /** Pods that require this one to stay away. */
  private readonly shunning = new Domains();
  private readonly meetsItself: boolean;
  private readonly shares = new NodeShares();
  private wasFirst: boolean | undefined;

  constructor(
    private readonly pod: PodInfo,
    private readonly cluster: ClusterView,
  ) {
    const { required = NONE, antiRequired = NONE } = pod.affinity ?? {};
    this.wishes = { required, antiRequired };
    this.meetsItself = this.meetsAll(pod);
  }

  get isIdle(): boolean {
    const { required, antiRequired } = this.wishes;
    return this.shunning.isEmpty && required.length === 0 && antiRequired.length === 0;
  }

  get keys(): readonly string[] {
    const { required, antiRequired } = this.wishes;
    const own = [...required, ...antiRequired].map(({ topologyKey }) => topologyKey);
    return [...new Set([...own, ...this.shunning.keys()])];
  }

  add(node: NodeView): void {
    for (const share of this.sharesOf(node)) share.to.add(share);
  }

  update(node: NodeView): void {
    this.shares.replace(node.name, this.sharesOf(node));
  }

  takeChanged(): readonly DomainName[] | 'all' {
    const changed = this.shares.takeChanged();
    const isFirst = this.isFirstOfItsKind;
    const isSame = isFirst === this.wasFirst;
    this.wasFirst = isFirst;
    return isSame ? changed : 'all';
  }

  /** Were a pod that wants its own kind near refused while there is none, there would never be one. */
  private get isFirstOfItsKind(): boolean {
    return this.meetsItself && this.wanted.isEmpty;
  }

  refuse(node: NodeView): Refusal | undefined {
    if (!this.hasCompany(node)) return NO_COMPANY;
    if (this.isNearShunned(node)) return SHUNNED;
    return this.isShunnedAt(node) ? SHUNNING : undefined;
  }

  explain(node: NodeView): readonly Finding[] {
    const company = this.hasCompany(node) ? [] : this.lacking(node);
    const shunned = this.wishes.antiRequired.flatMap((term) =>
      this.podsNear(node, term.topologyKey, (pod) => this.selects(term, pod)).map((found) => ({
        reason: SHUNNED.reasons[0],
        detail: `${found} matches ${term.words}, which the pod must not be near`,
      })),
    );
    const keys = new Set([...this.shunning.keys()].filter((key) => this.isShunnedBy(node, key)));
    const shunning = [...keys].flatMap((key) =>
      this.podsNear(node, key, (other) => this.keepsAway(other, key)).map((found) => ({
        reason: SHUNNING.reasons[0],
        detail: `${found} keeps pods like this away`,
      })),
    );
    return [...company, ...shunned, ...shunning];
  }

  remedies(node: NodeInfo): readonly Remedy[] {
    if (!this.hasCompany(node)) return this.relabelling(node);
    const isInTheWay = (pod: PodInfo, near: NodeView) =>
      this.wishes.antiRequired.some(
        (term) => isSame(near, node, term.topologyKey) && this.selects(term, pod),
      ) ||
      shunnedBy(pod, this.pod, this.cluster).some(({ topologyKey }) =>
        isSame(near, node, topologyKey),
      );
    const near = this.cluster.nodes.map((each) => ({
      node: each,
      pods: [...each.pods.values()].filter((pod) => isInTheWay(pod, each)),
    }));
    const pods = near.find((each) => each.node.name === node.name)?.pods ?? [];
    // Only this node is changed: pods elsewhere in the same domain stay in the way.
    const isElsewhere = near.some((each) => each.node.name !== node.name && each.pods.length > 0);
    if (isElsewhere || pods.length === 0) return [];
    return [removalRemedy(`make room on ${node.name}`, COST.deletePods + pods.length, pods)];
  }

  private sharesOf(node: NodeView): readonly NodeShare[] {
    const { required, antiRequired } = this.wishes;
    const shares: NodeShare[] = [];
    for (const other of node.affinityPods)
      for (const { topologyKey } of shunnedBy(other, this.pod, this.cluster))
        shares.push(...shareOf(node, topologyKey, this.shunning, 1));
    if (required.length === 0 && antiRequired.length === 0) return shares;
    for (const other of node.pods.values()) {
      if (required.length > 0 && this.meetsAll(other))
        for (const { topologyKey } of required)
          shares.push(...shareOf(node, topologyKey, this.wanted, 1));
      for (const term of antiRequired)
        if (this.selects(term, other))
          shares.push(...shareOf(node, term.topologyKey, this.shunned, 1));
    }
    return shares;
  }

  private meetsAll(other: PodInfo): boolean {
    return this.wishes.required.every((term) => this.selects(term, other));
  }

  private selects(term: AffinityTerm, other: PodInfo): boolean {
    return term.selects(other, this.cluster.namespaceLabels);
  }

  private hasCompany(node: NodeView): boolean {
    return this.wishes.required.every(({ topologyKey }) =>
      this.isFirstOfItsKind
        ? domainOf(node, topologyKey) !== undefined
        : this.wanted.at(node, topologyKey) > 0,
    );
  }

  private isNearShunned(node: NodeView): boolean {
    return this.wishes.antiRequired.some(
      ({ topologyKey }) => this.shunned.at(node, topologyKey) > 0,
    );
  }

  private isShunnedAt(node: NodeView): boolean {
    for (const key of this.shunning.keys()) if (this.isShunnedBy(node, key)) return true;
    return false;
  }

  private isShunnedBy(node: NodeView, key: string): boolean {
    return this.shunning.at(node, key) > 0;
  }

  private keepsAway(other: PodInfo, key: string): boolean {
    return shunnedBy(other, this.pod, this.cluster).some(({ topologyKey }) => topologyKey === key);
  }

  private lacking(node: NodeView): readonly Finding[] {
    return this.wishes.required.flatMap(({ topologyKey, words }) => {
      const domain = domainOf(node, topologyKey);
      const reason = NO_COMPANY.reasons[0];
      if (domain === undefined)
        return [{ reason, detail: `the node has no label ${topologyKey}, which affinity goes by` }];
      if (this.isFirstOfItsKind || this.wanted.at(node, topologyKey) > 0) return [];
      return [{ reason, detail: `no pod that matches ${words} runs in ${topologyKey}=${domain}` }];
    });
  }

  /** A few of the pods in the node's domain, with where they are. */
  private podsNear(
    node: NodeView,
    key: string,
    isMeant: (pod: PodInfo) => boolean,
  ): readonly string[] {
    const found: string[] = [];
    for (const each of this.cluster.nodes) {
      if (!isSame(each, node, key)) continue;
      for (const pod of each.pods.values()) {
        if (!isMeant(pod)) continue;
        const domain = domainOf(node, key) ?? '';
        const where = each.name === domain ? '' : ` (${key}=${domain})`;
        found.push(`pod ${pod.key} on ${each.name}${where}`);
        if (found.length === SHOWN_MAX) return found;
      }
    }
    return found;
  }

  /** A node without the label may be told that it is where the wanted pods are. */
  private relabelling(node: NodeInfo): readonly Remedy[] {
    const changes = new Map<string, string>();
    for (const { topologyKey } of this.wishes.required) {
      if (domainOf(node, topologyKey) !== undefined) continue;
      const [value] = [...this.wanted.values(topologyKey).keys()].sort();
      if (value === undefined) return [];
      changes.set(topologyKey, value);
    }
    return changes.size === 0 ? [] : [labelRemedy(node.name, changes)];
  }
}

/** Upstream's InterPodAffinityArgs. */
export interface AffinityWeights {
  /** What it counts that another pod requires to be near this one, 0 to 100. */
  readonly hardPodAffinityWeight: number;
  /** A pod that prefers nothing itself is not drawn or pushed by what others wish. */
  readonly ignorePreferredTermsOfExistingPods: boolean;
}

/** Prefers nodes near pods that this one likes, and that like it. Source: interpodaffinity/scoring.go. */
export const interPodAffinityScore = (weights: AffinityWeights): ScorePlugin => {
  const isIndifferent = (pod: PodInfo) =>
    weights.ignorePreferredTermsOfExistingPods && !hasWishes(pod);
  return {
    name: 'InterPodAffinity',
    scope: 'domain',
    basis: (pod, cluster) => (isIndifferent(pod) ? '' : basisOf(pod, cluster)),

    prepare(pod, cluster) {
      if (isIndifferent(pod)) return undefined;
      const term = new AffinityScore(pod, cluster, weights);
      for (const node of cluster.nodes) term.add(node);
      return term.isIdle ? undefined : term;
    },

    follow: (pod, cluster) => new AffinityScore(pod, cluster, weights),
  };
};

const hasWishes = ({ affinity }: PodInfo): boolean =>
  affinity !== undefined && affinity.preferred.length + affinity.antiPreferred.length > 0;

class AffinityScore implements FollowingScore {
  readonly normalize = byRange;
  private readonly domains = new Domains();
  private readonly shares = new NodeShares();

  constructor(
    private readonly pod: PodInfo,
    private readonly cluster: ClusterView,
    private readonly weights: AffinityWeights,
  ) {}

  get isIdle(): boolean {
    return this.domains.isEmpty;
  }

  get parts(): readonly ScorePart[] {
    const { domains } = this;
    return [...domains.keys()].map((key) => ({
      key,
      isOfNode: false,
      weight: 1,
      more: 0,
      amountAt: (node) => domains.at(node, key),
    }));
  }

  score(node: NodeView): number {
    let sum = 0;
    for (const key of this.domains.keys()) sum += this.domains.at(node, key);
    return sum;
  }

  isScored(): boolean {
    return true;
  }

  add(node: NodeView): void {
    for (const share of this.sharesOf(node)) share.to.add(share);
  }

  update(node: NodeView): boolean {
    return this.shares.replace(node.name, this.sharesOf(node));
  }

  /** It goes by all nodes, whether they fit or not. */
  enter(): void {}

  leave(): void {}

  private sharesOf(node: NodeView): readonly NodeShare[] {
    const { pod } = this;
    const { preferred = NONE, antiPreferred = NONE } = pod.affinity ?? {};
    const { hardPodAffinityWeight } = this.weights;
    const { namespaceLabels } = this.cluster;
    const shares: NodeShare[] = [];
    const add = ({ topologyKey }: AffinityTerm, amount: number) =>
      shares.push(...shareOf(node, topologyKey, this.domains, amount));
    for (const other of hasWishes(pod) ? node.pods.values() : node.affinityPods) {
      for (const term of preferred)
        if (term.selects(other, namespaceLabels)) add(term, term.weight);
      for (const term of antiPreferred)
        if (term.selects(other, namespaceLabels)) add(term, -term.weight);
      if (other.affinity === undefined) continue;
      for (const term of hardPodAffinityWeight > 0 ? other.affinity.required : NONE)
        if (term.selects(pod, namespaceLabels)) add(term, hardPodAffinityWeight);
      for (const term of other.affinity.preferred)
        if (term.selects(pod, namespaceLabels)) add(term, term.weight);
      for (const term of other.affinity.antiPreferred)
        if (term.selects(pod, namespaceLabels)) add(term, -term.weight);
    }
    return shares;
  }
}

/** The lowest gets 0, the highest 100. */
const byRange: Normalization = (raw) => {
  const scores = raw.map((score) => score ?? 0);
  const min = scores.reduce((a, b) => Math.min(a, b), Infinity);
  const range = scores.reduce((a, b) => Math.max(a, b), -Infinity) - min;
  return scores.map((score) =>
    range === 0 ? 0 : Math.floor((MAX_NODE_SCORE * (score - min)) / range),
  );
};

const isSame = (a: NodeView, b: NodeView, key: string): boolean => {
  const domain = domainOf(a, key);
  return domain !== undefined && domain === domainOf(b, key);
};

const NONE: readonly never[] = [];
const SHOWN_MAX = 3;

const NO_COMPANY = {
  reasons: ["node(s) didn't match pod affinity rules"],
  isPodBound: false,
} as const;
const SHUNNED = {
  reasons: ["node(s) didn't match pod anti-affinity rules"],
  isPodBound: true,
} as const;
const SHUNNING = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  isPodBound: true,
} as const;
