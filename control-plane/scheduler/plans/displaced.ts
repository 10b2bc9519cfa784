import { notFound } from '../../../api/errors';
import { controllerOf } from '../../../api/owners';
import { isStaticPod } from '../../../api/static-pods';
import type { PodInfo } from '../pod-info';
import type { Snapshot } from '../snapshot';

export interface Displaced {
  readonly info: PodInfo;
  readonly from: string;
}

/** Takes off all pods that these have made. Returns how many. */
export const removeReplaced = (cluster: Snapshot, owners: ReadonlySet<string>): number => {
  if (owners.size === 0) return 0;
  const found = podsOf(cluster).filter(({ pod }) => owners.has(controllerOf(pod)?.uid ?? ''));
  for (const { uid } of found) cluster.removePod(uid);
  return found.length;
};

/**
 * Empties nodes, and gives the pods that leave them: of a drained node all but those of DaemonSets and
 * of the node itself; with a node that is gone those go too, and for good. @throws NotFound
 */
export const clearNodes = (
  cluster: Snapshot,
  { drain, without }: { readonly drain: readonly string[]; readonly without: readonly string[] },
): readonly Displaced[] => [
  ...drain.flatMap((name) => {
    const { node } = nodeNamed(cluster, name);
    const left = leave(cluster, name);
    cluster.setNode({ ...node, spec: { ...node.spec, unschedulable: true } });
    return left;
  }),
  ...without.flatMap((name) => {
    nodeNamed(cluster, name);
    const left = leave(cluster, name);
    cluster.removeNode(name);
    return left;
  }),
];

const leave = (cluster: Snapshot, name: string): readonly Displaced[] => {
  const gone = [...nodeNamed(cluster, name).pods.values()].filter((info) => !isOfNode(info));
  for (const { uid } of gone) cluster.removePod(uid);
  return gone.filter((info) => !info.isTerminating).map((info) => ({ info, from: name }));
};

/** It belongs to the node, and comes and goes with it. */
const isOfNode = ({ pod }: PodInfo): boolean =>
  isStaticPod(pod) || controllerOf(pod)?.kind === 'DaemonSet';

const nodeNamed = (cluster: Snapshot, name: string) => {
  const node = cluster.node(name);
  if (node === undefined) throw notFound('nodes', '', name);
  return node;
};

const podsOf = ({ nodes }: Snapshot): readonly PodInfo[] =>
  nodes.flatMap(({ pods }) => [...pods.values()]);
