import type { NodeInfo, NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import type { ClusterView } from '../snapshot';

/**
 * What a term depends on, so that an index knows when to work it out again: `static` on the node
 * object alone, `node` also on the pods of that node, `domain` on more nodes than one.
 */
export type TermScope = 'static' | 'node' | 'domain';

/** A change that may let a waiting pod in. `NodeAdded` concerns every plugin. */
export type WakeEvent =
  | 'NodeAdded'
  | 'NodeLabelsChanged'
  | 'NodeTaintsChanged'
  | 'NodeAllocatableChanged'
  | 'PodRemoved'
  | 'ClaimChanged'
  | 'VolumeChanged'
  | 'StorageClassChanged';

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
}

/** Synchronous and pure: a pod and a node in, a verdict out. */
export interface FilterPlugin extends PluginBase {
  readonly wakeOn: readonly WakeEvent[];
  /** What speaks against the pod wherever it would go, asked before any node is looked at. */
  preFilter?(pod: PodInfo): Refusal | undefined;
  /** `undefined` when the node fits. Runs for every node of every attempt: keep it cheap. */
  filter(pod: PodInfo, node: NodeView): Refusal | undefined;
  /** Every reason with its detail; empty when the node fits. */
  explain(pod: PodInfo, node: NodeView): readonly Finding[];
  /** Ways out, on a node that `filter` refuses. */
  remedies(pod: PodInfo, node: NodeInfo): readonly Remedy[];
}

export interface ScorePlugin extends PluginBase {
  /** False where the plugin has nothing to say about this pod: it then adds 0 everywhere. */
  isActive(pod: PodInfo): boolean;
  /** Raw score of a node that fits, an integer of 0 or more; 0 to 100 without normalisation. */
  score(pod: PodInfo, node: NodeView, cluster: ClusterView): number;
  /** How raw scores become 0 to 100: by the largest, inverted, or not at all. */
  readonly normalization: 'none' | 'by-max' | 'by-max-inverted';
}

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
