import type { RankedNode, RefusalCount } from '../../api/decisions';
import { ChangedCluster } from './changed-cluster';
import { filtersFor, firstRefusal, laterRefusals, type Refused } from './filters';
import { mixHashes } from './hash';
import { noNodesMessage, unschedulableMessage, type RefusalCounts } from './message';
import type { NodeInfo, NodeView } from './node-info';
import type { ScorePlugin, ScoreTerm } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { planPreemption, type Preemption } from './preemption';
import { DEFAULT_PROFILE, type Profile } from './profile';
import { RefusalTally } from './refusal-tally';
import type { ClusterView } from './snapshot';

/** The outcome of one attempt. Equal pod, snapshot and seed give an equal decision. */
export interface Decision {
  /** Absent when no node fits. */
  readonly nodeName?: string;
  readonly nodesConsidered: number;
  readonly nodesFeasible: number;
  /** First reason of the first refusing plugin, counted; with `nodesFeasible`, all nodes. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Every reason of each node that refused, counted by set. */
  readonly refusals: readonly RefusalCount[];
  readonly top: readonly RankedNode[];
  readonly margin?: number;
  readonly decidedBy?: string;
  /** Upstream's wording; empty when scheduled. */
  readonly message: string;
  /** The plugins that refused a node: what a waiting pod is woken by. */
  readonly refusedBy: ReadonlySet<string>;
  /** Where no node fits: the pods whose end would let this one in. */
  readonly preemption?: Preemption;
  /** Where room is being made for the pod, now or since an earlier attempt. */
  readonly nominatedNodeName?: string;
}

/** Filters and scores every node; pure. Ties go to the largest hash of node, pod and seed. */
export const decide = (
  pod: PodInfo,
  snapshot: ClusterView,
  seed: number,
  profile: Profile = DEFAULT_PROFILE,
): Decision => {
  const filtered = filterNodes(pod, snapshot, profile);
  const base = {
    nodesConsidered: snapshot.nodes.length,
    nodesFeasible: filtered.feasible.length,
    reasons: Object.fromEntries(filtered.firstReasons),
    refusedBy: filtered.refusedBy,
    refusals: filtered.refusals.counts(),
  };
  if (filtered.feasible.length === 0) {
    return { ...base, top: [], ...refusalOf(pod, { snapshot, filtered, profile }) };
  }
  const top = rank(pod, filtered.feasible, snapshot, seed, profile);
  const [winner, runnerUp] = top;
  return {
    ...base,
    ...(winner === undefined ? {} : { nodeName: winner.node }),
    ...(winner === undefined || runnerUp === undefined ? {} : separation(winner, runnerUp)),
    top,
    message: '',
  };
};

interface Filtered {
  readonly feasible: readonly NodeView[];
  readonly firstReasons: ReadonlyMap<string, number>;
  readonly refusedBy: ReadonlySet<string>;
  readonly counts: RefusalCounts;
  readonly refusals: RefusalTally;
  /** Nodes where what speaks against the pod is other pods. */
  readonly podBound: readonly NodeInfo[];
}

const filterNodes = (pod: PodInfo, snapshot: ClusterView, profile: Profile): Filtered => {
  const feasible: NodeView[] = [];
  const firstReasons = new Map<string, number>();
  const allReasons = new Map<string, number>();
  const refusedBy = new Set<string>();
  const refusals = new RefusalTally();
  const podBound: NodeInfo[] = [];
  const filters = filtersFor(pod, snapshot, profile);
  const { rejection: rejected } = filters;
  for (const node of snapshot.nodes) {
    const own = firstRefusal(filters, node);
    if (own?.refusal.isPodBound === true) podBound.push(node);
    const refused = own ?? refusalBeside(pod, node, { cluster: snapshot, profile });
    if (refused === undefined) {
      feasible.push(node);
      continue;
    }
    const { plugin, refusal } = refused;
    refusals.add(refusal, rejected === undefined ? laterRefusals(filters, plugin, node) : []);
    refusedBy.add(plugin.name);
    increment(firstReasons, refusal.reasons[0]);
    for (const reason of refusal.reasons) increment(allReasons, reason);
  }
  // Without a node there is none to refuse: what would let the pod in is asked for all the same.
  if (rejected !== undefined) refusedBy.add(rejected.plugin.name);
  const rejection = rejected?.refusal.reasons[0];
  const counts = { reasons: allReasons, ...(rejection === undefined ? {} : { rejection }) };
  return { feasible, firstReasons, refusedBy, counts, refusals, podBound };
};

/** What speaks against the pod once those have come for whom room is being made, if they go before it. */
const refusalBeside = (
  pod: PodInfo,
  node: NodeInfo,
  { cluster, profile }: { readonly cluster: ClusterView; readonly profile: Profile },
): Refused | undefined => {
  const also = cluster
    .nominatedOn(node.name)
    .filter(({ uid, priority }) => uid !== pod.uid && priority >= pod.priority);
  if (also.length === 0) return undefined;
  const changed = node.with({ also });
  return firstRefusal(filtersFor(pod, new ChangedCluster(cluster, changed), profile), changed);
};

interface Attempted {
  readonly snapshot: ClusterView;
  readonly filtered: Filtered;
  readonly profile: Profile;
}

/** What is said of a pod that fits nowhere, and who could make room for it. */
const refusalOf = (
  pod: PodInfo,
  { snapshot: cluster, filtered: { counts, podBound }, profile }: Attempted,
): Pick<Decision, 'message' | 'preemption' | 'nominatedNodeName'> => {
  if (cluster.nodeCount === 0) return { message: noNodesMessage };
  const outcome = planPreemption(pod, podBound, { cluster, profile });
  const message = unschedulableMessage(cluster.nodeCount, counts, outcome);
  switch (outcome.kind) {
    case 'found': {
      const { preemption } = outcome;
      return { message, preemption, nominatedNodeName: preemption.nodeName };
    }
    case 'waiting':
      return { message, nominatedNodeName: outcome.nodeName };
    default:
      return { message };
  }
};

/** Weighted scores of every feasible node, per plugin of the profile. */
export const scoreNodes = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  cluster: ClusterView,
  { scores }: Profile = DEFAULT_PROFILE,
): readonly (readonly number[])[] =>
  scores.map(({ plugin, weight }) => {
    const term = scoreTermOf(plugin, pod, cluster, nodes);
    if (term === undefined) return nodes.map(() => 0);
    const raw = nodes.map((node) => scoreOf(term, node));
    return (term.normalize?.(raw) ?? raw).map((score) => (score ?? 0) * weight);
  });

/** A plugin that breaks has nothing to say: of the pod, or of one node. */
const scoreTermOf = (
  plugin: ScorePlugin,
  pod: PodInfo,
  cluster: ClusterView,
  nodes: readonly NodeView[],
): ScoreTerm | undefined => {
  try {
    return plugin.prepare(pod, cluster, nodes);
  } catch {
    return undefined;
  }
};

const scoreOf = (term: ScoreTerm, node: NodeView): number | undefined => {
  try {
    const score = term.score(node);
    return Number.isFinite(score) ? score : undefined;
  } catch {
    return undefined;
  }
};

interface Candidate {
  readonly index: number;
  readonly total: number;
  readonly tieBreak: number;
}

const rank = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  snapshot: ClusterView,
  seed: number,
  profile: Profile,
): readonly RankedNode[] => {
  const columns = scoreNodes(pod, nodes, snapshot, profile);
  const best: Candidate[] = [];
  nodes.forEach((node, index) => {
    let total = 0;
    for (const column of columns) total += column[index] ?? 0;
    keepBest(best, { index, total, tieBreak: mixHashes(node.hash, pod.hash, seed) }, nodes);
  });
  return best.map(({ index, total }) => ({
    node: nodes[index]?.name ?? '',
    total,
    scores: Object.fromEntries(
      profile.scores.map(({ plugin }, column) => [plugin.name, columns[column]?.[index] ?? 0]),
    ),
  }));
};

const keepBest = (best: Candidate[], next: Candidate, nodes: readonly NodeView[]): void => {
  let place = best.length;
  for (let above = best[place - 1]; above !== undefined; above = best[place - 1]) {
    if (compare(above, next, nodes) <= 0) break;
    place--;
  }
  if (place >= TOP_COUNT) return;
  best.splice(place, 0, next);
  if (best.length > TOP_COUNT) best.pop();
};

// Names settle equal hashes, so that the order nodes arrived in never matters.
const compare = (a: Candidate, b: Candidate, nodes: readonly NodeView[]): number =>
  b.total - a.total ||
  b.tieBreak - a.tieBreak ||
  ((nodes[a.index]?.name ?? '') < (nodes[b.index]?.name ?? '') ? -1 : 1);

const separation = (winner: RankedNode, runnerUp: RankedNode) => {
  let decidedBy = TIE;
  let largest = 0;
  for (const [plugin, score] of Object.entries(winner.scores)) {
    const lead = score - (runnerUp.scores[plugin] ?? 0);
    if (lead > largest) {
      largest = lead;
      decidedBy = plugin;
    }
  }
  const margin = winner.total - runnerUp.total;
  return { margin, decidedBy: margin === 0 ? TIE : decidedBy };
};

const increment = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

/** `decidedBy` when winner and runner-up have equal totals. */
export const TIE = 'tie';
const TOP_COUNT = 3;
