import type { Trouble, Termination, OwnReason } from './known-trouble';
import {
  isRestartableInit,
  isTerminating,
  podCondition,
  RESIZE_IN_PROGRESS,
  RESIZE_PENDING,
} from '../../api/pods';
import type { Container, ContainerStatus, Pod } from '../../api/types';
import { rfc3339 } from '../../lib/clock';
import { adviceFor } from './advice';

/** Pure: what is wrong with a pod that has its node, the pod's own matters first; empty when all is well. */
export const troublesOf = (pod: Pod): readonly Trouble[] => {
  const { status } = pod;
  if (isTerminating(pod)) return [advised(pod, terminating(pod))];
  if (status.phase === 'Succeeded') return [];
  if (status.phase === 'Failed' && status.reason !== undefined)
    return [advised(pod, endedByNode(pod, status.reason))];
  const troubles = containerTroubles(pod);
  const all = troubles.length > 0 ? troubles : unreadyPod(pod);
  return all.map((trouble) => advised(pod, trouble));
};

/** Pure: a resize that waits, or that cannot be brought into force. Nothing of it keeps the pod from running. */
export const resizeTroublesOf = (pod: Pod): readonly Trouble[] =>
  [RESIZE_PENDING, RESIZE_IN_PROGRESS].flatMap((type) => {
    const { reason, message, lastTransitionTime } = podCondition(pod, type) ?? {};
    if (reason === undefined) return [];
    const trouble = {
      reason: `Resize${reason}`,
      ...text(message),
      ...sinceText(lastTransitionTime),
    };
    return [advised(pod, trouble)];
  });

const advised = (pod: Pod, trouble: Trouble): Trouble => {
  const next = adviceFor(pod, trouble);
  return next === undefined ? trouble : { ...trouble, next };
};

// ---- The pod as a whole

const terminating = ({ metadata, status }: Pod): Trouble => {
  const { deletionTimestamp = '', deletionGracePeriodSeconds = 0, finalizers = [] } = metadata;
  const since = Date.parse(deletionTimestamp) - Number(deletionGracePeriodSeconds) * 1000;
  const running = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
    .filter(({ state }) => state?.running !== undefined)
    .map(({ name }) => name);
  const held = [
    ...(running.length === 0 ? [] : [`still running: ${running.join(', ')}`]),
    ...(finalizers.length === 0 ? [] : [`held by finalizers: ${finalizers.join(', ')}`]),
  ];
  return {
    reason: 'Terminating' satisfies OwnReason,
    message: [`its grace period ends at ${deletionTimestamp}`, ...held].join('; '),
    ...(Number.isNaN(since) ? {} : { since: rfc3339(since) }),
  };
};

/** Evicted, rejected at admission, past its deadline. */
const endedByNode = (pod: Pod, reason: string): Trouble => ({
  reason,
  ...text(pod.status.message),
  ...sinceText(unreadySince(pod)),
});

/** No container is to blame: a readiness gate, a node that fell silent, or no word of it yet. */
const unreadyPod = (pod: Pod): readonly Trouble[] => {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'True') return [];
  if (ready === undefined) {
    const message = 'its node has not said anything of it yet';
    const since = podCondition(pod, 'PodScheduled')?.lastTransitionTime;
    return [{ reason: 'Pending' satisfies OwnReason, message, ...sinceText(since) }];
  }
  const { reason = 'NotReady' satisfies OwnReason, message, lastTransitionTime } = ready;
  return [{ reason, ...text(message), ...sinceText(lastTransitionTime) }];
};

// ---- Its containers

const containerTroubles = (pod: Pod): readonly Trouble[] => {
  const { spec, status } = pod;
  const init = troublesAmong(pod, spec.initContainers ?? [], status.initContainerStatuses, true);
  const main = troublesAmong(pod, spec.containers, status.containerStatuses, false);
  // They wait for the init container that is told of: it is the one to look at.
  const waitsForInit = ({ reason }: Trouble) => reason === 'PodInitializing';
  const blamed = [...init, ...main].filter((trouble) => !waitsForInit(trouble));
  return blamed.length > 0 ? blamed : [...init, ...main];
};

const troublesAmong = (
  pod: Pod,
  containers: readonly Container[],
  statuses: readonly ContainerStatus[] = [],
  isInit: boolean,
): readonly Trouble[] =>
  containers.flatMap((container) => {
    const status = statuses.find(({ name }) => name === container.name);
    const found = status === undefined ? undefined : troubleOf(pod, container, status, isInit);
    if (found === undefined) return [];
    const { name } = container;
    const restarts = status?.restartCount ?? 0;
    return [
      {
        container: name,
        ...(isInit ? { isInit } : {}),
        ...found,
        ...(restarts > 0 ? { restartCount: restarts } : {}),
      },
    ];
  });

const troubleOf = (
  pod: Pod,
  container: Container,
  { state = {}, lastState, restartCount, ready, started }: ContainerStatus,
  isInit: boolean,
): Trouble | undefined => {
  const { waiting, running, terminated } = state;
  const last = lastState?.terminated;
  const lastEnd = last === undefined ? {} : { lastEnd: last };
  if (terminated !== undefined)
    return isExpectedEnd(pod, terminated, isInit) ? undefined : endTrouble(terminated);
  if (running === undefined) {
    const { reason = 'ContainerCreating', message } = waiting ?? {};
    return { reason, ...text(message), ...sinceText(waitsSince(pod, last)), ...lastEnd };
  }
  if (isInit && !isRestartableInit(container)) return initRunning(running.startedAt, lastEnd);
  if (!ready) return unready(pod, container, started === true, lastEnd);
  if (restartCount === 0 || last === undefined) return undefined;
  const message = 'it runs now, and ended before';
  return {
    reason: 'Restarted' satisfies OwnReason,
    message,
    ...sinceText(running.startedAt),
    lastEnd: last,
  };
};

const endTrouble = (end: Termination): Trouble => ({
  reason: end.reason ?? 'Error',
  ...sinceText(end.finishedAt),
  lastEnd: end,
});

const isExpectedEnd = ({ spec }: Pod, { exitCode }: Termination, isInit: boolean): boolean =>
  exitCode === 0 && (isInit || spec.restartPolicy !== 'Always');

const initRunning = (
  startedAt: string | undefined,
  lastEnd: { readonly lastEnd?: Termination },
) => ({
  reason: 'Running',
  message: 'the other containers start once it has ended',
  ...sinceText(startedAt),
  ...lastEnd,
});

const unready = (
  pod: Pod,
  { readinessProbe, startupProbe }: Container,
  isStarted: boolean,
  lastEnd: { readonly lastEnd?: Termination },
): Trouble => {
  const isStarting = !isStarted && startupProbe !== undefined;
  const message = isStarting
    ? 'it runs, and its startup probe has not succeeded yet'
    : readinessProbe === undefined
      ? 'it runs, and is not ready yet'
      : 'it runs, and its readiness probe does not succeed';
  const reason: OwnReason = isStarting ? 'NotStarted' : 'NotReady';
  return { reason, message, ...sinceText(unreadySince(pod)), ...lastEnd };
};

/** A waiting state has no time of its own: since it last ended, or since the pod is not ready. */
const waitsSince = (pod: Pod, last: Termination | undefined): string | undefined =>
  last?.finishedAt ?? unreadySince(pod);

const unreadySince = (pod: Pod): string | undefined => {
  const ready = podCondition(pod, 'Ready');
  const since = ready?.status === 'True' ? undefined : ready?.lastTransitionTime;
  return since ?? pod.status.startTime;
};

const sinceText = (since: string | undefined) => (since === undefined ? {} : { since });

const text = (message: string | undefined) =>
  message === undefined || message === '' ? {} : { message };
