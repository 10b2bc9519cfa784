import type { NodeExplanation } from '../../api/decisions';
import { clusterWithout } from './changed-cluster';
import { scoreNodes } from './decide';
import { filtersFor, firstRefusal, verdictOf, type PodFilters, type Rule } from './filters';
import type { NodeInfo } from './node-info';
import type { Finding } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import type { ClusterView } from './snapshot';

/**
 * Every node's verdict with all reasons, by the plugins that schedule. A pod that is bound already
 * is taken off its node first: it does not stand in its own way. Nodes that fit come first, best
 * first; then those with fewest reasons.
 */
export const explainNodes = (
  pod: PodInfo,
  cluster: ClusterView,
  profile: Profile = DEFAULT_PROFILE,
): readonly NodeExplanation[] => {
  const others = clusterWithout(pod, cluster);
  const filters = filtersFor(pod, others, profile);
  const feasible = others.nodes.filter((node) => firstRefusal(filters, node) === undefined);
  const columns = scoreNodes(pod, feasible, others, profile);
  const fitting = feasible.map((node, index) => {
    const scores = Object.fromEntries(
      profile.scores.map(({ plugin }, column) => [plugin.name, columns[column]?.[index] ?? 0]),
    );
    const total = Object.values(scores).reduce((sum, score) => sum + score, 0);
    return { node: node.name, fits: true, reasons: [], scores, total };
  });
  const fits = new Set(feasible);
  const refusing = others.nodes
    .filter((node) => !fits.has(node))
    .map((node) => explainRefusal(filters, node));
  return [
    ...fitting.sort((a, b) => b.total - a.total || (a.node < b.node ? -1 : 1)),
    ...refusing.sort((a, b) => a.reasons.length - b.reasons.length || (a.node < b.node ? -1 : 1)),
  ];
};

const explainRefusal = ({ rules }: PodFilters, node: NodeInfo): NodeExplanation => ({
  node: node.name,
  fits: false,
  reasons: rules.flatMap((rule) =>
    findingsOf(rule, node).map((finding) => ({ plugin: rule.plugin.name, ...finding })),
  ),
});

const findingsOf = (rule: Rule, node: NodeInfo): readonly Finding[] => {
  const refusal = verdictOf(rule, node);
  if (refusal === undefined) return [];
  try {
    return rule.term.explain(node);
  } catch {
    const [reason] = refusal.reasons;
    return [{ reason, detail: reason }];
  }
};
