import { ApiError } from '../../../api/errors';
import type { ObjectName, Pod } from '../../../api/types';
import type { ContainerTarget, PodTarget } from '../../../client/node-connections';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';

/** A container on its node. */
export interface Placement {
  readonly nodeName: string;
  readonly target: ContainerTarget;
}

/** A pod on its node. */
export interface PodPlacement {
  readonly nodeName: string;
  readonly target: PodTarget;
}

/** @throws NotFound, or BadRequest when the pod has no node yet. */
export const podPlacementOf = async (
  { reader }: ObjectService,
  pods: ServedKind,
  name: ObjectName,
  signal: AbortSignal,
): Promise<PodPlacement> => {
  const item = await reader.get(pods, name, undefined, new URLSearchParams(), { signal });
  return placedPod(item.object as Pod, name);
};

/** @throws NotFound, or BadRequest when the pod has no such container or no node yet. */
export const placementOf = async (
  { reader }: ObjectService,
  pods: ServedKind,
  name: ObjectName,
  containerName: string,
  signal: AbortSignal,
): Promise<Placement> => {
  const item = await reader.get(pods, name, undefined, new URLSearchParams(), { signal });
  const pod = item.object as Pod;
  const container = containerOf(pod, containerName);
  const { nodeName, target } = placedPod(pod, name);
  return { nodeName, target: { ...target, container } };
};

/** Pure. @throws BadRequest when the pod has no node yet. */
export const placedPod = (pod: Pod, { namespace, name }: ObjectName): PodPlacement => {
  const { nodeName = '' } = pod.spec;
  if (nodeName === '')
    throw new ApiError('BadRequest', `pod ${name} does not have a host assigned`);
  return { nodeName, target: { namespace, podName: name, podUid: pod.metadata.uid ?? '' } };
};

const containerOf = (pod: Pod, wanted: string): string => {
  const { name } = pod.metadata;
  const own = pod.spec.containers.map((container) => container.name);
  const init = (pod.spec.initContainers ?? []).map((container) => container.name);
  if (wanted !== '') {
    const added = (pod.spec.ephemeralContainers ?? []).map((container) => container.name);
    if ([...own, ...init, ...added].includes(wanted)) return wanted;
    throw new ApiError('BadRequest', `container ${wanted} is not valid for pod ${name}`);
  }
  const [first] = own;
  if (own.length === 1 && init.length === 0 && first !== undefined) return first;
  const annotated = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (annotated !== undefined && own.includes(annotated)) return annotated;
  if (own.length === 1 && first !== undefined) return first;
  throw new ApiError(
    'BadRequest',
    `a container name must be specified for pod ${name}, choose one of: [${own.join(' ')}]` +
      (init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`),
  );
};
