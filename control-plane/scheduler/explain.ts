import type { NodeExplanation } from '../../api/decisions';
import { scoreNodes, firstRefusal, verdictOf } from './decide';
import type { NodeInfo } from './node-info';
import type { FilterPlugin, Finding } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import type { Snapshot } from './snapshot';

/**
 * Every node's verdict with all reasons, by the plugins that schedule. A pod that is bound already
 * is taken off its node first: it does not stand in its own way. Nodes that fit come first, best
 * first; then those with fewest reasons.
 */
export const explainNodes = (
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile = DEFAULT_PROFILE,
): readonly NodeExplanation[] => {
  const nodes = nodesWithout(pod, snapshot);
  const feasible = nodes.filter((node) => firstRefusal(pod, node, profile) === undefined);
  const columns = scoreNodes(pod, feasible, snapshot, profile);
  const fitting = feasible.map((node, index) => {
    const scores = Object.fromEntries(
      profile.scores.map(({ plugin }, column) => [plugin.name, columns[column]?.[index] ?? 0]),
    );
    const total = Object.values(scores).reduce((sum, score) => sum + score, 0);
    return { node: node.name, fits: true, reasons: [], scores, total };
  });
  const fits = new Set(feasible);
  const refusing = nodes
    .filter((node) => !fits.has(node))
    .map((node) => explainRefusal(pod, node, profile));
  return [
    ...fitting.sort((a, b) => b.total - a.total || (a.node < b.node ? -1 : 1)),
    ...refusing.sort((a, b) => a.reasons.length - b.reasons.length || (a.node < b.node ? -1 : 1)),
  ];
};

/** The nodes as they would be without this pod. */
export const nodesWithout = ({ uid }: PodInfo, { nodes }: Snapshot): readonly NodeInfo[] =>
  nodes.map((node) => (node.pods.has(uid) ? node.with({ without: new Set([uid]) }) : node));

const explainRefusal = (pod: PodInfo, node: NodeInfo, profile: Profile): NodeExplanation => ({
  node: node.name,
  fits: false,
  reasons: profile.filters.flatMap((plugin) =>
    findingsOf(plugin, pod, node).map((finding) => ({ plugin: plugin.name, ...finding })),
  ),
});

const findingsOf = (plugin: FilterPlugin, pod: PodInfo, node: NodeInfo): readonly Finding[] => {
  const refusal = verdictOf(plugin, pod, node);
  if (refusal === undefined) return [];
  try {
    return plugin.explain(pod, node);
  } catch {
    const [reason] = refusal.reasons;
    return [{ reason, detail: reason }];
  }
};
