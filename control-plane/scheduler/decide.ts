import type { RankedNode, RefusalCount } from '../../api/decisions';
import { mixHashes } from './hash';
import { noNodesMessage, unschedulableMessage, type RefusalCounts } from './message';
import type { NodeView } from './node-info';
import type { FilterPlugin, Refusal, ScorePlugin } from './plugins/plugin';
import { MAX_NODE_SCORE } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import { DEFAULT_PROFILE, type Profile } from './profile';
import { RefusalTally } from './refusal-tally';
import type { SnapshotView } from './snapshot';

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
}

/** Filters and scores every node; pure. Ties go to the largest hash of node, pod and seed. */
export const decide = (
  pod: PodInfo,
  snapshot: SnapshotView,
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
    return { ...base, top: [], message: messageOf(pod, snapshot, filtered) };
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

/** The first plugin of the profile that refuses, or `undefined` where the pod fits. */
export const firstRefusal = (
  pod: PodInfo,
  node: NodeView,
  profile: Profile = DEFAULT_PROFILE,
): Refused | undefined => rejectionOf(pod, profile) ?? refusalBy(profile, pod, node);

interface Refused {
  readonly plugin: FilterPlugin;
  readonly refusal: Refusal;
}

/** What speaks against the pod on any node; the first plugin that says so. */
const rejectionOf = (pod: PodInfo, { filters }: Profile): Refused | undefined => {
  for (const plugin of filters) {
    const refusal = plugin.preFilter?.(pod);
    if (refusal !== undefined) return { plugin, refusal };
  }
  return undefined;
};

const refusalBy = ({ filters }: Profile, pod: PodInfo, node: NodeView): Refused | undefined => {
  for (const plugin of filters) {
    const refusal = verdictOf(plugin, pod, node);
    if (refusal !== undefined) return { plugin, refusal };
  }
  return undefined;
};

/**
 * The plugin's verdict. A plugin that breaks on one node refuses that node: were the attempt to
 * fail, one broken node would keep every pod from all others.
 */
export const verdictOf = (
  plugin: FilterPlugin,
  pod: PodInfo,
  node: NodeView,
): Refusal | undefined => {
  try {
    return plugin.filter(pod, node);
  } catch {
    return { reasons: [`node(s) could not be judged by ${plugin.name}`], isPodBound: false };
  }
};

interface Filtered {
  readonly feasible: readonly NodeView[];
  readonly firstReasons: ReadonlyMap<string, number>;
  readonly refusedBy: ReadonlySet<string>;
  readonly counts: RefusalCounts;
  readonly refusals: RefusalTally;
  /** Why no node was looked at. */
  readonly rejection: string | undefined;
}

const filterNodes = (pod: PodInfo, { nodes }: SnapshotView, profile: Profile): Filtered => {
  const feasible: NodeView[] = [];
  const firstReasons = new Map<string, number>();
  const allReasons = new Map<string, number>();
  const refusedBy = new Set<string>();
  const refusals = new RefusalTally();
  let podBoundCount = 0;
  const rejected = rejectionOf(pod, profile);
  for (const node of nodes) {
    const refused = rejected ?? refusalBy(profile, pod, node);
    if (refused === undefined) {
      feasible.push(node);
      continue;
    }
    const { plugin, refusal } = refused;
    const later = rejected === undefined ? laterRefusals(plugin, pod, node, profile) : NONE;
    refusals.add(refusal, later);
    refusedBy.add(plugin.name);
    if (refusal.isPodBound) podBoundCount++;
    increment(firstReasons, refusal.reasons[0]);
    for (const reason of refusal.reasons) increment(allReasons, reason);
  }
  const counts = { reasons: allReasons, podBoundCount };
  // Without a node there is none to refuse: what would let the pod in is asked for all the same.
  if (rejected !== undefined) refusedBy.add(rejected.plugin.name);
  const rejection = rejected?.refusal.reasons[0];
  return { feasible, firstReasons, refusedBy, counts, refusals, rejection };
};

/** What the plugins behind the first one that refused have against the node as well. */
const laterRefusals = (
  first: FilterPlugin,
  pod: PodInfo,
  node: NodeView,
  { filters }: Profile,
): readonly Refusal[] => {
  let found: Refusal[] | undefined;
  for (let i = filters.indexOf(first) + 1; i < filters.length; i++) {
    const plugin = filters[i];
    const refusal = plugin === undefined ? undefined : verdictOf(plugin, pod, node);
    if (refusal !== undefined) (found ??= []).push(refusal);
  }
  return found ?? NONE;
};

const NONE: readonly Refusal[] = [];

const messageOf = (
  { pod }: PodInfo,
  { nodes }: SnapshotView,
  { counts, rejection }: Filtered,
): string =>
  nodes.length === 0
    ? noNodesMessage
    : unschedulableMessage(
        nodes.length,
        rejection === undefined ? counts : { ...counts, rejection },
        pod.spec.preemptionPolicy === 'Never',
      );

/** Weighted scores of every feasible node, per plugin of the profile. */
export const scoreNodes = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  snapshot: SnapshotView,
  { scores }: Profile = DEFAULT_PROFILE,
): readonly (readonly number[])[] =>
  scores.map(({ plugin, weight }) => {
    if (!plugin.isActive(pod)) return nodes.map(() => 0);
    const raw = nodes.map((node) => scoreOf(plugin, pod, node, snapshot));
    return normalized(plugin, raw).map((score) => score * weight);
  });

/** A plugin that breaks on one node has nothing to say for it. */
const scoreOf = (
  plugin: ScorePlugin,
  pod: PodInfo,
  node: NodeView,
  snapshot: SnapshotView,
): number => {
  try {
    const score = plugin.score(pod, node, snapshot);
    return Number.isFinite(score) ? score : 0;
  } catch {
    return 0;
  }
};

// Upstream's DefaultNormalizeScore: integers, by the largest over the feasible nodes.
const normalized = ({ normalization }: ScorePlugin, raw: readonly number[]): readonly number[] => {
  if (normalization === 'none') return raw;
  const isInverted = normalization === 'by-max-inverted';
  const max = raw.reduce((a, b) => Math.max(a, b), 0);
  if (max === 0) return isInverted ? raw.map(() => MAX_NODE_SCORE) : raw;
  return raw.map((score) => {
    const scaled = Math.floor((score * MAX_NODE_SCORE) / max);
    return isInverted ? MAX_NODE_SCORE - scaled : scaled;
  });
};

interface Candidate {
  readonly index: number;
  readonly total: number;
  readonly tieBreak: number;
}

const rank = (
  pod: PodInfo,
  nodes: readonly NodeView[],
  snapshot: SnapshotView,
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
