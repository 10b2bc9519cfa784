import { hasPodLevelResources, podLevelList, type ResourceList } from './pod-level-resources';
import { bytesOf, cpuMillisOf } from './quantity';
import type { Container, Pod, PodCondition, PodSpec, PodStatus } from './types';

/** Amounts of compute. `others` holds every further resource as a plain count. */
export interface ResourceAmounts {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  readonly others: Readonly<Record<string, number>>;
}

export const NO_RESOURCES: ResourceAmounts = {
  cpuMillis: 0,
  memoryBytes: 0,
  ephemeralStorageBytes: 0,
  others: {},
};

/** A list of quantities (`requests`, `limits`, `capacity`, `overhead`) as amounts. */
export const amountsOf = (
  list: Readonly<Record<string, string | number>> | undefined,
): ResourceAmounts => {
  if (list === undefined) return NO_RESOURCES;
  const { cpu, memory, 'ephemeral-storage': storage, ...others } = list;
  return {
    cpuMillis: cpuMillisOf(cpu),
    memoryBytes: bytesOf(memory),
    ephemeralStorageBytes: bytesOf(storage),
    others: Object.fromEntries(Object.entries(others).map(([name, text]) => [name, bytesOf(text)])),
  };
};

export const addAmounts = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts =>
  combine(a, b, (x, y) => x + y);

export const maxAmounts = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts =>
  combine(a, b, Math.max);

/**
 * What a pod takes from its node, the one figure that scheduler, agent and quota all use.
 * Restartable init containers keep running beside whatever starts after them, so each init step
 * needs its own request plus theirs; the pod needs the largest of the steps and of the main phase.
 * What the pod itself asks for stands in place of that. Source: upstream's component-helpers/resource.
 */
export const effectiveRequests = (spec: PodSpec): ResourceAmounts =>
  addAmounts(podTotal(spec, 'requests', AMOUNTS), amountsOf(spec.overhead));

/**
 * The same rule over limits. A container without a limit counts as zero, and overhead adds to what is
 * limited alone.
 */
export const effectiveLimits = (spec: PodSpec): ResourceAmounts => {
  const limits = podTotal(spec, 'limits', AMOUNTS);
  return spec.overhead === undefined
    ? limits
    : combine(limits, amountsOf(spec.overhead), (limit, more) => (limit > 0 ? limit + more : 0));
};

/** The init step that asks for most CPU or memory, beside the main phase: for explanations. */
export const requestPhases = (spec: PodSpec): Phases<ResourceAmounts> =>
  podPhases(spec, 'requests', AMOUNTS);

/** How amounts of some sort are read and put together. */
export interface Arithmetic<T> {
  readonly none: T;
  readonly of: (list: Readonly<Record<string, string>> | undefined) => T;
  readonly add: (a: T, b: T) => T;
  readonly max: (a: T, b: T) => T;
  /** The first, with all that the list names as it says. */
  readonly replace: (amounts: T, list: Readonly<Record<string, string>>) => T;
}

interface Phases<T> {
  readonly init: T;
  readonly main: T;
}

type Totalled = Pick<PodSpec, 'containers' | 'initContainers' | 'resources'>;

/** The rule of `effectiveRequests` over amounts of any sort, without the pod's overhead. */
export const podTotal = <T>(spec: Totalled, list: ResourceList, arithmetic: Arithmetic<T>): T =>
  largest(podPhases(spec, list, arithmetic), arithmetic);

/** The same of its containers alone, whatever the pod itself says. */
export const containersTotal = <T>(
  spec: Totalled,
  list: ResourceList,
  arithmetic: Arithmetic<T>,
): T => largest(containerPhases(spec, list, arithmetic), arithmetic);

/** What a pod's containers ask for without what the pod itself does, and without its overhead. */
export const containerRequests = (spec: Totalled): ResourceAmounts =>
  containersTotal(spec, 'requests', AMOUNTS);

const largest = <T>({ init, main }: Phases<T>, { max }: Arithmetic<T>): T => max(main, init);

const podPhases = <T>(spec: Totalled, list: ResourceList, arithmetic: Arithmetic<T>): Phases<T> => {
  const phases = containerPhases(spec, list, arithmetic);
  const own = podLevelList(spec, list);
  if (Object.keys(own).length === 0) return phases;
  const { replace } = arithmetic;
  return { init: replace(phases.init, own), main: replace(phases.main, own) };
};

const containerPhases = <T>(
  spec: Totalled,
  list: ResourceList,
  { none, of, add, max }: Arithmetic<T>,
): Phases<T> => {
  const amounts = ({ resources }: Container): T => of(resources?.[list]);
  let sidecars = none;
  let init = none;
  for (const container of spec.initContainers ?? []) {
    const step = add(sidecars, amounts(container));
    if (isRestartableInit(container)) sidecars = step;
    init = max(init, step);
  }
  return { init, main: spec.containers.map(amounts).reduce(add, sidecars) };
};

/** An init container that keeps running beside the main ones: a sidecar. */
export const isRestartableInit = (container: Container): boolean =>
  container.restartPolicy === 'Always';

/** A port a pod claims on its node. `hostIP` is `0.0.0.0` where the pod names none. */
export interface HostPort {
  readonly hostIP: string;
  readonly protocol: string;
  readonly port: number;
  /** Where its container listens. */
  readonly containerPort: number;
}

/** Host ports of the main containers and of sidecars; plain init containers are gone by then. */
export const hostPortsOf = (spec: PodSpec): readonly HostPort[] =>
  [...spec.containers, ...(spec.initContainers ?? []).filter(isRestartableInit)].flatMap(
    (container) =>
      (container.ports ?? [])
        .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
        .map(({ hostIP, hostPort, protocol, containerPort }) => ({
          hostIP: hostIP === undefined || hostIP === '' ? ANY_IP : hostIP,
          protocol: protocol ?? 'TCP',
          port: hostPort ?? 0,
          containerPort,
        })),
  );

/** Two claims clash on one port and protocol when an address is the same or stands for all. */
export const hostPortsClash = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port &&
  a.protocol === b.protocol &&
  (a.hostIP === b.hostIP || isAnyIp(a.hostIP) || isAnyIp(b.hostIP));

const ANY_IP = '0.0.0.0';
const isAnyIp = (ip: string): boolean => ip === ANY_IP || ip === '::';

/** What a pod calls its host whatever else it says; `''`: nothing. The declarations lack the field. */
export const hostnameOverrideOf = (spec: PodSpec): string =>
  (spec as { readonly hostnameOverride?: string }).hostnameOverride ?? '';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/**
 * Guaranteed: the pod itself, or every container where it says nothing, has equal CPU and memory requests
 * and limits. BestEffort: none.
 */
export const qosClassOf = (spec: PodSpec): QosClass => {
  const parts: readonly Pick<Container, 'resources'>[] = hasPodLevelResources(spec)
    ? [spec]
    : [...spec.containers, ...(spec.initContainers ?? [])];
  const amounts = parts.map(({ resources }) => ({
    requests: amountsOf(resources?.requests),
    limits: amountsOf(resources?.limits),
  }));
  const asks = amounts.some(({ requests, limits }) => hasCompute(requests) || hasCompute(limits));
  if (!asks) return 'BestEffort';
  const isGuaranteed = amounts.every(
    ({ requests, limits }) =>
      limits.cpuMillis > 0 &&
      limits.memoryBytes > 0 &&
      requests.cpuMillis === limits.cpuMillis &&
      requests.memoryBytes === limits.memoryBytes,
  );
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
};

const hasCompute = ({ cpuMillis, memoryBytes }: ResourceAmounts): boolean =>
  cpuMillis > 0 || memoryBytes > 0;

/** The phases a pod never leaves. */
export const isTerminal = ({ status }: { readonly status?: PodStatus }): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

export const isTerminating = ({ metadata }: Pick<Pod, 'metadata'>): boolean =>
  metadata.deletionTimestamp !== undefined;

/** Counts toward a controller's replicas: neither finished nor on its way out. */
export const isPodActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod);

/**
 * Conditions that the pod's node decides; others (PodScheduled, readiness gates) it leaves alone, and of
 * why a pod is disrupted it says only what it did itself.
 */
export const isNodeCondition = ({ type, reason }: Pick<PodCondition, 'type' | 'reason'>): boolean =>
  NODE_CONDITIONS.includes(type) || (type === DISRUPTION_TARGET && reason === BY_KUBELET);

/** Pure: `stored` conditions of others beside those of `own` that a node decides. */
export const withNodeConditions = (
  own: readonly PodCondition[] | undefined,
  stored: readonly PodCondition[] | undefined,
): readonly PodCondition[] => {
  const mine = (own ?? []).filter(isNodeCondition);
  const isMine = (type: string) => mine.some((condition) => condition.type === type);
  return [
    ...mine,
    ...(stored ?? []).filter((each) => !isNodeCondition(each) && !isMine(each.type)),
  ];
};

export const DISRUPTION_TARGET = 'DisruptionTarget';

/** What `DISRUPTION_TARGET` says where a pod's node ends it. */
export const BY_KUBELET = 'TerminationByKubelet';

/** The condition that tells whoever sees a pod end that something else than itself ended it, and why. */
export const disruption = (reason: string, message: string) => ({
  type: DISRUPTION_TARGET,
  status: 'True' as const,
  reason,
  message,
});

export const RESIZE_PENDING = 'PodResizePending';
export const RESIZE_IN_PROGRESS = 'PodResizeInProgress';

const NODE_CONDITIONS = [
  ...['PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'],
  ...[RESIZE_PENDING, RESIZE_IN_PROGRESS],
];

export const podCondition = (
  { status }: { readonly status?: PodStatus },
  type: string,
): PodCondition | undefined => status?.conditions?.find((condition) => condition.type === type);

export const isPodReady = (pod: { readonly status?: PodStatus }): boolean =>
  podCondition(pod, 'Ready')?.status === 'True';

/** Its start is over, for good or ill: it is ready, or has ended. */
export const hasStarted = (pod: { readonly status?: PodStatus }): boolean =>
  isPodReady(pod) || isTerminal(pod);

/** A condition as a writer states it; `withCondition` fills in the transition time. */
export interface ConditionInput {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

/**
 * `conditions` with this one set, in place. The transition time moves only when the status does.
 * Works for pods, nodes and any kind whose conditions have type, status and lastTransitionTime.
 */
export const withCondition = <
  C extends {
    readonly type: string;
    readonly status: string;
    readonly lastTransitionTime?: string;
  },
>(
  conditions: readonly C[] | undefined,
  input: ConditionInput,
  now: string,
): readonly (C | (ConditionInput & { readonly lastTransitionTime: string }))[] => {
  const current = conditions?.find(({ type }) => type === input.type);
  const lastTransitionTime =
    current?.status === input.status ? (current.lastTransitionTime ?? now) : now;
  const next = { ...input, lastTransitionTime };
  return current === undefined
    ? [...(conditions ?? []), next]
    : (conditions ?? []).map((condition) => (condition === current ? next : condition));
};

const combine = (
  a: ResourceAmounts,
  b: ResourceAmounts,
  pick: (x: number, y: number) => number,
): ResourceAmounts => {
  const names = new Set([...Object.keys(a.others), ...Object.keys(b.others)]);
  return {
    cpuMillis: pick(a.cpuMillis, b.cpuMillis),
    memoryBytes: pick(a.memoryBytes, b.memoryBytes),
    ephemeralStorageBytes: pick(a.ephemeralStorageBytes, b.ephemeralStorageBytes),
    others: Object.fromEntries(
      [...names].map((name) => [name, pick(a.others[name] ?? 0, b.others[name] ?? 0)]),
    ),
  };
};

const AMOUNTS: Arithmetic<ResourceAmounts> = {
  none: NO_RESOURCES,
  of: amountsOf,
  add: addAmounts,
  max: maxAmounts,
  replace: (amounts, list) => {
    const { cpuMillis, memoryBytes, others } = amountsOf(list);
    return {
      ...amounts,
      ...(list['cpu'] === undefined ? {} : { cpuMillis }),
      ...(list['memory'] === undefined ? {} : { memoryBytes }),
      others: { ...amounts.others, ...others },
    };
  },
};
