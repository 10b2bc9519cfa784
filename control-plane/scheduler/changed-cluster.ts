import type { Layer } from './images';
import type { NodeInfo } from './node-info';
import type { NamespaceLabels } from './pod-affinity';
import type { PodInfo } from './pod-info';
import type { SelectorFor } from './pod-selectors';
import type { BudgetsIn, ClusterView } from './snapshot';
import type { StorageFacts } from './volumes/storage-facts';

/** A cluster as it would be with one node changed, or one more. What images weigh stays as it is. */
export class ChangedCluster implements ClusterView {
  private list: readonly NodeInfo[] | undefined;

  constructor(
    private readonly before: ClusterView,
    private readonly changed: NodeInfo,
  ) {}

  /** Most rules look at the one node only: the others are not gone through for nothing. */
  get nodes(): readonly NodeInfo[] {
    return (this.list ??= withChanged(this.before.nodes, this.changed));
  }

  get nodeCount(): number {
    return this.nodes.length;
  }

  get hasAffinityPods(): boolean {
    return this.before.hasAffinityPods || this.changed.affinityPods.length > 0;
  }

  get namespaceLabels(): NamespaceLabels {
    return this.before.namespaceLabels;
  }

  get budgetsIn(): BudgetsIn {
    return this.before.budgetsIn;
  }

  get selectorFor(): SelectorFor {
    return this.before.selectorFor;
  }

  get storage(): StorageFacts {
    return this.before.storage;
  }

  nominatedOn(nodeName: string): readonly PodInfo[] {
    return this.before.nominatedOn(nodeName);
  }

  nominationOf(uid: string): string | undefined {
    return this.before.nominationOf(uid);
  }

  layersOf(image: string): readonly Layer[] | undefined {
    return this.before.layersOf(image);
  }

  nodesHolding(digest: string): number {
    return this.before.nodesHolding(digest);
  }
}

const withChanged = (nodes: readonly NodeInfo[], changed: NodeInfo): readonly NodeInfo[] => {
  const at = nodes.findIndex(({ name }) => name === changed.name);
  return at < 0 ? [...nodes, changed] : nodes.with(at, changed);
};

/** The cluster as it would be without this pod, which is not to stand in its own way. */
export const clusterWithout = ({ uid }: PodInfo, cluster: ClusterView): ClusterView => {
  const node = cluster.nodes.find(({ pods }) => pods.has(uid));
  return node === undefined
    ? cluster
    : new ChangedCluster(cluster, node.with({ without: new Set([uid]) }));
};
