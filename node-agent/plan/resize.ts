import {
  INFEASIBLE,
  isSameResources,
  resizableIn,
  resourcesOf,
  withContainers,
  type ContainerResources,
} from '../../api/pod-resources';
import { amountsOf, isRestartableInit } from '../../api/pods';
import type { Container, Pod } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { CgroupResources } from '../../runtime/container-runtime';
import type { PodAllocation } from '../inventory/allocation-store';
import type { ObservedContainer, PodObservation } from '../inventory/observe';
import { requestsOf } from '../pod-spec/requests';
import { shortageOf, type AdmissionInput } from './admission';

export interface ResizeRefusal {
  /** `Infeasible`: never on this node. `Deferred`: not beside those that are there. */
  readonly reason: 'Infeasible' | 'Deferred';
  readonly message: string;
}

/** Why what the pod asks for now cannot be granted; undefined when it can. Pure. Source: allocation_manager.go. */
export const refuseToResize = (
  input: Pick<AdmissionInput, 'pod' | 'others' | 'allocatable'>,
): ResizeRefusal | undefined => {
  const wanted = requestsOf(input.pod.spec);
  const capacity = amountsOf(input.allocatable);
  const beyond = (
    [
      ['memory', wanted.memoryBytes, capacity.memoryBytes],
      ['cpu', wanted.cpuMillis, capacity.cpuMillis],
    ] as const
  ).find(([, requested, available]) => requested > available);
  if (beyond !== undefined) {
    const [name, requested, available] = beyond;
    const figures = `${name}, requested: ${requested}, capacity: ${available}`;
    return { reason: INFEASIBLE, message: `Node didn't have enough capacity: ${figures}` };
  }
  const shortage = shortageOf(input);
  return shortage === undefined ? undefined : { reason: 'Deferred', message: shortage.message };
};

/** What the pod asks for now, by the name of the container. */
export const wantedOf = ({ spec }: Pod): PodAllocation['allocated'] =>
  Object.fromEntries(resizableIn(spec).map((each) => [each.name, resourcesOf(each)]));

/**
 * What a pod was granted that has no record of it: what its containers were made with, what was told of
 * them last, or, where there is neither, what it asks for.
 */
export const firstAllocation = (pod: Pod, observation: PodObservation): PodAllocation => {
  const told = new Map(
    [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])].map(
      ({ name, resources }) => [name, resources],
    ),
  );
  const granted = (container: Container): ContainerResources => {
    const made = observation.get(container.name)?.current?.resources;
    if (made !== undefined) return made;
    const resources = told.get(container.name);
    return resources === undefined ? resourcesOf(container) : resourcesOf({ resources });
  };
  return {
    allocated: Object.fromEntries(
      resizableIn(pod.spec).map((each) => [each.name, granted(each)] as const),
    ),
    actuated: {},
  };
};

export const isGranted = (
  wanted: PodAllocation['allocated'],
  { allocated }: PodAllocation,
): boolean =>
  Object.entries(wanted).every(([name, resources]) =>
    isSameResources(resources, allocated[name] ?? {}),
  );

/** The pod with these resources in its spec; the pod itself where they are the same. */
export const withResources = (
  pod: Pod,
  resources: Readonly<Record<string, ContainerResources>>,
): Pod => {
  const given = (container: Container): Container => {
    const own = resources[container.name];
    if (own === undefined || isSameResources(own, resourcesOf(container))) return container;
    const { requests: _requests, limits: _limits, ...others } = container.resources ?? {};
    return { ...container, resources: { ...others, ...own } };
  };
  const spec = withContainers(pod.spec, given);
  return spec === pod.spec ? pod : { ...pod, spec };
};

/** What is in force in a run. */
export const actualOf = (
  { id, name, resources }: ObservedContainer,
  { allocated, actuated }: PodAllocation,
): ContainerResources => actuated[id] ?? resources ?? allocated[name] ?? {};

export type ResizeStep = 'none' | 'update' | 'restart';

/** How a container that has `actual` gets what its spec says, by its own policy. */
export const resizeStepOf = (container: Container, actual: ContainerResources): ResizeStep => {
  const wanted = resourcesOf(container);
  if (isSameResources(wanted, actual)) return 'none';
  const restarts = (container.resizePolicy ?? []).some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === 'RestartContainer' &&
      !isSameResources(only(wanted, resourceName), only(actual, resourceName)),
  );
  return restarts ? 'restart' : 'update';
};

const only = ({ requests, limits }: ContainerResources, name: string): ContainerResources => {
  const [request, limit] = [requests?.[name], limits?.[name]];
  return {
    ...(request === undefined ? {} : { requests: { [name]: request } }),
    ...(limit === undefined ? {} : { limits: { [name]: limit } }),
  };
};

/** Room for both: what one of them does not limit is not limited. */
export const largerLimits = (a: CgroupResources, b: CgroupResources): CgroupResources => {
  const shares = Math.max(a.cpuShares ?? 0, b.cpuShares ?? 0);
  const bounded = ['cpuQuotaMicros', 'memoryLimitBytes', 'pidsLimit'] as const;
  return {
    ...(shares === 0 ? {} : { cpuShares: shares }),
    ...(a.cpuPeriodMicros === undefined ? {} : { cpuPeriodMicros: a.cpuPeriodMicros }),
    ...Object.fromEntries(
      bounded.flatMap((name) => {
        const [x, y] = [a[name], b[name]];
        return x === undefined || y === undefined ? [] : [[name, Math.max(x, y)] as const];
      }),
    ),
  };
};

/** A memory limit that is to change, and what is used under it. Zero bytes: no limit. */
export interface MemoryChange {
  /** `pod`, or `container "web"`. */
  readonly of: string;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly usedBytes: number;
}

/** Does a limit sink, or come where there was none? */
export const isDecrease = ({
  beforeBytes,
  afterBytes,
}: Pick<MemoryChange, 'beforeBytes' | 'afterBytes'>): boolean =>
  afterBytes > 0 && (beforeBytes === 0 || afterBytes < beforeBytes);

/** No limit goes below what is used: the kernel would kill for it. Source: kuberuntime_manager.go. */
export const decreaseProblem = (changes: readonly MemoryChange[]): string | undefined => {
  const problems = changes
    .filter((change) => isDecrease(change) && change.usedBytes > change.afterBytes)
    .map(
      ({ of, afterBytes, usedBytes }) =>
        `attempting to set ${of} memory limit (${afterBytes}) below current usage (${usedBytes})`,
    );
  const [first] = problems;
  if (first === undefined) return undefined;
  const all = problems.length === 1 ? first : `[${problems.join(', ')}]`;
  return `cannot decrease memory limits: ${all}`;
};

/** What events say of a resize, with what is asked for. Source: upstream's kubelet/events. */
export const resizeMessage = (
  { spec }: Pod,
  what: string,
  generation: number,
  error = '',
): string => {
  const listed = (list: readonly Container[]) =>
    list.map((each) => ({ name: each.name, resources: resourcesOf(each) }));
  const sidecars = (spec.initContainers ?? []).filter(isRestartableInit);
  const summary = {
    ...(sidecars.length === 0 ? {} : { initContainers: listed(sidecars) }),
    containers: listed(spec.containers),
    generation,
    ...(error === '' ? {} : { error }),
  };
  return `Pod resize ${what}: ${stringifyJson(summary)}`;
};
