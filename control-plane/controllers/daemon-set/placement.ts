import { matchesNodeAffinity } from '../../../api/node-affinity';
import { firstUntolerated } from '../../../api/taints';
import type { DaemonSet, Node, Pod, PodSpec, Toleration } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import { podFromTemplate } from '../owned/pod-control';

/** The label of a pod that names the revision of the template it was made from. */
export const HASH_LABEL = 'controller-revision-hash';
/** Counts the templates of a set, for clients of older versions; on pods, the one they were made from. */
const GENERATION_LABEL = 'pod-template-generation';
const GENERATION = 'deprecated.daemonset.template.generation';

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

/** Where a pod is, or where alone it may be placed. Source: daemonset_util.go, GetTargetNodeName. */
export const targetOf = ({ spec }: Pod): string | undefined => {
  if (spec.nodeName !== undefined && spec.nodeName !== '') return spec.nodeName;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? []) {
    const named = matchFields.find(
      ({ key, operator, values }) =>
        key === NAME_FIELD && operator === 'In' && values?.length === 1,
    );
    if (named !== undefined) return named.values?.[0];
  }
  return undefined;
};

/** A pod of the set for one node, where the scheduler binds it. */
export const daemonPod = (set: DaemonSet, hash: string, nodeName: string): DraftOf<Pod> => {
  const draft = podFromTemplate(set, set.spec.template);
  const generation = set.metadata.annotations?.[GENERATION] ?? '';
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      labels: {
        ...draft.metadata.labels,
        [HASH_LABEL]: hash,
        ...(/^\d+$/.test(generation) ? { [GENERATION_LABEL]: generation } : {}),
      },
    },
    spec: {
      ...draft.spec,
      affinity: pinned(draft.spec.affinity, nodeName),
      tolerations: daemonTolerations(draft.spec),
    },
  };
};

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
const NAME_FIELD = 'metadata.name';
