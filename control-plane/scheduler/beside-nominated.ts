import { ChangedCluster } from './changed-cluster';
import { filtersFor, firstRefusal, type Refused } from './filters';
import type { NodeInfo } from './node-info';
import type { PodInfo } from './pod-info';
import type { Profile } from './profile';
import type { ClusterView } from './snapshot';

interface Place {
  readonly cluster: ClusterView;
  readonly profile: Profile;
}

/** What speaks against the pod once those have come for whom room is being made, if they go before it. */
export const refusalBeside = (
  pod: PodInfo,
  node: NodeInfo,
  { cluster, profile }: Place,
): Refused | undefined => {
  const also = cluster
    .nominatedOn(node.name)
    .filter(({ uid, priority }) => uid !== pod.uid && priority >= pod.priority);
  if (also.length === 0) return undefined;
  const changed = node.with({ also });
  return firstRefusal(filtersFor(pod, new ChangedCluster(cluster, changed), profile), changed);
};
