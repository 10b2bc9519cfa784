import { matchesNodeAffinity } from '../../../api/node-affinity';
import { matchesRequirements, type LabelRequirement } from '../../../api/selectors';
import { isTolerated } from '../../../api/taints';
import type { PodSpec } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import { Domains, domainOf } from '../domains';
import type { NodeInfo, NodeView } from '../node-info';
import { withLabelKeys, wordsOf } from '../pod-affinity';
import type { PodInfo } from '../pod-info';
import type { ClusterView } from '../snapshot';
import { labelRemedy } from './node-affinity';
import {
  MAX_NODE_SCORE,
  type FilterPlugin,
  type FilterTerm,
  type Finding,
  type Normalization,
  type Refusal,
  type Remedy,
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
    return constraints.length === 0 ? undefined : new SpreadFilter(pod, cluster, constraints);
  },
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
  /** Pods in the emptiest domain; 0 while there are fewer domains than are wanted. */
  readonly least: number;
}

class SpreadFilter implements FilterTerm {
  private readonly constraints: readonly Counted[];

  constructor(pod: PodInfo, cluster: ClusterView, constraints: readonly Constraint[]) {
    const nodes = cluster.nodes.filter((node) => hasAllKeys(node, constraints));
    this.constraints = constraints.map((constraint) => {
      const { topologyKey, minDomains } = constraint;
      const counts = new Domains();
      for (const node of nodes)
        if (constraint.isIncluded(node))
          counts.addAt(node, topologyKey, countOn(node, constraint, pod));
      const values = [...counts.values(topologyKey).values()];
      const least = values.length < minDomains ? 0 : Math.min(...values);
      return { ...constraint, counts, least };
    });
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
      const { topologyKey, maxSkew, words, counts, least, minDomains } = constraint;
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
          : `the emptiest has ${least}`;
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

const skewAt = ({ counts, topologyKey, own, least }: Counted, node: NodeView): number =>
  counts.at(node, topologyKey) + own - least;

/** Prefers domains with fewer pods of the kind. Source: podtopologyspread/scoring.go. */
export const podTopologySpreadScore = (defaults: SpreadDefaults): ScorePlugin => ({
  name: 'PodTopologySpread',
  scope: 'domain',
  basis: (pod, cluster) =>
    constraintsOf(pod, 'ScheduleAnyway', { defaults, cluster }).length === 0 ? '' : undefined,

  prepare(pod, cluster, feasible) {
    const constraints = constraintsOf(pod, 'ScheduleAnyway', { defaults, cluster });
    if (constraints.length === 0) return undefined;
    const isOnSystem = defaults.isSystem && !hasOwn(pod);
    const isCounted = (node: NodeView) => isOnSystem || hasAllKeys(node, constraints);
    const counted = feasible.filter(isCounted);
    const weighed = constraints.map((constraint) =>
      weighedBy(pod, constraint, { counted, cluster, isCounted }),
    );
    return {
      normalize: byLeast,
      score: (node) =>
        isCounted(node)
          ? Math.round(weighed.reduce((sum, each) => sum + (each(node) ?? 0), 0))
          : undefined,
    };
  },
});

interface Counting {
  /** Nodes that fit and are counted. */
  readonly counted: readonly NodeView[];
  readonly cluster: ClusterView;
  readonly isCounted: (node: NodeView) => boolean;
}

/**
 * The pods in a node's domain, weighed so that few domains do not drown many; undefined where the node
 * is in none.
 */
const weighedBy = (
  pod: PodInfo,
  constraint: Constraint,
  { counted, cluster, isCounted }: Counting,
): ((node: NodeView) => number | undefined) => {
  const { topologyKey, maxSkew } = constraint;
  const scored = (node: NodeView, count: () => number, weight: number) =>
    domainOf(node, topologyKey) === undefined ? undefined : count() * weight + maxSkew - 1;
  if (topologyKey === HOSTNAME) {
    const weight = weightOf(counted.length);
    return (node) => scored(node, () => countOn(node, constraint, pod), weight);
  }
  const domains = new Domains();
  for (const node of counted) domains.addAt(node, topologyKey, 0);
  const known = domains.values(topologyKey);
  for (const node of cluster.nodes) {
    const domain = domainOf(node, topologyKey);
    if (domain !== undefined && known.has(domain) && isCounted(node) && constraint.isIncluded(node))
      domains.addAt(node, topologyKey, countOn(node, constraint, pod));
  }
  const weight = weightOf(known.size);
  return (node) => scored(node, () => domains.at(node, topologyKey), weight);
};

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
