import { containersIn } from '../../api/pod-in';
import type { ContainerResources } from '../../api/pod-resources';
import type { ContainerStatus, Pod } from '../../api/types';
import { parseJson } from '../../lib/json';
import type { ContainerExit, ContainerState } from '../../runtime/container-runtime';
import { CONTAINER_ID_PREFIX, LABEL } from './labels';

type ObservedState =
  | { readonly status: 'created' }
  | { readonly status: 'running'; readonly startedAtMs: number }
  | {
      readonly status: 'exited';
      readonly startedAtMs: number | undefined;
      readonly exit: ContainerExit;
    };

/** One run of a container of a pod. */
export interface ObservedContainer {
  /** The runtime's; of a run that is only remembered, the id it had. */
  readonly id: string;
  readonly name: string;
  readonly restartCount: number;
  readonly backoffStep: number;
  readonly image: string;
  readonly imageId: string;
  readonly state: ObservedState;
  /** False when the runtime no longer has it and the pod's status tells of it. */
  readonly exists: boolean;
  /** What it was made with; undefined of what an agent has made that did not note it. */
  readonly resources?: ContainerResources;
  /** Overrides the reason worked out from the exit. */
  readonly reason?: string;
}

export interface ContainerRuns {
  readonly current: ObservedContainer | undefined;
  readonly previous: ObservedContainer | undefined;
  /** Runs before these two. */
  readonly older: readonly ObservedContainer[];
}

export type PodObservation = ReadonlyMap<string, ContainerRuns>;

/**
 * What is known of each container: from the runtime, and for what the runtime has lost (a reboot,
 * or clean-up after the end) from the status that was reported last.
 */
export const observePod = (pod: Pod, states: readonly ContainerState[]): PodObservation => {
  const byName = new Map<string, ObservedContainer[]>();
  for (const state of states) {
    const run = runOf(state);
    byName.set(run.name, [...(byName.get(run.name) ?? []), run]);
  }
  const statuses = [
    ...(pod.status.initContainerStatuses ?? []),
    ...(pod.status.containerStatuses ?? []),
    ...(pod.status.ephemeralContainerStatuses ?? []),
  ];
  const names = containersIn(pod.spec).map(([{ name }]) => name);
  return new Map(
    names.map((name) => {
      const runs = (byName.get(name) ?? []).sort((a, b) => b.restartCount - a.restartCount);
      const status = statuses.find((candidate) => candidate.name === name);
      const [current = remembered(status), previous = rememberedLast(status), ...older] = runs;
      return [name, { current, previous, older }];
    }),
  );
};

const runOf = (state: ContainerState): ObservedContainer => ({
  id: state.id,
  name: state.labels[LABEL.container] ?? '',
  restartCount: Number(state.labels[LABEL.restartCount] ?? 0),
  backoffStep: Number(state.labels[LABEL.backoffStep] ?? -1),
  image: state.labels[LABEL.image] ?? '',
  imageId: state.labels[LABEL.imageId] ?? '',
  state,
  exists: true,
  ...notedResources(state.labels[LABEL.resources]),
});

const notedResources = (text: string | undefined): Pick<ObservedContainer, 'resources'> =>
  text === undefined ? {} : { resources: parseJson(text) as ContainerResources };

type TerminatedState = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

const remembered = (status: ContainerStatus | undefined): ObservedContainer | undefined => {
  if (status?.state === undefined) return undefined;
  const { running, terminated } = status.state;
  if (terminated !== undefined) return rememberedRun(status, terminated);
  if (running !== undefined) return lostRun(status, running.startedAt);
  // Waiting after an exit (back-off): what ended is in lastState.
  const last = status.lastState?.terminated;
  return last === undefined ? undefined : rememberedRun(status, last);
};

const rememberedLast = (status: ContainerStatus | undefined): ObservedContainer | undefined => {
  const last = status?.lastState?.terminated;
  if (status === undefined || last === undefined || status.state?.waiting !== undefined)
    return undefined;
  return { ...rememberedRun(status, last), restartCount: Math.max(0, status.restartCount - 1) };
};

const rememberedRun = (
  status: ContainerStatus,
  terminated: TerminatedState,
): ObservedContainer => ({
  ...identityOf(status),
  state: {
    status: 'exited',
    startedAtMs: timeOf(terminated.startedAt),
    exit: {
      exitCode: terminated.exitCode,
      oomKilled: terminated.reason === 'OOMKilled',
      finishedAtMs: timeOf(terminated.finishedAt) ?? 0,
      ...(terminated.signal === undefined ? {} : { signalNumber: terminated.signal }),
    },
  },
  ...(terminated.reason === undefined ? {} : { reason: terminated.reason }),
});

/** It ran when last heard of and is nowhere now: the machine went down under it. */
const lostRun = (status: ContainerStatus, startedAt: string | undefined): ObservedContainer => ({
  ...identityOf(status),
  // It did not fail: what comes next owes nothing to the restarts before it.
  backoffStep: -1,
  state: {
    status: 'exited',
    startedAtMs: timeOf(startedAt),
    exit: { exitCode: 137, oomKilled: false, finishedAtMs: timeOf(startedAt) ?? 0 },
  },
  reason: 'ContainerStatusUnknown',
});

const identityOf = ({ name, containerID, restartCount, image, imageID }: ContainerStatus) => ({
  id: (containerID ?? '').replace(CONTAINER_ID_PREFIX, ''),
  name,
  restartCount,
  backoffStep: restartCount - 1,
  image,
  imageId: imageID,
  exists: false,
});

const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);
