import { stringifyJson } from '../../../lib/json';
import type { PodInfo } from '../pod-info';
import type { TrackedView } from '../snapshot';

/**
 * Pods with equal keys are judged alike, everywhere and at any time; the key names all that plugins may
 * read of a pod. `undefined` of a pod with claims: what is behind them is another matter for each attempt.
 */
export const classKeyOf = (
  info: PodInfo,
  cluster: Pick<TrackedView, 'hasAffinityPods' | 'selectorFor'>,
): string | undefined => {
  const { pod, volumes, claims, affinity, ...rest } = info;
  if (volumes !== undefined || claims.length > 0) return undefined;
  const { spec } = pod;
  const selector = cluster.selectorFor(info);
  const isSpread = (spec.topologySpreadConstraints ?? []).length > 0 || selector.length > 0;
  // Otherwise nobody goes by them, and they do not make it another class.
  const areLabelsSeen = isSpread || cluster.hasAffinityPods || affinity !== undefined;
  return stringifyJson([
    [rest.priority, rest.scoringCpuMillis, rest.scoringMemoryBytes, rest.isTerminating],
    [rest.requests, rest.hostPorts, rest.images, rest.runtimeHandler],
    [spec.nodeName, spec.nodeSelector, spec.affinity, spec.tolerations],
    [spec.topologySpreadConstraints, selector],
    areLabelsSeen ? [rest.namespace, rest.labels] : [],
  ]);
};

/** The pod as one of its class: no pod of the cluster is itself. */
export const modelOf = (pod: PodInfo): PodInfo => ({ ...pod, uid: '' });
