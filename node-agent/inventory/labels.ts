import { nameOf, type Pod, uidOf } from '../../api/types';

/** What the runtime keeps for us, so that an agent that starts again knows everything it made. */
export const LABEL = {
  uid: 'io.kubernetes.pod.uid',
  podName: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  container: 'io.kubernetes.container.name',
  restartCount: 'dhow.dev/restart-count',
  backoffStep: 'dhow.dev/backoff-step',
  image: 'dhow.dev/image',
  imageId: 'dhow.dev/image-id',
  logPath: 'dhow.dev/log-path',
  stopSignal: 'dhow.dev/stop-signal',
  /** What the container was made with: a resize leaves it as it is. */
  resources: 'dhow.dev/resources',
} as const;

export const podLabels = (pod: Pod): Record<string, string> => {
  const { namespace, name } = nameOf(pod);
  return { [LABEL.uid]: uidOf(pod), [LABEL.podName]: name, [LABEL.namespace]: namespace };
};

/** One sandbox per pod, named for it: found again without a table. */
export const sandboxIdOf = (uid: string): string => uid.toLowerCase().replace(/[^a-z0-9-]/g, '-');

/** The scheme of `containerID` in statuses. */
export const CONTAINER_ID_PREFIX = 'dhow://';
