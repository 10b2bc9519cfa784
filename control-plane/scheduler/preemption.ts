import { isBudgetOver } from '../../api/disruption-budgets';
import type { PodDisruptionBudget } from '../../api/types';
import { refusalBeside } from './beside-nominated';
import { ChangedCluster } from './changed-cluster';
import { filtersFor, firstRefusal } from './filters';
import type { NodeInfo } from './node-info';
import type { PodInfo } from './pod-info';
import type { PreemptionLimits } from './plugins/registry';
import type { Profile } from './profile';
import type { ClusterView } from './snapshot';

/** Whom to evict so that a pod fits. */
export interface Preemption {
  readonly nodeName: string;
  /** The most important first. */
  readonly victims: readonly PodInfo[];
  /** How many of them a disruption budget would keep. */
  readonly violations: number;
}

export type PreemptionOutcome =
  | { readonly kind: 'found'; readonly preemption: Preemption }
  /** Reasons, in upstream's words, with the number of nodes. */
  | { readonly kind: 'none'; readonly counts: ReadonlyMap<string, number> }
  /** By the pod's profile nobody is evicted. */
  | { readonly kind: 'off' }
  /** The pod may not evict anybody. */
  | { readonly kind: 'never' }
  /** Others are ending for it on this node already. */
  | { readonly kind: 'waiting'; readonly nodeName: string };

/** Where, and by which rules, room is looked for. */
interface Place {
  readonly cluster: ClusterView;
  readonly profile: Profile;
}

/**
 * Looks for pods of less priority whose end would let this one in: as few as can be, none without need,
 * budgets kept where there is a choice. `candidates` are the nodes where what speaks against the pod is
 * other pods. Pure. Source: upstream's defaultpreemption and framework/preemption.
 */
export const planPreemption = (
  pod: PodInfo,
  candidates: readonly NodeInfo[],
  { cluster, profile }: Place,
): PreemptionOutcome => {
  if (profile.preemption === undefined) return { kind: 'off' };
  if (pod.pod.spec.preemptionPolicy === 'Never') return { kind: 'never' };
  const promised = cluster.nominationOf(pod.uid) ?? pod.pod.status.nominatedNodeName;
  if (promised !== undefined && isMakingRoom(promised, pod, cluster))
    return { kind: 'waiting', nodeName: promised };
  const hopeless = cluster.nodeCount - candidates.length;
  const counts = new Map(hopeless === 0 ? [] : [[NOT_HELPFUL, hopeless]]);
  const found: Preemption[] = [];
  const triedMax = candidatesMax(cluster, profile.preemption);
  for (const node of candidates) {
    if (found.length === triedMax) break;
    const tried = victimsOn(pod, node, { cluster, profile });
    if (typeof tried === 'string') counts.set(tried, (counts.get(tried) ?? 0) + 1);
    else found.push(tried);
  }
  const [best] = found.sort(byHarm);
  return best === undefined ? { kind: 'none', counts } : { kind: 'found', preemption: best };
};

/** Does a pod of less priority end on the node? */
export const isMakingRoom = (
  nodeName: string,
  { priority }: PodInfo,
  { nodes }: ClusterView,
): boolean => {
  const node = nodes.find(({ name }) => name === nodeName);
  for (const other of node?.pods.values() ?? [])
    if (other.isTerminating && other.priority < priority) return true;
  return false;
};

/** The pods to evict from this node, or why that does not help. */
const victimsOn = (pod: PodInfo, node: NodeInfo, { cluster, profile }: Place) => {
  if (node.leastPriority >= pod.priority) return NO_VICTIMS;
  const lesser = [...node.pods.values()]
    .filter(({ priority }) => priority < pod.priority)
    .sort(byImportance);
  const without = new Set(lesser.map(({ uid }) => uid));
  const refusal = () => {
    const changed = node.with({ without });
    const after = new ChangedCluster(cluster, changed);
    const own = firstRefusal(filtersFor(pod, after, profile), changed);
    // Room that is being made there for others is theirs: one victim is not for two.
    return (own ?? refusalBeside(pod, changed, { cluster: after, profile }))?.refusal;
  };
  const left = refusal();
  if (left !== undefined) return left.reasons[0];
  const { violating, others } = byBudgets(lesser, cluster);
  // Who can stay does: those first whom a budget protects, and of each the most important.
  const victims = new Set<PodInfo>();
  for (const each of [...violating, ...others]) {
    without.delete(each.uid);
    if (refusal() === undefined) continue;
    without.add(each.uid);
    victims.add(each);
  }
  return {
    nodeName: node.name,
    victims: lesser.filter((each) => victims.has(each)),
    violations: violating.filter((each) => victims.has(each)).length,
  };
};

/** The pods whose end a budget would not allow, taken in this order, and the others. */
const byBudgets = (pods: readonly PodInfo[], { budgetsIn }: ClusterView) => {
  const allowed = new Map<PodDisruptionBudget, number>();
  const isViolating = (info: PodInfo): boolean => {
    let isOver = false;
    for (const budget of budgetsIn(info.namespace)) {
      const { matchLabels = {}, matchExpressions = [] } = budget.spec?.selector ?? {};
      // As upstream: here an empty selector is over none.
      if (Object.keys(matchLabels).length + matchExpressions.length === 0) continue;
      const { disruptedPods = {}, disruptionsAllowed = 0 } = budget.status ?? {};
      const isCounted = Object.hasOwn(disruptedPods, info.pod.metadata.name);
      if (isCounted || !isBudgetOver(budget, info.pod)) continue;
      const left = (allowed.get(budget) ?? disruptionsAllowed) - 1;
      allowed.set(budget, left);
      if (left < 0) isOver = true;
    }
    return isOver;
  };
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const each of pods) (isViolating(each) ? violating : others).push(each);
  return { violating, others };
};

/** Those of more priority first, then those that have run longer. */
const byImportance = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || startOf(a) - startOf(b) || (a.key < b.key ? -1 : 1);

/** One that has not started is the least to lose. Snapshots do not follow when it did: then, since when it is there. */
const startOf = ({ pod: { status, metadata } }: PodInfo): number => {
  const at = Date.parse(status.startTime ?? metadata.creationTimestamp ?? '');
  return Number.isNaN(at) ? Infinity : at;
};

/** The least harm first. Source: pickOneNodeForPreemption. */
const byHarm = (a: Preemption, b: Preemption): number =>
  a.violations - b.violations ||
  highest(a) - highest(b) ||
  sumOf(a) - sumOf(b) ||
  a.victims.length - b.victims.length ||
  later(a, b) ||
  (a.nodeName < b.nodeName ? -1 : 1);

const highest = ({ victims: [first] }: Preemption): number => first?.priority ?? -Infinity;

/** Each counts, also those of priority 0 and below. */
const sumOf = ({ victims }: Preemption): number =>
  victims.reduce((sum, { priority }) => sum + priority + PRIORITY_OFFSET, 0);

/** Of the most important victims, those that have run the shortest go first. */
const later = (a: Preemption, b: Preemption): number => {
  const earliest = ({ victims: [first, ...rest] }: Preemption): number =>
    first === undefined
      ? Infinity
      : Math.min(
          startOf(first),
          ...rest.filter(({ priority }) => priority === first.priority).map(startOf),
        );
  const [x, y] = [earliest(a), earliest(b)];
  return x === y ? 0 : y - x;
};

/** By default a tenth of the nodes, and a hundred at least. */
const candidatesMax = ({ nodeCount }: ClusterView, limits: PreemptionLimits): number =>
  Math.max(
    limits.minCandidateNodesAbsolute,
    Math.floor((nodeCount * limits.minCandidateNodesPercentage) / 100),
  );

const PRIORITY_OFFSET = 2 ** 31;
const NOT_HELPFUL = 'Preemption is not helpful for scheduling';
const NO_VICTIMS = 'No preemption victims found for incoming pod';
