import type { ResourceAmounts } from '../../api/pods';
import { formatBytes, formatCpuMillis } from '../../api/quantity';
import { firstRefusal, verdictOf } from './decide';
import { nodesWithout } from './explain';
import { NodeInfo } from './node-info';
import { COST, type Placement, type Remedy } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import type { Snapshot } from './snapshot';

/**
 * The smallest change that would make the pod fit, in words, verified by running every filter on
 * the changed pod and node. Where it costs something, the smallest on the other side is named too.
 */
export const suggest = (
  pod: PodInfo,
  snapshot: Snapshot,
  { nodeName, profile = DEFAULT_PROFILE }: Question = {},
): string | undefined => {
  const nodes = nodesWithout(pod, snapshot).filter(isAskedFor(nodeName));
  // It fits already: there is nothing to change.
  if (nodes.some((node) => firstRefusal(pod, node, profile) === undefined)) return undefined;
  const [best, ...others] = plansOrNone(pod, snapshot, { nodeName, profile });
  if (best === undefined) return undefined;
  const other =
    best.cost < ALTERNATIVE_FROM_COST
      ? undefined
      : others.find(({ touches }) => touches !== 'both' && touches !== best.touches);
  return other === undefined ? best.words : `${best.words}, or ${other.words}`;
};

/** What is to be made to fit: any node, or the one named. */
export interface Question {
  readonly nodeName?: string | undefined;
  readonly profile?: Profile;
}

const isAskedFor =
  (nodeName: string | undefined) =>
  ({ name }: NodeInfo): boolean =>
    nodeName === undefined || name === nodeName;

/** A courtesy: what breaks it must not break the attempt, or the explanation, that it is part of. */
const plansOrNone = (pod: PodInfo, snapshot: Snapshot, question: Question): readonly Plan[] => {
  try {
    return plansFor(pod, snapshot, question);
  } catch {
    return [];
  }
};

export interface Plan {
  readonly words: string;
  readonly cost: number;
  readonly touches: 'node' | 'pod' | 'both';
  /** The pod and its node when all is done. */
  readonly outcome: Placement;
}

/** Ways to make the pod fit what is asked for, the smallest change first. */
export const plansFor = (
  pod: PodInfo,
  snapshot: Snapshot,
  { nodeName, profile = DEFAULT_PROFILE }: Question = {},
): readonly Plan[] => {
  const nodes = nodesWithout(pod, snapshot).filter(isAskedFor(nodeName));
  const plans = closestNodes(pod, nodes, profile).flatMap((node) =>
    plansFrom({ pod, node }, profile),
  );
  const others = nodeName === undefined ? newNodePlans(pod, profile) : [];
  return [...plans, ...others].sort((a, b) => a.cost - b.cost || (a.words < b.words ? -1 : 1));
};

/** Nodes that the fewest plugins refuse; few enough that a large cluster costs no more. */
const closestNodes = (
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  { filters }: Profile,
): readonly NodeInfo[] =>
  nodes
    .map((node) => ({
      node,
      count: filters.filter((plugin) => verdictOf(plugin, pod, node) !== undefined).length,
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => a.count - b.count || (a.node.name < b.node.name ? -1 : 1))
    .slice(0, NODES_MAX)
    .map(({ node }) => node);

/** Satisfies one refusing plugin after another; a remedy may satisfy several. */
const plansFrom = (
  placement: Placement,
  profile: Profile,
  taken: readonly Remedy[] = [],
): readonly Plan[] => {
  const refused = firstRefusal(placement.pod, placement.node, profile);
  if (refused === undefined) return [planOf(taken, placement)];
  if (taken.length >= profile.filters.length) return [];
  const { plugin } = refused;
  return plugin.remedies(placement.pod, placement.node).flatMap((remedy) => {
    const next = remedy.apply(placement);
    const helps = verdictOf(plugin, next.pod, next.node) === undefined;
    return helps ? plansFrom(next, profile, [...taken, remedy]) : [];
  });
};

const planOf = (remedies: readonly Remedy[], outcome: Placement): Plan => {
  const targets = new Set(remedies.map(({ target }) => target));
  const [target = 'node'] = targets;
  return {
    words: remedies.map(({ words }) => words).join(', and '),
    cost: remedies.reduce((sum, { cost }) => sum + cost, 0),
    touches: targets.size > 1 ? 'both' : target,
    outcome,
  };
};

/** An empty node with exactly what the pod asks for. */
const newNodePlans = (pod: PodInfo, profile: Profile): readonly Plan[] => {
  const { allocatable, words } = describeRequests(pod.requests);
  const node = new NodeInfo({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NEW_NODE },
    spec: {},
    status: { allocatable: { ...allocatable, pods: '1' } },
  });
  const size = words.length === 0 ? '' : ` with ${words.join(' and ')} to allocate`;
  return plansFrom({ pod, node }, profile)
    .filter(({ touches }) => touches === 'node')
    .map((plan) => ({
      ...plan,
      words: [`add a node${size}`, plan.words].filter((each) => each !== '').join(', and '),
      cost: plan.cost + COST.moreCapacity,
    }));
};

const describeRequests = ({ others, ...requests }: ResourceAmounts) => {
  const amounts = (
    [
      ['cpu', formatCpuMillis(requests.cpuMillis)],
      ['memory', formatBytes(requests.memoryBytes)],
      ['ephemeral-storage', formatBytes(requests.ephemeralStorageBytes)],
      ...Object.entries(others).map(([name, count]) => [name, String(count)] as const),
    ] as const
  ).filter(([, amount]) => amount !== '0');
  return {
    allocatable: Object.fromEntries(amounts),
    words: amounts.map(([name, amount]) => `${amount} ${name}`),
  };
};

const NEW_NODE = 'the-new-node';
const NODES_MAX = 64;
/** From the cost of deleting pods on, another way is worth a mention. */
const ALTERNATIVE_FROM_COST = 4;
