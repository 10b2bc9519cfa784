import { matchesNodeAffinity } from '../../../api/node-affinity';
import { matchesRequirements, type LabelRequirement } from '../../../api/selectors';
import { isTolerated } from '../../../api/taints';
import type { PodSpec } from '../../../api/types';
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

/**
 * Keeps pods from nodes whose domain has more of their kind than the emptiest by more than they
 * allow. Source: upstream's podtopologyspread/filtering.go; KEP-895, KEP-3022, KEP-3094, KEP-3243.
 */
export const podTopologySpread: FilterPlugin = {
  name: 'PodTopologySpread',
  scope: 'domain',
  wakeOn: ['PodsChanged', 'DomainsChanged'],

  prepare(pod, cluster) {
    const constraints = constraintsOf(pod, 'DoNotSchedule');
    return constraints.length === 0 ? undefined : new SpreadFilter(pod, cluster, constraints);
  },
};

/** One constraint of one pod. */
interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly requirements: readonly LabelRequirement[];
  readonly words: string;
  /** 1 where the pod itself will count. */
  readonly own: number;
  /** Whether the pods of a node count, and its domain exists. */
  isIncluded(node: NodeView): boolean;
}

type Spread = NonNullable<PodSpec['topologySpreadConstraints']>[number];

const constraintsOf = (
  { pod: { spec }, labels }: PodInfo,
  whenUnsatisfiable: string,
): readonly Constraint[] =>
  (spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => {
      const requirements = withLabelKeys(constraint.labelSelector, labels, constraint);
      return {
        topologyKey: constraint.topologyKey,
        maxSkew: constraint.maxSkew,
        minDomains: constraint.minDomains ?? 1,
        requirements: requirements ?? [],
        words: wordsOf(requirements),
        own: requirements !== undefined && matchesRequirements(requirements, labels) ? 1 : 0,
        isIncluded: (node) => isIncluded(spec, constraint, node),
      };
    });

const isIncluded = (
  spec: PodSpec,
  { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' }: Spread,
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
const countOn = (
  { pods }: NodeView,
  { requirements }: Constraint,
  { namespace, uid }: PodInfo,
): number => {
  if (requirements.length === 0) return 0;
  let count = 0;
  for (const other of pods.values())
    if (
      other.namespace === namespace &&
      other.uid !== uid &&
      !other.isTerminating &&
      matchesRequirements(requirements, other.labels)
    )
      count++;
  return count;
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
export const podTopologySpreadScore: ScorePlugin = {
  name: 'PodTopologySpread',
  scope: 'domain',

  prepare(pod, cluster, feasible) {
    const constraints = constraintsOf(pod, 'ScheduleAnyway');
    if (constraints.length === 0) return undefined;
    const counted = feasible.filter((node) => hasAllKeys(node, constraints));
    const weighed = constraints.map((constraint) =>
      weighedBy(pod, constraint, { counted, cluster, constraints }),
    );
    return {
      normalize: byLeast,
      score: (node) =>
        hasAllKeys(node, constraints)
          ? Math.round(weighed.reduce((sum, { maxSkew, at }) => sum + at(node) + maxSkew - 1, 0))
          : undefined,
    };
  },
};

interface Counting {
  /** Nodes that fit and have all labels. */
  readonly counted: readonly NodeView[];
  readonly cluster: ClusterView;
  readonly constraints: readonly Constraint[];
}

/** The pods in a node's domain, weighed so that few domains do not drown many. */
const weighedBy = (
  pod: PodInfo,
  constraint: Constraint,
  { counted, cluster, constraints }: Counting,
) => {
  const { topologyKey, maxSkew } = constraint;
  if (topologyKey === HOSTNAME) {
    const weight = weightOf(counted.length);
    return { maxSkew, at: (node: NodeView) => countOn(node, constraint, pod) * weight };
  }
  const domains = new Domains();
  for (const node of counted) domains.addAt(node, topologyKey, 0);
  const known = domains.values(topologyKey);
  for (const node of cluster.nodes) {
    const domain = domainOf(node, topologyKey) ?? '';
    if (known.has(domain) && hasAllKeys(node, constraints) && constraint.isIncluded(node))
      domains.addAt(node, topologyKey, countOn(node, constraint, pod));
  }
  const weight = weightOf(known.size);
  return {
    maxSkew,
    at: (node: NodeView) => domains.at(node, topologyKey) * weight,
  };
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
