import type { Pod } from '../../api/types';
import type { ContainerTarget } from '../../proto/gen/dhow/agent/v1/agent';
import type { ContainerRuntime, Sandbox } from '../../runtime/container-runtime';
import { sandboxIdOf } from '../inventory/labels';
import { observePod, type ObservedContainer } from '../inventory/observe';
import type { PodManager } from '../pods/pod-manager';

/** A stream that cannot be served. `reason` is a StatusReason of the API. */
export class StreamFailure extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** The sandbox of the pod that a request means. @throws StreamFailure */
export const findSandbox = (
  pods: PodManager,
  runtime: ContainerRuntime,
  target: ContainerTarget | undefined,
): Sandbox => {
  const { podUid = '' } = target ?? {};
  podOf(pods, target);
  const sandbox = runtime.sandboxes().find(({ id }) => id === sandboxIdOf(podUid));
  if (sandbox !== undefined) return sandbox;
  throw new StreamFailure('BadRequest', `pod "${target?.podName ?? ''}" is not running`);
};

/** The pod that a request means. @throws StreamFailure */
export const podOf = (pods: PodManager, target: ContainerTarget | undefined): Pod => {
  const pod = pods.worker(target?.podUid ?? '')?.current;
  if (pod !== undefined) return pod;
  throw new StreamFailure('NotFound', `pod "${target?.podName ?? ''}" is not on this node`);
};

/** The run of a container that a request means. @throws StreamFailure */
export const findRun = (
  pods: PodManager,
  runtime: ContainerRuntime,
  target: ContainerTarget | undefined,
  previous: boolean,
): { readonly pod: Pod; readonly run: ObservedContainer } => {
  const { podUid = '', podName = '', container = '' } = target ?? {};
  const pod = podOf(pods, target);
  const states = runtime.containers(sandboxIdOf(podUid));
  const runs = observePod(pod, states).get(container);
  if (runs === undefined)
    throw new StreamFailure('BadRequest', `container ${container} is not valid for pod ${podName}`);
  // In back-off the run that ended last is both the latest and the previous one.
  const isWaiting = waitingReason(pod, container) !== undefined;
  const isBetween = isWaiting && runs.current?.state.status === 'exited';
  const run = previous && !isBetween ? runs.previous : runs.current;
  if (run !== undefined) return { pod, run };
  throw previous
    ? new StreamFailure(
        'BadRequest',
        `previous terminated container "${container}" in pod "${podName}" not found`,
      )
    : new StreamFailure(
        'BadRequest',
        `container "${container}" in pod "${podName}" is waiting to start: ${waitingReason(pod, container) ?? 'ContainerCreating'}`,
      );
};

const waitingReason = ({ status }: Pod, name: string): string | undefined => {
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  return all.find((candidate) => candidate.name === name)?.state?.waiting?.reason;
};
