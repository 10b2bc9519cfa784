import { formatBytes, formatCpuMillis } from '../../api/quantity';
import { ChangedCluster, clusterWithout } from './changed-cluster';
import { exactRequest } from './exact-amounts';
import { filtersFor, firstRefusal, verdictOf, type PodFilters } from './filters';
import { NodeInfo } from './node-info';
import { COST, type Placement, type Remedy } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import type { ClusterView } from './snapshot';

/**
 * The smallest change that would make the pod fit, in words, verified by running every filter on
 * the changed pod and node. Where it costs something, the smallest on the other side is named too.
 */
export const suggest = (
  pod: PodInfo,
  cluster: ClusterView,
  { nodeName, except, profile = DEFAULT_PROFILE }: Question = {},
): string | undefined => {
  const without = clusterWithout(pod, cluster);
  const filters = filtersFor(pod, without, profile);
  const nodes = without.nodes.filter(isAskedFor({ nodeName, except }));
  // It fits already: there is nothing to change.
  if (nodes.some((node) => firstRefusal(filters, node) === undefined)) return undefined;
  const [best, ...others] = plansOrNone(pod, without, { nodeName, except, profile });
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
  /** Nodes that are to stay as they are, and are not to take it. */
  readonly except?: ReadonlySet<string> | undefined;
  readonly profile?: Profile;
}

const isAskedFor =
  ({ nodeName, except }: Question) =>
  ({ name }: NodeInfo): boolean =>
    (nodeName === undefined || name === nodeName) && except?.has(name) !== true;

/** A courtesy: what breaks it must not break the attempt, or the explanation, that it is part of. */
const plansOrNone = (pod: PodInfo, cluster: ClusterView, question: Question): readonly Plan[] => {
  try {
    return plansFor(pod, cluster, question);
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
  cluster: ClusterView,
  { nodeName, except, profile = DEFAULT_PROFILE }: Question = {},
): readonly Plan[] => {
  const question = { cluster: clusterWithout(pod, cluster), profile };
  const plans = closestNodes(pod, question, { nodeName, except }).flatMap((node) =>
    plansFrom({ pod, node }, question),
  );
  const others = nodeName === undefined ? newNodePlans(pod, question) : [];
  return [...plans, ...others].sort((a, b) => a.cost - b.cost || (a.words < b.words ? -1 : 1));
};

/** Nodes that the fewest plugins refuse; few enough that a large cluster costs no more. */
const closestNodes = (
  pod: PodInfo,
  { cluster, profile }: Place,
  asked: Question,
): readonly NodeInfo[] => {
  const { rules } = filtersFor(pod, cluster, profile);
  return cluster.nodes
    .filter(isAskedFor(asked))
    .map((node) => ({
      node,
      count: rules.filter((rule) => verdictOf(rule, node) !== undefined).length,
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => a.count - b.count || (a.node.name < b.node.name ? -1 : 1))
    .slice(0, NODES_MAX)
    .map(({ node }) => node);
};

/** Where, and by which rules, a pod is to be placed. */
interface Place {
  readonly cluster: ClusterView;
  readonly profile: Profile;
}

/** Satisfies one refusing plugin after another; a remedy may satisfy several. */
const plansFrom = (
  placement: Placement,
  place: Place,
  taken: readonly Remedy[] = [],
): readonly Plan[] => {
  const { rules } = filtersAt(placement, place);
  const refusing = rules.find((rule) => verdictOf(rule, placement.node) !== undefined);
  if (refusing === undefined) return [planOf(taken, placement)];
  if (taken.length >= rules.length) return [];
  return refusing.term.remedies(placement.node).flatMap((remedy) => {
    const next = remedy.apply(placement);
    const same = filtersAt(next, place).rules.find(({ plugin }) => plugin === refusing.plugin);
    const helps = same === undefined || verdictOf(same, next.node) === undefined;
    return helps ? plansFrom(next, place, [...taken, remedy]) : [];
  });
};

/** As the rules see the pod once the node is as the placement has it. */
const filtersAt = ({ pod, node }: Placement, { cluster, profile }: Place): PodFilters =>
  filtersFor(pod, new ChangedCluster(cluster, node), profile);

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
const newNodePlans = (pod: PodInfo, place: Place): readonly Plan[] => {
  const { allocatable, words } = describeRequests(pod);
  const node = new NodeInfo({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NEW_NODE },
    spec: {},
    status: { allocatable: { ...allocatable, pods: '1' } },
  });
  const size = words.length === 0 ? '' : ` with ${words.join(' and ')} to allocate`;
  return plansFrom({ pod, node }, place)
    .filter(({ touches }) => touches === 'node')
    .map((plan) => ({
      ...plan,
      words: [`add a node${size}`, plan.words].filter((each) => each !== '').join(', and '),
      cost: plan.cost + COST.moreCapacity,
    }));
};

const describeRequests = (pod: PodInfo) => {
  const asked = (resource: string): bigint => exactRequest(pod, resource);
  const amounts = (
    [
      ['cpu', formatCpuMillis(asked('cpu'))],
      ['memory', formatBytes(asked('memory'))],
      ['ephemeral-storage', formatBytes(asked('ephemeral-storage'))],
      ...Object.keys(pod.requests.others).map((name) => [name, String(asked(name))] as const),
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
