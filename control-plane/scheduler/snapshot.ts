import { jsonEqual } from '../../api/json-value';
import type { Node, Pod, PodDisruptionBudget } from '../../api/types';
import { ChangeLog } from './engine/change-log';
import type { Layer } from './images';
import { NodeInfo } from './node-info';
import type { NamespaceLabels } from './pod-affinity';
import { podInfoOf, type PodInfo } from './pod-info';
import type { SelectorFor } from './pod-selectors';
import { isSameToRules, type PodOnNode, type SnapshotChange } from './snapshot-change';
import { NO_STORAGE, type StorageFacts } from './volumes/storage-facts';

/** What plugins may ask of the cluster as a whole. Nothing in it changes while a decision is taken. */
export interface ClusterView {
  readonly nodes: readonly NodeInfo[];
  readonly nodeCount: number;
  /** Does any pod that is placed or nominated wish anything of others? Where it is false none does. */
  readonly hasAffinityPods: boolean;
  /** The layers of an image, if some node holds it. */
  layersOf(image: string): readonly Layer[] | undefined;
  nodesHolding(digest: string): number;
  readonly namespaceLabels: NamespaceLabels;
  readonly budgetsIn: BudgetsIn;
  readonly selectorFor: SelectorFor;
  readonly storage: StorageFacts;
  /** Pods for which others are evicted from the node, and which have not come yet. */
  nominatedOn(nodeName: string): readonly PodInfo[];
  /** The node on which others are evicted for the pod. */
  nominationOf(uid: string): string | undefined;
}

/** What an index keeps itself up to date by. */
export interface TrackedView extends ClusterView {
  node(name: string): NodeInfo | undefined;
  nodeOf(uid: string): string | undefined;
  /** Rises when a node comes or goes, or has other labels. */
  readonly nodesVersion: number;
  /** Rises when a namespace has other labels. */
  readonly namespacesVersion: number;
  /** Rises with whatever else a plugin's `basis` may tell of. */
  readonly factsVersion: number;
  /** Nodes that are not as they were, or whose pods are not. */
  readonly touched: ChangeLog<NodeInfo>;
  /** Is room being made for any pod? */
  readonly hasNominations: boolean;
}

/** The disruption budgets of a namespace. */
export type BudgetsIn = (namespace: string) => readonly PodDisruptionBudget[];

/** What of the cluster is kept elsewhere. */
export interface Surroundings {
  readonly namespaceLabels?: NamespaceLabels;
  readonly budgetsIn?: BudgetsIn;
  readonly selectorFor?: SelectorFor;
  readonly storage?: StorageFacts;
}

interface Placement extends PodOnNode {
  readonly isAssumed: boolean;
}

/**
 * Nodes and where pods are, kept by events. A pod is assumed on its node from the decision until
 * the watch confirms it or its binding definitely failed; no timer ever drops an assumption, for a
 * slow binding would then be counted twice.
 */
export class Snapshot implements TrackedView {
  private readonly byName = new Map<string, NodeInfo>();
  private readonly placements = new Map<string, Placement>();
  /** Pods by node name, also of nodes not seen yet: their sums must be there when the node comes. */
  private readonly byNode = new Map<string, Set<string>>();
  /** Uids of placed pods by the claims that they use. */
  private readonly byClaim = new Map<string, Set<string>>();
  private readonly imageLayers = new Map<string, readonly Layer[]>();
  private readonly layerHolders = new Map<string, number>();
  /** Pods by uid, with the node that they were promised. */
  private readonly nominations = new Map<string, PodOnNode>();
  /** The same by node name, so that each node need not look through all. */
  private readonly nominatedByNode = new Map<string, Map<string, PodInfo>>();
  private list: readonly NodeInfo[] | undefined;
  private affinityPodCount = 0;
  nodesVersion = 0;
  namespacesVersion = 0;
  factsVersion = 0;
  readonly touched = new ChangeLog<NodeInfo>();
  /** Told of each change. */
  onChange: ((change: SnapshotChange) => void) | undefined;
  readonly namespaceLabels: NamespaceLabels;
  readonly budgetsIn: BudgetsIn;
  readonly selectorFor: SelectorFor;
  readonly storage: StorageFacts;

  /** What is not given has nothing in it. */
  constructor({
    namespaceLabels = () => undefined,
    budgetsIn = () => [],
    selectorFor = () => [],
    storage = NO_STORAGE,
  }: Surroundings = {}) {
    this.namespaceLabels = namespaceLabels;
    this.budgetsIn = budgetsIn;
    this.selectorFor = selectorFor;
    this.storage = storage;
  }

  get nodes(): readonly NodeInfo[] {
    return (this.list ??= [...this.byName.values()]);
  }

  get nodeCount(): number {
    return this.byName.size;
  }

  get assumedCount(): number {
    let count = 0;
    for (const { isAssumed } of this.placements.values()) if (isAssumed) count++;
    return count;
  }

  node(name: string): NodeInfo | undefined {
    return this.byName.get(name);
  }

  layersOf(image: string): readonly Layer[] | undefined {
    return this.imageLayers.get(image);
  }

  nodesHolding(digest: string): number {
    return this.layerHolders.get(digest) ?? 0;
  }

  /** Does a placed pod, other than this one, use the claim? */
  isClaimUsed(claimKey: string, butUid: string): boolean {
    const uids = this.byClaim.get(claimKey);
    return uids !== undefined && uids.size > (uids.has(butUid) ? 1 : 0);
  }

  /** Does a pod that is placed on the node use the claim? */
  isClaimUsedOn(claimKey: string, nodeName: string): boolean {
    for (const uid of this.byClaim.get(claimKey) ?? [])
      if (this.nodeOf(uid) === nodeName) return true;
    return false;
  }

  setNode(node: Node): void {
    const known = this.byName.get(node.metadata.name);
    if (known?.node.metadata.uid === node.metadata.uid && known !== undefined) {
      if (!jsonEqual(known.labels, node.metadata.labels ?? {})) this.nodesVersion++;
      this.countLayers(known, -1);
      if (this.onChange !== undefined && !isSameToRules(known.node, node))
        this.onChange({ kind: 'node', name: known.name, before: known.node, after: node });
      known.node = node;
      this.countLayers(known, 1);
      this.touched.add(known);
      return;
    }
    this.removeNode(node.metadata.name);
    const info = new NodeInfo(node, this.podsOn(node.metadata.name));
    this.byName.set(info.name, info);
    this.countLayers(info, 1);
    this.nodesChanged();
    this.onChange?.({ kind: 'node', name: info.name, before: undefined, after: node });
  }

  removeNode(name: string): void {
    const known = this.byName.get(name);
    if (known === undefined) return;
    this.countLayers(known, -1);
    this.byName.delete(name);
    this.nodesChanged();
    this.onChange?.({ kind: 'node', name, before: known.node, after: undefined });
  }

  private nodesChanged(): void {
    this.list = undefined;
    this.nodesVersion++;
  }

  /** A pod that the API says is bound: confirms an assumption, or corrects it. */
  setPod(pod: Pod): PodInfo {
    const { nodeName } = pod.spec;
    const info = podInfoOf(pod);
    if (nodeName !== undefined && nodeName !== '') this.place(info, nodeName, false);
    return info;
  }

  pod(uid: string): PodInfo | undefined {
    return this.placements.get(uid)?.info;
  }

  assume(info: PodInfo, nodeName: string): void {
    this.place(info, nodeName, true);
  }

  /** Every pod that has a node, also one that is not seen yet, and where. */
  placed(): Iterable<PodOnNode> {
    return this.placements.values();
  }

  /** Every pod for which room is being made, and where. */
  nominated(): Iterable<PodOnNode> {
    return this.nominations.values();
  }

  /** Keeps the room that a pod is about to get from those that are less important. */
  nominate(info: PodInfo, nodeName: string): void {
    this.endNomination(info.uid);
    this.nominations.set(info.uid, { info, nodeName });
    const there = this.nominatedByNode.get(nodeName);
    if (there === undefined) this.nominatedByNode.set(nodeName, new Map([[info.uid, info]]));
    else there.set(info.uid, info);
    this.countAffinity(info, 1);
    this.touch(nodeName);
    const { uid } = info;
    this.onChange?.({ kind: 'nomination', uid, before: undefined, after: { info, nodeName } });
  }

  nominationOf(uid: string): string | undefined {
    return this.nominations.get(uid)?.nodeName;
  }

  /** Returns the node whose room is nobody's any more. */
  endNomination(uid: string): string | undefined {
    const nomination = this.nominations.get(uid);
    if (nomination === undefined) return undefined;
    const { info, nodeName } = nomination;
    this.nominations.delete(uid);
    const there = this.nominatedByNode.get(nodeName);
    there?.delete(uid);
    if (there?.size === 0) this.nominatedByNode.delete(nodeName);
    this.countAffinity(info, -1);
    this.touch(nodeName);
    this.onChange?.({ kind: 'nomination', uid, before: nomination, after: undefined });
    return nodeName;
  }

  nominatedOn(nodeName: string): readonly PodInfo[] {
    const there = this.nominatedByNode.get(nodeName);
    return there === undefined ? NOBODY : [...there.values()];
  }

  /** What selectors of namespaces select may be others now. */
  namespacesChanged(): void {
    this.namespacesVersion++;
  }

  get hasNominations(): boolean {
    return this.nominations.size > 0;
  }

  get hasAffinityPods(): boolean {
    return this.affinityPodCount > 0;
  }

  isAssumed(uid: string): boolean {
    return this.placements.get(uid)?.isAssumed === true;
  }

  nodeOf(uid: string): string | undefined {
    return this.placements.get(uid)?.nodeName;
  }

  /** Takes an assumption back; a pod the watch has confirmed stays. Returns the freed node. */
  forget(uid: string): string | undefined {
    return this.isAssumed(uid) ? this.removePod(uid) : undefined;
  }

  /** Returns the name of the node that the pod was on. */
  removePod(uid: string): string | undefined {
    const before = this.placements.get(uid);
    const nodeName = this.displace(uid);
    if (before !== undefined) this.onChange?.({ kind: 'placement', uid, before, after: undefined });
    return nodeName;
  }

  private displace(uid: string): string | undefined {
    const placement = this.placements.get(uid);
    if (placement === undefined) return undefined;
    const { nodeName } = placement;
    this.placements.delete(uid);
    for (const key of placement.info.claims) {
      const users = this.byClaim.get(key);
      users?.delete(uid);
      if (users?.size === 0) this.byClaim.delete(key);
    }
    const uids = this.byNode.get(nodeName);
    uids?.delete(uid);
    if (uids?.size === 0) this.byNode.delete(nodeName);
    this.byName.get(nodeName)?.removePod(uid);
    this.countAffinity(placement.info, -1);
    this.touch(nodeName);
    return nodeName;
  }

  /**
   * The same as now, to try things on: what becomes of one is nothing to the other. With what is
   * given instead of what is around it.
   */
  copy(instead: Surroundings = {}): Snapshot {
    const { namespaceLabels, budgetsIn, selectorFor, storage } = this;
    const copy = new Snapshot({ namespaceLabels, budgetsIn, selectorFor, storage, ...instead });
    fill(copy.placements, this.placements);
    fill(copy.byNode, this.byNode, (uids) => new Set(uids));
    fill(copy.byClaim, this.byClaim, (uids) => new Set(uids));
    fill(copy.byName, this.byName, (node) => node.copy());
    fill(copy.imageLayers, this.imageLayers);
    fill(copy.layerHolders, this.layerHolders);
    fill(copy.nominations, this.nominations);
    fill(copy.nominatedByNode, this.nominatedByNode, (there) => new Map(there));
    copy.affinityPodCount = this.affinityPodCount;
    return copy;
  }

  private place(info: PodInfo, nodeName: string, isAssumed: boolean): void {
    const { uid } = info;
    const after = { info, nodeName, isAssumed };
    this.onChange?.({ kind: 'placement', uid, before: this.placements.get(uid), after });
    this.displace(uid);
    this.placements.set(uid, after);
    for (const key of info.claims)
      this.byClaim.set(key, (this.byClaim.get(key) ?? new Set()).add(info.uid));
    const uids = this.byNode.get(nodeName);
    if (uids === undefined) this.byNode.set(nodeName, new Set([info.uid]));
    else uids.add(info.uid);
    this.byName.get(nodeName)?.addPod(info);
    this.countAffinity(info, 1);
    this.touch(nodeName);
  }

  /** Its pods are not as they were, or those for which room is made there. */
  private touch(nodeName: string): void {
    const node = this.byName.get(nodeName);
    if (node === undefined) return;
    node.podsVersion++;
    this.touched.add(node);
  }

  private countAffinity({ affinity }: PodInfo, sign: 1 | -1): void {
    if (affinity === undefined) return;
    this.affinityPodCount += sign;
    this.factsVersion++;
  }

  private podsOn(nodeName: string): readonly PodInfo[] {
    return [...(this.byNode.get(nodeName) ?? [])].flatMap((uid) => {
      const placement = this.placements.get(uid);
      return placement === undefined ? [] : [placement.info];
    });
  }

  private countLayers(info: NodeInfo, sign: 1 | -1): void {
    if (info.images.size > 0) this.factsVersion++;
    for (const digest of info.layers.keys()) {
      const count = this.nodesHolding(digest) + sign;
      if (count > 0) this.layerHolders.set(digest, count);
      else this.layerHolders.delete(digest);
    }
    for (const [image, layers] of info.images) {
      if (sign > 0) this.imageLayers.set(image, layers);
      else if (!layers.some(({ digest }) => this.layerHolders.has(digest))) {
        this.imageLayers.delete(image);
      }
    }
  }
}

/** With all of the other, whose values are shared unless told how to copy them. */
const fill = <K, V>(
  copy: Map<K, V>,
  from: ReadonlyMap<K, V>,
  copyOf: (value: V) => V = (value) => value,
): void => {
  for (const [key, value] of from) copy.set(key, copyOf(value));
};

const NOBODY: readonly never[] = [];
