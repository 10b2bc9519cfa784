import { firstRefusal } from './decide';
import { nodesWithout } from './explain';
import type { NodeInfo } from './node-info';
import type { Placement, Remedy } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import type { Snapshot } from './snapshot';

/**
 * The smallest change that would make the pod fit, in words, verified by running every filter on
 * the changed pod and node. Where a change to the pod would do as well, it is named too.
 */
export const suggest = (
  pod: PodInfo,
  snapshot: Snapshot,
  profile: Profile = DEFAULT_PROFILE,
): string | undefined => {
  const nodes = nodesWithout(pod, snapshot);
  if (nodes.length === 0) return 'add a node';
  const plans = closestNodes(pod, nodes, profile).flatMap((node) => plansFor(pod, node, profile));
  const ordered = plans.sort((a, b) => a.cost - b.cost || (a.words < b.words ? -1 : 1));
  const [best] = ordered;
  if (best === undefined) return undefined;
  const other =
    best.touches === 'node' && best.cost >= ALTERNATIVE_FROM_COST
      ? ordered.find(({ touches }) => touches === 'pod')
      : undefined;
  return other === undefined ? best.words : `${best.words}, or ${other.words}`;
};

interface Plan {
  readonly words: string;
  readonly cost: number;
  readonly touches: 'node' | 'pod' | 'both';
}

/** Nodes that the fewest plugins refuse; few enough that a large cluster costs no more. */
const closestNodes = (
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  { filters }: Profile,
): readonly NodeInfo[] =>
  nodes
    .map((node) => ({
      node,
      count: filters.filter((plugin) => plugin.filter(pod, node) !== undefined).length,
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => a.count - b.count || (a.node.name < b.node.name ? -1 : 1))
    .slice(0, NODES_MAX)
    .map(({ node }) => node);

/** One plan per choice at the last refusing plugin; before it, the cheapest remedy of each. */
const plansFor = (pod: PodInfo, node: NodeInfo, profile: Profile): readonly Plan[] => {
  const refusing = profile.filters.filter((plugin) => plugin.filter(pod, node) !== undefined);
  const choices = refusing.map((plugin) =>
    [...plugin.remedies(pod, node)].sort((a, b) => a.cost - b.cost),
  );
  const last = choices.pop();
  if (last === undefined) return [];
  const before = choices.map(([cheapest]) => cheapest);
  if (!before.every((remedy) => remedy !== undefined)) return [];
  return last
    .map((remedy) => [...before, remedy])
    .filter((remedies) => isEnough({ pod, node }, remedies, profile))
    .map(planOf);
};

const isEnough = (start: Placement, remedies: readonly Remedy[], profile: Profile): boolean => {
  const { pod, node } = remedies.reduce((placement, remedy) => remedy.apply(placement), start);
  return firstRefusal(pod, node, profile) === undefined;
};

const planOf = (remedies: readonly Remedy[]): Plan => {
  const targets = new Set(remedies.map(({ target }) => target));
  const [target = 'node'] = targets;
  return {
    words: remedies.map(({ words }) => words).join(', and '),
    cost: remedies.reduce((sum, { cost }) => sum + cost, 0),
    touches: targets.size > 1 ? 'both' : target,
  };
};

const NODES_MAX = 64;
/** From the cost of deleting pods on, a way that spares them is worth a mention. */
const ALTERNATIVE_FROM_COST = 4;
