import { matchesNodeAffinity } from './node-affinity';
import { firstUntolerated } from './taints';
import type { DaemonSet, Node, PodSpec, Toleration } from './types';

/** What makes a pod one of a DaemonSet's. Source: upstream's daemonset_util.go. */

/** What a set has to do with a node. */
export interface Placement {
  /** A pod of the set belongs there. */
  readonly shouldRun: boolean;
  /** A pod of the set that is there may stay. */
  readonly mayStay: boolean;
}

/**
 * What a set has to do with each node, by the scheduler's own rules, of which only those about the node
 * itself count. Source: NodeShouldRunDaemonPod.
 */
export const placementsOf = ({ spec }: DaemonSet): ((node: Node) => Placement) => {
  const pod = spec.template.spec ?? { containers: [] };
  const wanted = pod.nodeName ?? '';
  const tolerations = daemonTolerations(pod);
  return (node) => {
    const isMeant = wanted === '' || wanted === node.metadata.name;
    if (!isMeant || !matchesNodeAffinity(pod, node)) return NOWHERE;
    const { taints } = node.spec;
    return {
      shouldRun: firstUntolerated(tolerations, taints) === undefined,
      mayStay: firstUntolerated(tolerations, taints, ['NoExecute']) === undefined,
    };
  };
};

export const NOWHERE: Placement = { shouldRun: false, mayStay: false };

/** The pod of the set for one node, where alone it may be placed. */
export const daemonPodSpec = (spec: PodSpec, nodeName: string): PodSpec => ({
  ...spec,
  affinity: pinned(spec.affinity, nodeName),
  tolerations: daemonTolerations(spec),
});

/** The node is what is required; whether it may be is settled already. */
const pinned = (
  affinity: PodSpec['affinity'],
  nodeName: string,
): NonNullable<PodSpec['affinity']> => ({
  ...affinity,
  nodeAffinity: {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchFields: [{ key: NAME_FIELD, operator: 'In', values: [nodeName] }] },
      ],
    },
  },
});

/** With those that every daemon has, each in place of one that says the same for a while only. */
export const daemonTolerations = (spec: PodSpec): Toleration[] => {
  const own = [...(spec.tolerations ?? [])];
  const added = spec.hostNetwork === true ? [...TOLERATED, UNNETWORKED] : TOLERATED;
  for (const toleration of added) {
    const at = own.findIndex((each) => isAlike(each, toleration));
    if (at < 0) own.push(toleration);
    else own[at] = toleration;
  }
  return own;
};

const isAlike = (a: Toleration, b: Toleration): boolean =>
  a.key === b.key &&
  a.effect === b.effect &&
  a.operator === b.operator &&
  (a.value ?? '') === (b.value ?? '');

const tolerated = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
});

/** Source: daemonset_util.go, AddOrUpdateDaemonPodTolerations. */
const TOLERATED: readonly Toleration[] = [
  tolerated('not-ready', 'NoExecute'),
  tolerated('unreachable', 'NoExecute'),
  tolerated('disk-pressure', 'NoSchedule'),
  tolerated('memory-pressure', 'NoSchedule'),
  tolerated('pid-pressure', 'NoSchedule'),
  tolerated('unschedulable', 'NoSchedule'),
];
const UNNETWORKED = tolerated('network-unavailable', 'NoSchedule');
/** Of the fields of a node that its affinity may name, the only one. */
export const NAME_FIELD = 'metadata.name';
