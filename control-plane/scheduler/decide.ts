import type { RankedNode, RefusalCount } from '../../api/decisions';
import { refusalBeside } from './beside-nominated';
import { filtersFor, firstRefusal, laterRefusals } from './filters';
import { noNodesMessage, unschedulableMessage } from './message';
import type { NodeInfo, NodeView } from './node-info';
import type { CallMeter, ProfileMeter } from './plugin-metrics';
import type { Normalization, ScorePlugin, ScoreTerm } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { planPreemption, type Preemption, type PreemptionOutcome } from './preemption';
import { DEFAULT_PROFILE, type Profile } from './profile';
import { RefusalTally } from './refusal-tally';
import type { ClusterView } from './snapshot';
import { ringDistance, ringPlaceOf, ringStartOf } from './tie-break';

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

/** Filters and scores every node; pure. Ties go by the ring of `tie-break.ts`. */
export const decide = (
  pod: PodInfo,
  cluster: ClusterView,
  seed: number,
  profile: Profile = DEFAULT_PROFILE,
): Decision => {
  const { feasible, tally, podBound } = filterNodes(pod, cluster, profile);
  return conclude(
    pod,
    {
      nodesFeasible: feasible.length,
      tally,
      podBound: () => podBound,
      top: () => rank(pod, feasible, cluster, seed, profile),
    },
    { cluster, profile },
  );
};

/** What all nodes say, however it was found out. */
export interface Judgement {
  readonly nodesFeasible: number;
  readonly tally: RefusalTally;
  /** Nodes where what speaks against the pod is other pods, in the cluster's order. Asked where none fits. */
  readonly podBound: () => readonly NodeInfo[];
  /** The best nodes, best first. Asked where some fit. */
  readonly top: () => readonly RankedNode[];
}

interface Place {
  readonly cluster: ClusterView;
  readonly profile: Profile;
}

/** The decision that follows from the judgement of every node. */
export const conclude = (pod: PodInfo, judgement: Judgement, place: Place): Decision => {
  const { nodesFeasible, tally } = judgement;
  const base = {
    nodesConsidered: place.cluster.nodeCount,
    nodesFeasible,
    reasons: tally.firstReasons(),
    refusedBy: tally.refusedBy,
    refusals: tally.counts(),
  };
  if (nodesFeasible === 0) return { ...base, top: [], ...refusalOf(pod, judgement, place) };
  const top = judgement.top();
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
  readonly tally: RefusalTally;
  readonly podBound: readonly NodeInfo[];
}

/** What each of these nodes has against the pod, counted. */
export const refusalsOn = (
  nodes: readonly NodeInfo[],
  pod: PodInfo,
  { cluster, profile }: Place,
): readonly RefusalCount[] => filterNodes(pod, cluster, profile, nodes).tally.counts();

const filterNodes = (
  pod: PodInfo,
  cluster: ClusterView,
  profile: Profile,
  nodes: readonly NodeInfo[] = cluster.nodes,
): Filtered => {
  const feasible: NodeView[] = [];
  const podBound: NodeInfo[] = [];
  const filters = filtersFor(pod, cluster, profile);
  const tally = new RefusalTally(filters.rejection);
  for (const node of nodes) {
    const own = firstRefusal(filters, node);
    if (own?.refusal.isPodBound === true) podBound.push(node);
    const refused = own ?? refusalBeside(pod, node, { cluster, profile });
    if (refused === undefined) feasible.push(node);
    else if (filters.rejection !== undefined) tally.add(refused, []);
    else tally.add(refused, laterRefusals(filters, refused.plugin, node));
  }
  return { feasible, tally, podBound };
};

/** What is said of a pod that fits nowhere, and who could make room for it. */
const refusalOf = (
  pod: PodInfo,
  { tally, podBound }: Judgement,
  { cluster, profile }: Place,
): Pick<Decision, 'message' | 'preemption' | 'nominatedNodeName'> => {
  if (cluster.nodeCount === 0) return { message: noNodesMessage };
  const outcome = measuredPreemption(profile, () =>
    planPreemption(pod, podBound(), { cluster, profile }),
  );
  const message = unschedulableMessage(cluster.nodeCount, tally, outcome);
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

const measuredPreemption = (
  { preemption, meter }: Profile,
  plan: () => PreemptionOutcome,
): PreemptionOutcome => {
  if (preemption === undefined || meter === undefined) return plan();
  const call = meter.of('DefaultPreemption', 'PostFilter');
  const startMs = call.begin();
  const outcome = plan();
  call.end(startMs, outcome.kind === 'found' ? 'Success' : 'Unschedulable');
  return outcome;
};

/** Weighted scores of every feasible node, per plugin of the profile. */
export const scoreNodes = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  cluster: ClusterView,
  { scores, meter }: Profile = DEFAULT_PROFILE,
): readonly (readonly number[])[] =>
  scores.map(({ plugin, weight }) => {
    const term = scoreTermOf({ plugin, meter }, pod, cluster, nodes);
    if (term === undefined) return nodes.map(() => 0);
    const call = meter?.of(plugin.name, 'Score');
    const raw = nodes.map((node) => scoreOf(term, node, call));
    const shares = normalized(term.normalize, raw, meter?.of(plugin.name, NORMALIZE));
    return shares.map((score) => (score ?? 0) * weight);
  });

interface MeasuredScore {
  readonly plugin: ScorePlugin;
  readonly meter?: ProfileMeter | undefined;
}

/** A plugin that breaks has nothing to say: of the pod, or of one node. */
export const scoreTermOf = (
  { plugin, meter }: MeasuredScore,
  pod: PodInfo,
  cluster: ClusterView,
  nodes: readonly NodeView[],
): ScoreTerm | undefined => {
  const call = meter?.of(plugin.name, 'PreScore');
  const startMs = call?.begin() ?? 0;
  try {
    const term = plugin.prepare(pod, cluster, nodes);
    call?.end(startMs, term === undefined ? 'Skip' : 'Success');
    return term;
  } catch {
    call?.end(startMs, 'Error');
    return undefined;
  }
};

export const scoreOf = (term: ScoreTerm, node: NodeView, call?: CallMeter): number | undefined => {
  const startMs = call?.begin() ?? 0;
  try {
    const score = term.score(node);
    call?.end(startMs, 'Success');
    return Number.isFinite(score) ? score : undefined;
  } catch {
    call?.end(startMs, 'Error');
    return undefined;
  }
};

/** Raw scores as they are where there is no way to bring them to 0 to 100. */
export const normalized = (
  normalize: Normalization | undefined,
  raw: readonly (number | undefined)[],
  call?: CallMeter,
): readonly (number | undefined)[] => {
  if (normalize === undefined) return raw;
  const startMs = call?.begin() ?? 0;
  const shares = normalize(raw);
  call?.end(startMs, 'Success');
  return shares;
};

/** Upstream's name of it. */
export const NORMALIZE = 'ScoreExtensionNormalize';

interface Candidate {
  readonly index: number;
  readonly total: number;
  /** The nearer wins. */
  readonly distance: number;
}

const rank = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  cluster: ClusterView,
  seed: number,
  profile: Profile,
): readonly RankedNode[] => {
  const columns = scoreNodes(pod, nodes, cluster, profile);
  const start = ringStartOf(pod.hash, seed);
  const best: Candidate[] = [];
  nodes.forEach((node, index) => {
    let total = 0;
    for (const column of columns) total += column[index] ?? 0;
    const distance = ringDistance(ringPlaceOf(node.hash), start);
    keepBest(best, { index, total, distance }, nodes);
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
  a.distance - b.distance ||
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

/** `decidedBy` when winner and runner-up have equal totals. */
export const TIE = 'tie';
export const TOP_COUNT = 3;
