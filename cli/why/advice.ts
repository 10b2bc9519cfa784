import { controllerOf } from '../../api/owners';
import type { Container, Pod } from '../../api/types';
import type { Trouble } from './known-trouble';

/** What is sure to help, or to show more; undefined where neither is known. */
export const adviceFor = (pod: Pod, trouble: Trouble): string | undefined =>
  trouble.container === undefined
    ? podAdvice(pod, trouble)
    : containerAdvice(pod, trouble, trouble.container);

const podAdvice = (pod: Pod, { reason }: Trouble): string | undefined => {
  const { finalizers = [] } = pod.metadata;
  if (reason === 'Terminating')
    return finalizers.length === 0
      ? lookAtNode(pod)
      : `it goes once its finalizers are taken off, by those who set them: ${finalizers.join(', ')}`;
  if (reason === 'ReadinessGatesNotReady') return undefined;
  if (reason === 'ResizeDeferred')
    return `it is granted once other pods leave as much: dhow describe node ${pod.spec.nodeName ?? ''}`;
  if (reason === 'ResizeInfeasible') return 'ask for less, or make the pod anew on a larger node';
  if (reason === 'ResizeError') return 'it is tried again until it can be done';
  if (pod.status.phase !== 'Failed') return lookAtNode(pod);
  const owner = controllerOf(pod);
  return owner === undefined
    ? 'it does not run again: delete it, and make it anew once the cause is mended'
    : `it does not run again: its ${owner.kind} ${owner.name} makes others, which may meet the same`;
};

const lookAtNode = ({ spec }: Pod): string | undefined =>
  spec.nodeName === undefined ? undefined : `how its node is: dhow describe node ${spec.nodeName}`;

const containerAdvice = (pod: Pod, trouble: Trouble, name: string): string | undefined => {
  const { reason, lastEnd } = trouble;
  const image = containerNamed(pod, name)?.image ?? '';
  switch (reason) {
    case 'InvalidImageName':
      return `correct the image of container ${name}: "${image}" names none`;
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'ImageInspectError':
    case 'RegistryUnavailable':
      return `correct the image, or bring "${image}" to the cluster: dhow image import`;
    case 'ErrImageNeverPull':
      return `bring "${image}" to the node (dhow image import), or set imagePullPolicy: IfNotPresent`;
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
      return 'mend what it names: the container is then started without a restart of the pod';
    case 'ContainerCreating':
    case 'PodInitializing':
      return `what it waits for: dhow describe pod ${named(pod)}`;
  }
  return lastEnd === undefined ? readLog(pod, name, false) : endAdvice(pod, name, trouble, lastEnd);
};

const endAdvice = (
  pod: Pod,
  name: string,
  { reason }: Trouble,
  end: NonNullable<Trouble['lastEnd']>,
): string => {
  const limit = containerNamed(pod, name)?.resources?.limits?.['memory'];
  if (end.reason === 'OOMKilled')
    return limit === undefined
      ? `it took more memory than there was: give it a limit that its node has room for`
      : `it took more memory than its limit of ${limit}: raise resources.limits.memory of container ${name}`;
  if (end.reason === 'StartError')
    return `correct the command of container ${name}: it could not be started`;
  if (end.exitCode === 0 && pod.spec.restartPolicy === 'Always')
    return 'it ends with success and is started again: give it a command that goes on';
  return readLog(pod, name, isPrevious(reason));
};

/** While it runs again, what it said before it ended is the log of the run before. */
const isPrevious = (reason: string): boolean =>
  reason === 'Restarted' || reason === 'CrashLoopBackOff';

const readLog = (pod: Pod, name: string, previous: boolean): string =>
  `read its log: dhow logs ${named(pod)} -c ${name}${previous ? ' --previous' : ''}`;

/** As a command takes it, whatever namespace it would look in otherwise. */
export const named = ({ metadata: { name, namespace = 'default' } }: Pod): string =>
  namespace === 'default' ? name : `${name} -n ${namespace}`;

const containerNamed = ({ spec }: Pod, wanted: string): Container | undefined =>
  [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => name === wanted);
