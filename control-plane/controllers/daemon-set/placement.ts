import { daemonPodSpec, NAME_FIELD } from '../../../api/daemon-pods';
import type { DaemonSet, Pod } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import { podFromTemplate } from '../owned/pod-control';

/** The label of a pod that names the revision of the template it was made from. */
export const HASH_LABEL = 'controller-revision-hash';
/** Counts the templates of a set, for clients of older versions; on pods, the one they were made from. */
const GENERATION_LABEL = 'pod-template-generation';
const GENERATION = 'deprecated.daemonset.template.generation';

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
    spec: daemonPodSpec(draft.spec, nodeName),
  };
};
