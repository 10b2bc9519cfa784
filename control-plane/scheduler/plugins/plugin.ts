import { domainOf, type DomainName } from '../domains';
import type { NodeInfo, NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import type { ClusterView, TrackedView } from '../snapshot';

/**
 * What a term depends on, so that an index knows when to work it out again: `static` on the node
 * object alone, `node` also on the pods of that node, `domain` on more nodes than one. Only a plugin of
 * scope `domain` may ask anything of the cluster, or of the nodes that fit.
 */
export type TermScope = 'static' | 'node' | 'domain';

/** A change that may let a waiting pod in. `NodeAdded` concerns every plugin. */
export type WakeEvent =
  | 'NodeAdded'
  | 'NodeLabelsChanged'
  | 'NodeTaintsChanged'
  | 'NodeAllocatableChanged'
  | 'NodeHandlersChanged'
  | 'PodRemoved'
  | 'PodsChanged'
  | 'DomainsChanged'
  | 'ClaimChanged'
  | 'VolumeChanged'
  | 'StorageClassChanged'
  | 'StorageCapacityChanged'
  | 'CSINodeChanged'
  | 'VolumeDetached'
  | 'PodGroupChanged';

/** A verdict against a node. `reasons` are upstream's phrases, which messages count. */
export interface Refusal {
  readonly reasons: readonly [string, ...string[]];
  /** True where removing pods from the node could help: upstream's preemption wording needs it. */
  readonly isPodBound: boolean;
}

/** One reason in full, for a person. */
export interface Finding {
  readonly reason: string;
  /** What exactly: the taint, the pod that holds the port, how much is lacking. */
  readonly detail: string;
}

export interface Placement {
  readonly pod: PodInfo;
  readonly node: NodeInfo;
}

/** A change that would satisfy one plugin on one node. */
export interface Remedy {
  /** `remove taint maint:NoSchedule from node-2` */
  readonly words: string;
  /** Small changes first: a reversible setting below a label, a label below deleting pods. */
  readonly cost: number;
  /** What is changed; two remedies of one suggestion never touch the same side. */
  readonly target: 'node' | 'pod';
  /** Carries the change out on copies, so that it can be verified by running all filters. */
  apply(placement: Placement): Placement;
}

interface PluginBase {
  readonly name: string;
  readonly scope: TermScope;
  /**
   * Of scope `domain`: what of the cluster the term goes by besides the node it is asked about, as a text.
   * While that is the same an index keeps what the term said. `undefined`: it must `follow` the nodes.
   */
  basis?(pod: PodInfo, cluster: TrackedView): string | undefined;
}

/**
 * A rule that keeps pods off nodes, in two steps: `prepare` looks at the pod and the cluster once an
 * attempt, and the term that it gives judges one node after another. Synchronous and pure.
 */
export interface FilterPlugin extends PluginBase {
  readonly wakeOn: readonly WakeEvent[];
  /** `undefined` where the rule has nothing to say about this pod. */
  prepare(pod: PodInfo, cluster: ClusterView): FilterTerm | undefined;
  /** The same term of no node yet, to be told of each and of all that changes: what an index keeps. */
  follow?(pod: PodInfo, cluster: TrackedView): FollowingFilter;
}

/** What one rule says of one pod in one cluster. */
export interface FilterTerm {
  /** What speaks against the pod wherever it would go; then no node is looked at. */
  readonly rejection?: Refusal | undefined;
  /** `undefined` when the node fits. Runs for every node of every attempt: keep it cheap. */
  refuse(node: NodeView): Refusal | undefined;
  /** Every reason with its detail; empty when the node fits. */
  explain(node: NodeView): readonly Finding[];
  /** Ways out, on a node that `refuse` refuses. */
  remedies(node: NodeInfo): readonly Remedy[];
}

/** A term that judges a node by the domains it is in, and follows the nodes that make them up. */
export interface FollowingFilter extends FilterTerm {
  /** The topology keys that it goes by: nodes with equal labels of these are judged alike. */
  readonly keys: readonly string[];
  /** Takes the node as it is now, in place of what it was. */
  update(node: NodeView): void;
  /** The domains whose nodes may be judged otherwise than when this was last asked. */
  takeChanged(): readonly DomainName[] | 'all';
}

/** A preference among nodes that fit, in the same two steps. */
export interface ScorePlugin extends PluginBase {
  /** `undefined` where it has nothing to say about this pod: it then adds 0 everywhere. */
  prepare(pod: PodInfo, cluster: ClusterView, feasible: readonly NodeView[]): ScoreTerm | undefined;
  /** As of a filter. */
  follow?(pod: PodInfo, cluster: TrackedView): FollowingScore;
}

/** A score that is the sum of its parts, by `scoreByParts`, and follows the nodes that make up the domains. */
export interface FollowingScore extends ScoreTerm {
  readonly parts: readonly ScorePart[];
  /** Takes the node as it is now, in place of what it was. True where that may matter to any node. */
  update(node: NodeView): boolean;
  /** The node fits now. */
  enter(node: NodeView): void;
  /** The node does not fit any more. */
  leave(node: NodeView): void;
  /** Does it score the node at all? Goes by the node's labels. */
  isScored(node: NodeView): boolean;
}

/** What one topology key adds: `amount * weight + more` where the node is in a domain of it, else nothing. */
export interface ScorePart {
  readonly key: string;
  /** Is the amount the node's own, whatever others are in its domain? */
  readonly isOfNode: boolean;
  readonly weight: number;
  readonly more: number;
  amountAt(node: NodeView): number;
}

/** The raw score by its parts. */
export const scoreByParts = (parts: readonly ScorePart[], node: NodeView): number => {
  let sum = 0;
  for (const part of parts)
    if (domainOf(node, part.key) !== undefined)
      sum += part.amountAt(node) * part.weight + part.more;
  return Math.round(sum);
};

export interface ScoreTerm {
  /** Raw score of a node that fits, an integer; `undefined` gives the node 0 in the end. */
  score(node: NodeView): number | undefined;
  /** Raw scores to 0 to 100. Absent: they are that already. */
  readonly normalize?: Normalization;
}

/** Raw scores of all feasible nodes to 0 to 100. It goes by which scores there are, not by how many nodes have one. */
export type Normalization = (
  raw: readonly (number | undefined)[],
) => readonly (number | undefined)[];

/** By the largest; upstream's DefaultNormalizeScore. */
export const byMax: Normalization = (raw) => {
  const max = largestOf(raw);
  return max === 0 ? raw : raw.map((score) => score && Math.floor((score * MAX_NODE_SCORE) / max));
};

/** As `byMax`, where less is better. */
export const byMaxInverted: Normalization = (raw) => {
  const max = largestOf(raw);
  const share = (score: number) => (max === 0 ? 0 : Math.floor((score * MAX_NODE_SCORE) / max));
  return raw.map((score) => (score === undefined ? undefined : MAX_NODE_SCORE - share(score)));
};

const largestOf = (raw: readonly (number | undefined)[]): number =>
  raw.reduce<number>((max, score) => Math.max(max, score ?? 0), 0);

export const MAX_NODE_SCORE = 100;

/** A remedy that edits the node object. */
export const nodeRemedy = (
  words: string,
  cost: number,
  edit: (node: NodeInfo['node']) => NodeInfo['node'],
): Remedy => ({
  words,
  cost,
  target: 'node',
  apply: ({ pod, node }) => ({ pod, node: node.with({ node: edit(node.node) }) }),
});

/** A remedy that takes pods off the node. `gain` says what that frees. */
export const removalRemedy = (gain: string, cost: number, pods: readonly PodInfo[]): Remedy => ({
  words: `${gain} (${removalOf(pods)})`,
  cost,
  target: 'node',
  apply: ({ pod, node }) => ({
    pod,
    node: node.with({ without: new Set(pods.map(({ uid }) => uid)) }),
  }),
});

/** Deleting a pod that a controller owns would only bring another. */
const removalOf = (pods: readonly PodInfo[]): string => {
  const ownerOf = ({ pod }: PodInfo) =>
    pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const bare = pods.filter((pod) => ownerOf(pod) === undefined).map(({ key }) => key);
  const owned = pods.flatMap((pod) => {
    const owner = ownerOf(pod);
    return owner === undefined ? [] : [`${pod.key} of ${owner.kind} ${owner.name}`];
  });
  return [
    ...(bare.length === 0 ? [] : [`delete pod ${bare.join(' and ')}`]),
    ...(owned.length === 0 ? [] : [`move pod ${owned.join(' and ')}`]),
  ].join(', ');
};

export const COST = {
  setting: 1,
  label: 2,
  /** Plus the number of pods. */
  deletePods: 4,
  request: 6,
  moreCapacity: 20,
} as const;
