import { resizableIn, resourcesOf, type ContainerResources } from '../../api/pod-resources';
import {
  BY_KUBELET,
  disruption,
  isNodeCondition,
  isRestartableInit,
  qosClassOf,
  RESIZE_IN_PROGRESS,
  RESIZE_PENDING,
  withCondition,
  withNodeConditions,
  type ConditionInput,
} from '../../api/pods';
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus } from '../../api/types';
import { rfc3339 } from '../../lib/clock';
import { CONTAINER_ID_PREFIX } from '../inventory/labels';
import type { ObservedContainer, PodObservation } from '../inventory/observe';
import type { PodPlan } from './plan';

export interface WaitingReason {
  readonly reason: string;
  readonly message?: string;
}

/** The pod was ended by the agent, not by its containers. */
export interface PodEnding {
  /** `Evicted`, `DeadlineExceeded`, `OutOfcpu`, ... */
  readonly reason: string;
  readonly message: string;
  /** For the node's sake and by no fault of the pod: told by the condition DisruptionTarget, too. */
  readonly isDisruption?: boolean;
  /** No event says the same. */
  readonly isToldByStatusOnly?: boolean;
}

export interface StatusInput {
  /** With what it has been granted in its spec. */
  readonly pod: Pod;
  readonly observation: PodObservation;
  readonly plan: PodPlan;
  /** Why a container that should start has not. */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
  /** Why none of them can start. */
  readonly sandboxProblem?: WaitingReason | undefined;
  readonly isReady: (run: ObservedContainer) => boolean;
  readonly isStarted: (run: ObservedContainer) => boolean;
  readonly terminationMessage: (run: ObservedContainer) => string | undefined;
  readonly hasSandbox: boolean;
  /** One of each family at most, as the next; empty until it has some. */
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  readonly ending: PodEnding | undefined;
  /** It was never let in: nothing of it is or was here. */
  readonly isRejected: boolean;
  /** The pod is being deleted: what has ended does not start again. */
  readonly isEnding: boolean;
  /** What a container has; undefined: what its spec says. */
  readonly resourcesOf: (
    name: string,
    run: ObservedContainer | undefined,
  ) => ContainerResources | undefined;
  /** How far a resize is. */
  readonly resize: readonly ConditionInput[];
  readonly nowMs: number;
  /** Delay of the back-off a container waits in, for its message. */
  readonly backoffDelayMs: (run: ObservedContainer) => number;
}

/** Pure: the status of a pod from all that is known of it. */
export const computePodStatus = (input: StatusInput): PodStatus => {
  const { pod, ending, hostIps, podIps } = input;
  const now = rfc3339(input.nowMs);
  if (ending !== undefined && input.isRejected) return rejectedStatus(pod, ending, now);
  const init = (pod.spec.initContainers ?? []).map((container) =>
    containerStatus(input, container, true),
  );
  const main = pod.spec.containers.map((container) => containerStatus(input, container, false));
  const added = (pod.spec.ephemeralContainers ?? []).map((container) =>
    ephemeralStatus(input, container as Container),
  );
  const phase = ending === undefined ? phaseOf(input, init, main) : 'Failed';
  const { generation } = pod.metadata;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf(input, phase, init, main, now),
    ...(ending === undefined ? {} : { reason: ending.reason, message: ending.message }),
    hostIP: hostIps[0] ?? '',
    hostIPs: hostIps.map((ip) => ({ ip })),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    startTime: pod.status.startTime ?? now,
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: main,
    ...(added.length === 0 ? {} : { ephemeralContainerStatuses: added }),
    qosClass: pod.status.qosClass ?? qosClassOf(pod.spec),
  };
};

/** As the kubelet's: no containers, whose waiting would hide the reason from who lists pods. */
const rejectedStatus = (pod: Pod, { reason, message }: PodEnding, now: string): PodStatus => {
  const others = (pod.status.conditions ?? []).filter((each) => !isNodeCondition(each));
  return {
    phase: 'Failed',
    ...(others.length === 0 ? {} : { conditions: others }),
    reason,
    message,
    startTime: pod.status.startTime ?? now,
    qosClass: pod.status.qosClass ?? qosClassOf(pod.spec),
  };
};

/** Pure: this node's own status with the conditions that others have set meanwhile. */
export const adoptConditions = (own: PodStatus, stored: PodStatus): PodStatus => ({
  ...own,
  conditions: withNodeConditions(own.conditions, stored.conditions),
});

const containerStatus = (
  input: StatusInput,
  container: Container,
  isInit: boolean,
): ContainerStatus => {
  const { observation, plan } = input;
  const runs = observation.get(container.name);
  const run = runs?.current;
  const isSidecar = isInit && isRestartableInit(container);
  const isRunning = run?.state.status === 'running';
  const isReady = isInit && !isSidecar ? succeeded(run) : isRunning && input.isReady(run);
  const started = isRunning && (isInit && !isSidecar ? true : input.isStarted(run));
  const identity = {
    name: container.name,
    image: run?.image === undefined || run.image === '' ? (container.image ?? '') : run.image,
    imageID: run?.imageId ?? '',
    restartCount: run?.restartCount ?? 0,
    ready: isReady,
    started,
    ...resourcesIn(input, container, run),
    ...(run === undefined || run.id === '' ? {} : { containerID: CONTAINER_ID_PREFIX + run.id }),
  };
  const waiting = waitingOf(input, container, run, plan);
  const last = waiting === undefined || run?.state.status !== 'exited' ? runs?.previous : run;
  return {
    ...identity,
    state: waiting === undefined ? stateOf(input, run) : { waiting },
    lastState: last?.state.status === 'exited' ? terminatedState(input, last) : {},
  };
};

/** What it has been granted, and what of that is in force. */
const resourcesIn = (
  { pod, resourcesOf: inForce }: StatusInput,
  container: Container,
  run: ObservedContainer | undefined,
): Pick<ContainerStatus, 'resources' | 'allocatedResources'> => {
  const { requests } = resourcesOf(container);
  const isResizable = resizableIn(pod.spec).includes(container);
  return {
    ...(isResizable && requests !== undefined ? { allocatedResources: requests } : {}),
    resources: inForce(container.name, run) ?? resourcesOf(container),
  };
};

/** Nobody waits for one to be ready. */
const ephemeralStatus = (input: StatusInput, container: Container): ContainerStatus => {
  const { started: _, ...status } = containerStatus(input, container, false);
  return { ...status, ready: false };
};

/** Undefined when the container is running or has ended for good. */
const waitingOf = (
  input: StatusInput,
  { name }: Container,
  run: ObservedContainer | undefined,
  plan: PodPlan,
): WaitingReason | undefined => {
  if (run?.state.status === 'running') return undefined;
  const willStart =
    plan.starts.some(({ container }) => container.name === name) || plan.backoffUntilMs.has(name);
  if (run?.state.status === 'exited' && !willStart) return undefined;
  if (input.ending !== undefined && run?.state.status === 'exited') return undefined;
  if (plan.backoffUntilMs.has(name) && run !== undefined) return crashLoop(input, run);
  const known = input.waiting.get(name);
  if (known !== undefined) return waitingState(known);
  // Not restarted yet: until then, what ended is what people need to see.
  if (run?.state.status === 'exited') return undefined;
  if (input.sandboxProblem !== undefined) return waitingState(input.sandboxProblem);
  const isHeldBack = !plan.isInitialized && !willStart;
  return { reason: isHeldBack ? 'PodInitializing' : 'ContainerCreating' };
};

/** Only what a status may hold: what is passed in may know more. */
const waitingState = ({ reason, message }: WaitingReason): WaitingReason =>
  message === undefined ? { reason } : { reason, message };

const crashLoop = (input: StatusInput, run: ObservedContainer): WaitingReason => {
  const { name, namespace = '', uid = '' } = input.pod.metadata;
  const delay = formatDelay(input.backoffDelayMs(run));
  return {
    reason: 'CrashLoopBackOff',
    message:
      `back-off ${delay} restarting failed container=${run.name} ` +
      `pod=${name}_${namespace}(${uid})`,
  };
};

/** As Go prints a duration: `10s`, `1m20s`, `5m0s`. */
const formatDelay = (ms: number): string => {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
};

const stateOf = (
  input: StatusInput,
  run: ObservedContainer | undefined,
): NonNullable<ContainerStatus['state']> => {
  if (run === undefined || run.state.status === 'created')
    return { waiting: { reason: 'ContainerCreating' } };
  if (run.state.status === 'running')
    return { running: { startedAt: rfc3339(run.state.startedAtMs) } };
  return terminatedState(input, run);
};

const terminatedState = (
  input: StatusInput,
  run: ObservedContainer,
): NonNullable<ContainerStatus['state']> => {
  if (run.state.status !== 'exited') return {};
  const { startedAtMs, exit } = run.state;
  const message = exit.startError ?? input.terminationMessage(run);
  return {
    terminated: {
      exitCode: exit.exitCode,
      reason: run.reason ?? exitReason(exit),
      startedAt: rfc3339(startedAtMs ?? exit.finishedAtMs),
      finishedAt: rfc3339(exit.finishedAtMs),
      ...(message === undefined ? {} : { message }),
      ...(run.id === '' ? {} : { containerID: CONTAINER_ID_PREFIX + run.id }),
    },
  };
};

const exitReason = (exit: {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly startError?: string;
}): string => {
  if (exit.startError !== undefined) return 'StartError';
  if (exit.oomKilled) return 'OOMKilled';
  return exit.exitCode === 0 ? 'Completed' : 'Error';
};

const phaseOf = (
  { plan, isEnding }: StatusInput,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
): string => {
  if (!plan.isInitialized) {
    const hasFailed = init.some(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
    return plan.isComplete && hasFailed ? 'Failed' : 'Pending';
  }
  // A container in back-off has ended; one that never started is what a pod is Pending for.
  const waits = main.some(
    ({ state, lastState }) => state?.waiting !== undefined && lastState?.terminated === undefined,
  );
  if (waits) return 'Pending';
  if (main.some(({ state }) => state?.running !== undefined)) return 'Running';
  if (!plan.isComplete && !isEnding) return 'Running';
  const exits = main.map(({ state, lastState }) => state?.terminated ?? lastState?.terminated);
  return exits.every((exit) => exit?.exitCode === 0) ? 'Succeeded' : 'Failed';
};

const conditionsOf = (
  input: StatusInput,
  phase: string,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
  now: string,
): readonly PodCondition[] => {
  const { pod, plan } = input;
  const unready = [...sidecarsOf(pod, init), ...main].filter(({ ready }) => !ready);
  const incomplete = init.filter(({ ready }) => !ready);
  const end = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const containersReady = readyCondition('ContainersReady', end, unready);
  const gate = end === undefined ? closedGate(pod) : undefined;
  const ready =
    containersReady.status === 'True' && gate !== undefined
      ? { type: 'Ready', status: 'False' as const, reason: 'ReadinessGatesNotReady', message: gate }
      : { ...containersReady, type: 'Ready' };
  const initialized =
    plan.isInitialized || phase === 'Succeeded'
      ? {
          type: 'Initialized',
          status: 'True' as const,
          ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}),
        }
      : {
          type: 'Initialized',
          status: 'False' as const,
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${namesOf(incomplete)}]`,
        };
  const sandbox = {
    type: 'PodReadyToStartContainers',
    status: input.hasSandbox && end === undefined ? ('True' as const) : ('False' as const),
  };
  const inputs = [
    ...[...input.resize, ...disruptionOf(input)],
    ...[sandbox, initialized, ready, containersReady],
  ];
  const isOver = ({ type }: PodCondition): boolean =>
    (type === RESIZE_PENDING || type === RESIZE_IN_PROGRESS) &&
    !input.resize.some((each) => each.type === type);
  return inputs.reduce<readonly PodCondition[]>(
    (conditions, condition) => withCondition(conditions, condition, now),
    (pod.status.conditions ?? []).filter((each) => !isOver(each)),
  );
};

const disruptionOf = ({ ending }: StatusInput) => {
  if (ending?.isDisruption !== true) return [];
  return [disruption(BY_KUBELET, ending.message)];
};

const readyCondition = (
  type: string,
  end: string | undefined,
  unready: readonly ContainerStatus[],
) => {
  if (end !== undefined) return { type, status: 'False' as const, reason: end };
  if (unready.length === 0) return { type, status: 'True' as const };
  const message = `containers with unready status: [${namesOf(unready)}]`;
  return { type, status: 'False' as const, reason: 'ContainersNotReady', message };
};

const closedGate = ({ spec, status }: Pod): string | undefined => {
  for (const { conditionType } of spec.readinessGates ?? []) {
    const condition = status.conditions?.find(({ type }) => type === conditionType);
    if (condition === undefined)
      return `corresponding condition of pod readiness gate "${conditionType}" does not exist.`;
    if (condition.status !== 'True')
      return `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`;
  }
  return undefined;
};

const sidecarsOf = (pod: Pod, init: readonly ContainerStatus[]): readonly ContainerStatus[] =>
  init.filter((_status, index) => {
    const container = pod.spec.initContainers?.[index];
    return container !== undefined && isRestartableInit(container);
  });

const namesOf = (statuses: readonly ContainerStatus[]): string =>
  statuses.map(({ name }) => name).join(' ');

const succeeded = (run: ObservedContainer | undefined): boolean =>
  run?.state.status === 'exited' && run.state.exit.exitCode === 0;
