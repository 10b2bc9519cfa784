import { Domains, domainOf } from '../domains';
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
  type FilterTerm,
  type Finding,
  type Normalization,
  type Refusal,
  type Remedy,
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
    const shunning = domainsThatShun(pod, cluster);
    const { required = [], antiRequired = [] } = pod.affinity ?? {};
    if (shunning.isEmpty && required.length === 0 && antiRequired.length === 0) return undefined;
    return new AffinityFilter(pod, cluster, { required, antiRequired, shunning });
  },
};

/** Mostly nobody wishes anything of others. */
function basisOf(pod: PodInfo, { hasAffinityPods }: TrackedView): string | undefined {
  return pod.affinity === undefined && !hasAffinityPods ? '' : undefined;
}

/** Where pods are that require this one to stay away. */
const domainsThatShun = (pod: PodInfo, cluster: ClusterView): Domains => {
  const domains = new Domains();
  for (const node of cluster.nodes)
    for (const other of node.affinityPods)
      for (const { topologyKey } of shunnedBy(other, pod, cluster))
        domains.addAt(node, topologyKey, 1);
  return domains;
};

/** The terms by which the first pod keeps the second away. */
const shunnedBy = (
  other: PodInfo,
  pod: PodInfo,
  { namespaceLabels }: ClusterView,
): readonly AffinityTerm[] =>
  (other.affinity?.antiRequired ?? NONE).filter((term) => term.selects(pod, namespaceLabels));

interface Wishes extends Pick<PodAffinityTerms, 'required' | 'antiRequired'> {
  readonly shunning: Domains;
}

class AffinityFilter implements FilterTerm {
  /** Pods that meet all that is required, in the domains of each of its terms. */
  private readonly wanted = new Domains();
  private readonly shunned = new Domains();
  private readonly isFirstOfItsKind: boolean;

  constructor(
    private readonly pod: PodInfo,
    private readonly cluster: ClusterView,
    private readonly wishes: Wishes,
  ) {
    const { required, antiRequired } = wishes;
    if (required.length > 0 || antiRequired.length > 0)
      for (const node of cluster.nodes)
        for (const other of node.pods.values()) this.count(node, other);
    // Were a pod that wants its own kind near refused while there is none, there would never be one.
    this.isFirstOfItsKind = this.wanted.isEmpty && this.meetsAll(pod);
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
    const keys = new Set(
      [...this.wishes.shunning.keys()].filter((key) => this.isShunnedBy(node, key)),
    );
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

  private count(node: NodeView, other: PodInfo): void {
    const { required, antiRequired } = this.wishes;
    if (required.length > 0 && this.meetsAll(other))
      for (const { topologyKey } of required) this.wanted.addAt(node, topologyKey, 1);
    for (const term of antiRequired)
      if (this.selects(term, other)) this.shunned.addAt(node, term.topologyKey, 1);
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
    for (const key of this.wishes.shunning.keys()) if (this.isShunnedBy(node, key)) return true;
    return false;
  }

  private isShunnedBy(node: NodeView, key: string): boolean {
    return this.wishes.shunning.at(node, key) > 0;
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
export const interPodAffinityScore = ({
  hardPodAffinityWeight,
  ignorePreferredTermsOfExistingPods,
}: AffinityWeights): ScorePlugin => ({
  name: 'InterPodAffinity',
  scope: 'domain',
  basis: basisOf,

  prepare(pod, cluster) {
    const { preferred = NONE, antiPreferred = NONE } = pod.affinity ?? {};
    const domains = new Domains();
    const { namespaceLabels } = cluster;
    const add = (node: NodeView, { topologyKey }: AffinityTerm, amount: number) =>
      domains.addAt(node, topologyKey, amount);
    const hasWishes = preferred.length > 0 || antiPreferred.length > 0;
    if (ignorePreferredTermsOfExistingPods && !hasWishes) return undefined;
    for (const node of cluster.nodes) {
      for (const other of hasWishes ? node.pods.values() : node.affinityPods) {
        for (const term of preferred)
          if (term.selects(other, namespaceLabels)) add(node, term, term.weight);
        for (const term of antiPreferred)
          if (term.selects(other, namespaceLabels)) add(node, term, -term.weight);
        if (other.affinity === undefined) continue;
        for (const term of hardPodAffinityWeight > 0 ? other.affinity.required : NONE)
          if (term.selects(pod, namespaceLabels)) add(node, term, hardPodAffinityWeight);
        for (const term of other.affinity.preferred)
          if (term.selects(pod, namespaceLabels)) add(node, term, term.weight);
        for (const term of other.affinity.antiPreferred)
          if (term.selects(pod, namespaceLabels)) add(node, term, -term.weight);
      }
    }
    if (domains.isEmpty) return undefined;
    const keys = [...domains.keys()];
    return {
      normalize: byRange,
      score: (node) => keys.reduce((sum, key) => sum + domains.at(node, key), 0),
    };
  },
});

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
