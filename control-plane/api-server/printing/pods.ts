import type { ApiObject, ContainerStatus, Pod } from '../../../api/types';
import { ageOf } from './ages';
import { AGE, NAME, orNone, printer, text, wide } from './columns';

/** What `kubectl get pods` says of one pod. */
export interface PodSummary {
  readonly ready: string;
  readonly reason: string;
  readonly restarts: number;
  /** RFC 3339, of the newest end of a container. */
  readonly lastRestart: string | undefined;
}

export const summarizePod = (pod: Pod): PodSummary => {
  const total = pod.spec.containers.length;
  const init = summarizeInit(pod);
  const isInitialized = init.reason === undefined || hasCondition(pod, 'Initialized');
  const main = isInitialized ? summarizeMain(pod) : undefined;
  const ready = init.ready + (main?.ready ?? 0);
  return {
    ready: `${ready}/${total + init.sidecars}`,
    reason: finalReason(pod, main?.reason ?? init.reason ?? baseReason(pod), main?.isRunning),
    restarts: (main === undefined ? init.restarts : main.restarts + init.sidecarRestarts) || 0,
    lastRestart: newest(main === undefined ? init.ends : [...main.ends, ...init.sidecarEnds]),
  };
};

export const POD_PRINTER = printer(
  NAME,
  text('Ready', (object) => summary(object).ready),
  text('Status', (object) => summary(object).reason),
  text('Restarts', (object, nowMs) => formatRestarts(summary(object), nowMs)),
  AGE,
  wide('IP', (object) => orNone((object as Pod).status.podIP ?? '')),
  wide('Node', (object) => orNone((object as Pod).spec.nodeName ?? '')),
  wide('Nominated Node', (object) => orNone((object as Pod).status.nominatedNodeName ?? '')),
  wide('Readiness Gates', (object) => readinessGates(object as Pod)),
);

/** Each row asks four times. */
const summary = (object: ApiObject): PodSummary => {
  let found = summaries.get(object);
  if (found === undefined) {
    found = summarizePod(object as Pod);
    summaries.set(object, found);
  }
  return found;
};

const summaries = new WeakMap<ApiObject, PodSummary>();

const formatRestarts = ({ restarts, lastRestart }: PodSummary, nowMs: number): string =>
  restarts > 0 && lastRestart !== undefined
    ? `${restarts} (${ageOf(lastRestart, nowMs)} ago)`
    : String(restarts);

const baseReason = (pod: Pod): string => {
  const gated = pod.status.conditions?.some(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated',
  );
  if (gated === true) return 'SchedulingGated';
  return pod.status.reason !== undefined && pod.status.reason !== ''
    ? pod.status.reason
    : (pod.status.phase ?? 'Unknown');
};

interface InitSummary {
  /** Set while an init container keeps the pod from starting. */
  readonly reason: string | undefined;
  readonly restarts: number;
  readonly ends: readonly string[];
  readonly sidecars: number;
  readonly ready: number;
  readonly sidecarRestarts: number;
  readonly sidecarEnds: readonly string[];
}

const summarizeInit = (pod: Pod): InitSummary => {
  const containers = pod.spec.initContainers ?? [];
  const sidecarNames = new Set(
    containers.filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  );
  const statuses = pod.status.initContainerStatuses ?? [];
  const sidecars = statuses.filter(({ name }) => sidecarNames.has(name));
  const blocking = statuses.findIndex((status) => !isInitDone(status, sidecarNames));
  return {
    reason: blocking < 0 ? undefined : initReason(statuses[blocking], blocking, containers.length),
    restarts: sum(statuses),
    ends: ends(statuses),
    sidecars: sidecarNames.size,
    ready: sidecars.filter(({ ready, started }) => ready && started === true).length,
    sidecarRestarts: sum(sidecars),
    sidecarEnds: ends(sidecars),
  };
};

const isInitDone = (status: ContainerStatus, sidecarNames: ReadonlySet<string>): boolean =>
  status.state?.terminated?.exitCode === 0 ||
  (sidecarNames.has(status.name) && status.started === true);

const initReason = (status: ContainerStatus | undefined, index: number, total: number): string => {
  const { terminated, waiting } = status?.state ?? {};
  if (terminated !== undefined) return `Init:${endReason(terminated)}`;
  if (waiting?.reason !== undefined && !['', 'PodInitializing'].includes(waiting.reason))
    return `Init:${waiting.reason}`;
  return `Init:${index}/${total}`;
};

const summarizeMain = (pod: Pod) => {
  const statuses = pod.status.containerStatuses ?? [];
  // The first container with something to say wins.
  const reason = statuses.map(waitReason).find((found) => found !== undefined);
  return {
    reason,
    ready: statuses.filter(({ ready, state }) => ready && state?.running !== undefined).length,
    isRunning: statuses.some(({ ready, state }) => ready && state?.running !== undefined),
    restarts: sum(statuses),
    ends: ends(statuses),
  };
};

const waitReason = ({ state }: ContainerStatus): string | undefined => {
  if (state?.waiting?.reason !== undefined && state.waiting.reason !== '')
    return state.waiting.reason;
  return state?.terminated === undefined ? undefined : endReason(state.terminated);
};

const endReason = (
  terminated: NonNullable<NonNullable<ContainerStatus['state']>['terminated']>,
): string => {
  const { reason, signal, exitCode } = terminated;
  if (reason !== undefined && reason !== '') return reason;
  return signal !== undefined && signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`;
};

const finalReason = (pod: Pod, reason: string, isRunning = false): string => {
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status.reason === 'NodeLost') return 'Unknown';
    if (!['Succeeded', 'Failed'].includes(pod.status.phase ?? '')) return 'Terminating';
  }
  if (reason === 'Completed' && isRunning)
    return hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  return reason;
};

const hasCondition = (pod: Pod, wanted: string): boolean =>
  pod.status.conditions?.some(({ type, status }) => type === wanted && status === 'True') === true;

const sum = (statuses: readonly ContainerStatus[]): number =>
  statuses.reduce((total, { restartCount }) => total + restartCount, 0);

const ends = (statuses: readonly ContainerStatus[]): readonly string[] =>
  statuses.flatMap(({ lastState }) => {
    const finishedAt: unknown = lastState?.terminated?.finishedAt;
    return typeof finishedAt === 'string' ? [finishedAt] : [];
  });

const newest = (times: readonly string[]): string | undefined =>
  [...times].sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1);

const readinessGates = (pod: Pod): string => {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const passed = gates.filter(({ conditionType }) => hasCondition(pod, conditionType)).length;
  return `${passed}/${gates.length}`;
};
