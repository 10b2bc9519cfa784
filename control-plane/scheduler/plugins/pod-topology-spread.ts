import { matchesNodeAffinity } from '../../../api/node-affinity';
import { matchesRequirements, type LabelRequirement } from '../../../api/selectors';
import { isTolerated } from '../../../api/taints';
import type { PodSpec } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import {
  Domains,
  domainOf,
  NodeShares,
  shareOf,
  type DomainName,
  type NodeShare,
} from '../domains';
import type { NodeInfo, NodeView } from '../node-info';
import { withLabelKeys, wordsOf } from '../pod-affinity';
import type { PodInfo } from '../pod-info';
import type { ClusterView } from '../snapshot';
import { labelRemedy } from './node-affinity';
import {
  MAX_NODE_SCORE,
  scoreByParts,
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

/** A constraint for pods that have none of their own; whom it counts is up to their services and owners. */
export interface DefaultConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly whenUnsatisfiable: string;
  readonly minDomains?: number | undefined;
  readonly nodeAffinityPolicy?: string | undefined;
  readonly nodeTaintsPolicy?: string | undefined;
}

/** Upstream's PodTopologySpreadArgs. */
export interface SpreadDefaults {
  readonly constraints: readonly DefaultConstraint[];
  /** They are upstream's own: then a node without one of the labels is still weighed by the others. */
  readonly isSystem: boolean;
}

/**
 * Keeps pods from nodes whose domain has more of their kind than the emptiest by more than they
 * allow. Source: upstream's podtopologyspread/filtering.go; KEP-895, KEP-3022, KEP-3094, KEP-3243.
 */
export const podTopologySpread = (defaults: SpreadDefaults): FilterPlugin => ({
  name: 'PodTopologySpread',
  scope: 'domain',
  wakeOn: ['PodsChanged', 'DomainsChanged'],
  basis: (pod, cluster) =>
    constraintsOf(pod, 'DoNotSchedule', { defaults, cluster }).length === 0 ? '' : undefined,

  prepare(pod, cluster) {
    const constraints = constraintsOf(pod, 'DoNotSchedule', { defaults, cluster });
    if (constraints.length === 0) return undefined;
    const term = new SpreadFilter(pod, constraints);
    for (const node of cluster.nodes) term.add(node);
    return term;
  },

  follow: (pod, cluster) =>
    new SpreadFilter(pod, constraintsOf(pod, 'DoNotSchedule', { defaults, cluster })),
});

/** One constraint of one pod. */
interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly requirements: readonly LabelRequirement[];
  readonly words: string;
  /** Names whom it counts. */
  readonly key: string;
  /** 1 where the pod itself will count. */
  readonly own: number;
  /** Whether the pods of a node count, and its domain exists. */
  isIncluded(node: NodeView): boolean;
}

interface Defaulting {
  readonly defaults: SpreadDefaults;
  readonly cluster: ClusterView;
}

const hasOwn = ({ pod }: PodInfo): boolean => (pod.spec.topologySpreadConstraints ?? []).length > 0;

const constraintsOf = (
  pod: PodInfo,
  whenUnsatisfiable: string,
  { defaults, cluster }: Defaulting,
): readonly Constraint[] => {
  const isMeant = (each: DefaultConstraint) => each.whenUnsatisfiable === whenUnsatisfiable;
  if (hasOwn(pod))
    return (pod.pod.spec.topologySpreadConstraints ?? [])
      .filter(isMeant)
      .map((each) => constraintOf(pod, each, withLabelKeys(each.labelSelector, pod.labels, each)));
  const meant = defaults.constraints.filter(isMeant);
  const selector = meant.length === 0 ? [] : cluster.selectorFor(pod);
  return selector.length === 0 ? [] : meant.map((each) => constraintOf(pod, each, selector));
};

const constraintOf = (
  { pod: { spec }, labels, namespace }: PodInfo,
  constraint: DefaultConstraint,
  requirements: readonly LabelRequirement[] | undefined,
): Constraint => ({
  topologyKey: constraint.topologyKey,
  maxSkew: constraint.maxSkew,
  minDomains: constraint.minDomains ?? 1,
  requirements: requirements ?? [],
  words: wordsOf(requirements),
  key: `${namespace} ${stringifyJson(requirements ?? [])}`,
  own: requirements !== undefined && matchesRequirements(requirements, labels) ? 1 : 0,
  isIncluded: (node) => isIncluded(spec, constraint, node),
});

const isIncluded = (
  spec: PodSpec,
  { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' }: DefaultConstraint,
  { node, taints }: NodeView,
): boolean =>
  (nodeAffinityPolicy === 'Ignore' || matchesNodeAffinity(spec, node)) &&
  (nodeTaintsPolicy === 'Ignore' ||
    taints.every(
      (taint) => taint.effect === 'PreferNoSchedule' || isTolerated(spec.tolerations, taint),
    ));

const hasAllKeys = (node: NodeView, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => domainOf(node, topologyKey) !== undefined);

/** Pods of the same namespace that are meant and are not on their way out. A selector without a word means none. */
const countOn = (node: NodeView, { requirements, key }: Constraint, pod: PodInfo): number => {
  if (requirements.length === 0) return 0;
  const { namespace, uid } = pod;
  const count = (pods: NodeView['pods']): number => {
    let found = 0;
    for (const other of pods.values())
      if (
        other.namespace === namespace &&
        other.uid !== uid &&
        !other.isTerminating &&
        matchesRequirements(requirements, other.labels)
      )
        found++;
    return found;
  };
  // Pods of a kind come one after another: most nodes are as they were for the last one.
  return node.pods.has(uid) ? count(node.pods) : node.counted(key, count);
};

interface Counted extends Constraint {
  readonly counts: Domains;
}

class SpreadFilter implements FollowingFilter {
  private readonly constraints: readonly Counted[];
  private readonly shares = new NodeShares();
  /** Of each constraint, when changes were last taken. */
  private leasts: readonly number[] = [];

  constructor(
    private readonly pod: PodInfo,
    constraints: readonly Constraint[],
  ) {
    this.constraints = constraints.map((each) => ({ ...each, counts: new Domains() }));
  }

  get keys(): readonly string[] {
    return this.constraints.map(({ topologyKey }) => topologyKey);
  }

  add(node: NodeView): void {
    for (const share of this.sharesOf(node)) share.to.add(share);
  }

  update(node: NodeView): void {
    this.shares.replace(node.name, this.sharesOf(node));
  }

  takeChanged(): readonly DomainName[] | 'all' {
    const changed = this.shares.takeChanged();
    const before = this.leasts;
    this.leasts = this.constraints.map(leastOf);
    return this.leasts.every((least, index) => least === before[index]) ? changed : 'all';
  }

  private sharesOf(node: NodeView): readonly NodeShare[] {
    if (!hasAllKeys(node, this.constraints)) return [];
    return this.constraints.flatMap((each) =>
      each.isIncluded(node)
        ? shareOf(node, each.topologyKey, each.counts, countOn(node, each, this.pod))
        : [],
    );
  }

  refuse(node: NodeView): Refusal | undefined {
    for (const constraint of this.constraints) {
      if (domainOf(node, constraint.topologyKey) === undefined) return NO_LABEL;
      if (skewAt(constraint, node) > constraint.maxSkew) return SKEWED;
    }
    return undefined;
  }

  explain(node: NodeView): readonly Finding[] {
    return this.constraints.flatMap((constraint): readonly Finding[] => {
      const { topologyKey, maxSkew, words, counts, minDomains } = constraint;
      const domain = domainOf(node, topologyKey);
      if (domain === undefined)
        return [
          {
            reason: NO_LABEL.reasons[0],
            detail: `the node has no label ${topologyKey}, which the pods are spread by`,
          },
        ];
      const skew = skewAt(constraint, node);
      if (skew <= maxSkew) return [];
      const count = counts.at(node, topologyKey);
      const domains = counts.values(topologyKey).size;
      const against =
        domains < minDomains
          ? `only ${domains} of ${minDomains} domains are there`
          : `the emptiest has ${leastOf(constraint)}`;
      return [
        {
          reason: SKEWED.reasons[0],
          detail:
            `${topologyKey}=${domain} has ${count} of the pods that match ${words}, ${against}: ` +
            `one more would be a skew of ${skew}, at most ${maxSkew} is allowed`,
        },
      ];
    });
  }

  remedies(node: NodeInfo): readonly Remedy[] {
    const changes = new Map<string, string>();
    for (const constraint of this.constraints) {
      const { topologyKey, counts } = constraint;
      if (domainOf(node, topologyKey) !== undefined) continue;
      const [emptiest] = [...counts.values(topologyKey)].sort(
        ([a, m], [b, n]) => m - n || (a < b ? -1 : 1),
      );
      changes.set(topologyKey, emptiest?.[0] ?? node.name);
    }
    return changes.size === 0 ? [] : [labelRemedy(node.name, changes)];
  }
}

const skewAt = (constraint: Counted, node: NodeView): number =>
  constraint.counts.at(node, constraint.topologyKey) + constraint.own - leastOf(constraint);

/** Pods in the emptiest domain; 0 while there are fewer domains than are wanted. */
const leastOf = ({ counts, topologyKey, minDomains }: Counted): number =>
  counts.values(topologyKey).size < minDomains ? 0 : counts.least(topologyKey);

/** Prefers domains with fewer pods of the kind. Source: podtopologyspread/scoring.go. */
export const podTopologySpreadScore = (defaults: SpreadDefaults): ScorePlugin => ({
  name: 'PodTopologySpread',
  scope: 'domain',
  basis: (pod, cluster) =>
    constraintsOf(pod, 'ScheduleAnyway', { defaults, cluster }).length === 0 ? '' : undefined,

  prepare(pod, cluster, feasible) {
    const constraints = constraintsOf(pod, 'ScheduleAnyway', { defaults, cluster });
    if (constraints.length === 0) return undefined;
    const term = new SpreadScore(pod, constraints, defaults.isSystem && !hasOwn(pod));
    for (const node of feasible) term.enter(node);
    for (const node of cluster.nodes) term.add(node);
    return term;
  },

  follow: (pod, cluster) =>
    new SpreadScore(
      pod,
      constraintsOf(pod, 'ScheduleAnyway', { defaults, cluster }),
      defaults.isSystem && !hasOwn(pod),
    ),
});

interface Weighed extends Constraint {
  /** Pods by domain. */
  readonly counts: Domains;
  /** The domains of nodes that fit. */
  readonly known: Domains;
}

class SpreadScore implements FollowingScore {
  readonly normalize = byLeast;
  readonly parts: readonly ScorePart[];
  private readonly constraints: readonly Weighed[];
  private readonly shares = new NodeShares();
  /** Of nodes that fit and are scored: their domains. */
  private readonly entered = new Map<string, readonly NodeShare[]>();

  constructor(
    private readonly pod: PodInfo,
    constraints: readonly Constraint[],
    /** Then a node without one of the labels is still weighed by the others. */
    private readonly isLenient: boolean,
  ) {
    this.constraints = constraints.map((each) => ({
      ...each,
      counts: new Domains(),
      known: new Domains(),
    }));
    this.parts = this.constraints.map((each) => this.partOf(each));
  }

  score(node: NodeView): number | undefined {
    return this.isScored(node) ? scoreByParts(this.parts, node) : undefined;
  }

  isScored(node: NodeView): boolean {
    return this.isLenient || hasAllKeys(node, this.constraints);
  }

  add(node: NodeView): void {
    for (const share of this.sharesOf(node)) share.to.add(share);
  }

  update(node: NodeView): boolean {
    return this.shares.replace(node.name, this.sharesOf(node));
  }

  enter(node: NodeView): void {
    if (!this.isScored(node)) return;
    const domains = this.constraints.flatMap(({ topologyKey, known }) =>
      shareOf(node, topologyKey, known, 0),
    );
    for (const share of domains) share.to.add(share);
    this.entered.set(node.name, domains);
  }

  leave({ name }: NodeView): void {
    for (const share of this.entered.get(name) ?? []) share.to.remove(share);
    this.entered.delete(name);
  }

  private sharesOf(node: NodeView): readonly NodeShare[] {
    if (!this.isScored(node)) return [];
    return this.constraints.flatMap((each) =>
      each.topologyKey === HOSTNAME || each.isIncluded(node)
        ? shareOf(node, each.topologyKey, each.counts, countOn(node, each, this.pod))
        : [],
    );
  }

  /** The pods in a node's domain, weighed so that few domains do not drown many. */
  private partOf(constraint: Weighed): ScorePart {
    const { topologyKey: key, maxSkew, counts, known } = constraint;
    const { entered, pod } = this;
    const isOfNode = key === HOSTNAME;
    return {
      key,
      isOfNode,
      more: maxSkew - 1,
      get weight() {
        return weightOf(isOfNode ? entered.size : known.values(key).size);
      },
      amountAt: (node) => (isOfNode ? countOn(node, constraint, pod) : counts.at(node, key)),
    };
  }
}

const weightOf = (domainCount: number): number => Math.log(domainCount + 2);

const byLeast: Normalization = (raw) => {
  const scores = raw.filter((score) => score !== undefined);
  const min = scores.reduce((a, b) => Math.min(a, b), Infinity);
  const max = scores.reduce((a, b) => Math.max(a, b), 0);
  return raw.map((score) => {
    if (score === undefined) return undefined;
    return max === 0 ? MAX_NODE_SCORE : Math.floor((MAX_NODE_SCORE * (max + min - score)) / max);
  });
};

const HOSTNAME = 'kubernetes.io/hostname';
const NO_LABEL = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  isPodBound: false,
} as const;
const SKEWED = {
  reasons: ["node(s) didn't match pod topology spread constraints"],
  isPodBound: true,
} as const;
