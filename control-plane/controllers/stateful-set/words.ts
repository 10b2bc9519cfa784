import { STATEFUL_SETS } from '../../../api/resources';
import type { Pod, StatefulSet } from '../../../api/types';
import type { EventRecorder } from '../../../client/events';
import type { PodWords } from '../owned/pod-control';

/** Upstream's (stateful_pod_control.go). */
export const POD_WORDS: PodWords = {
  created: (pod, set) => `Create Pod ${pod} in StatefulSet ${set} successful`,
  notCreated: (pod, set, why) => `Create Pod ${pod} in StatefulSet ${set} failed error: ${why}`,
  deleted: (pod, set) => `Delete Pod ${pod} in StatefulSet ${set} successful`,
  notDeleted: (pod, set, why) => `Delete Pod ${pod} in StatefulSet ${set} failed error: ${why}`,
};

/** Why a pod that has ended is deleted. */
export const tellRecreated = (events: EventRecorder, set: StatefulSet, pod: Pod): void => {
  const { namespace = '', name } = set.metadata;
  const [type, reason, how] =
    pod.status.phase === 'Failed'
      ? (['Warning', 'RecreatingFailedPod', 'failed'] as const)
      : (['Normal', 'RecreatingTerminatedPod', 'terminated'] as const);
  const message = `StatefulSet ${namespace}/${name} is recreating ${how} Pod ${pod.metadata.name}`;
  events.event(STATEFUL_SETS, set, type, reason, message);
};
