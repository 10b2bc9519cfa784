import type { SchedulingDecision } from '../../api/decisions';
import { controllerOf } from '../../api/owners';
import { DISRUPTION_TARGET } from '../../api/pods';
import type { ContainerStatus, Event, Pod, VolumeAttachment } from '../../api/types';
import { rfc3339, rfc3339Micro } from '../../lib/clock';
import { lastSeenMs } from '../event-times';

/** One thing that happened to a pod. */
export interface TimelineEntry {
  /** RFC 3339, as exact as whoever told of it: most tell whole seconds. */
  readonly time: string;
  /** One word: `Created`, `Scheduled`, `Started`, `Ended`, `Ready`, or an event's own reason. */
  readonly step: string;
  readonly container?: string;
  /** What caused it, or what it says of itself. */
  readonly message: string;
  /** Since the entry before; absent in the first. */
  readonly tookMs?: number;
  /** Of what happened again and again: how often, and when last. */
  readonly count?: number;
  readonly lastTime?: string;
}

interface Moment extends Omit<TimelineEntry, 'tookMs' | 'time'> {
  readonly atMs: number;
  /** Within a second, for most stamps know no more: what a pod's life puts first. */
  readonly order: Order;
}

enum Order {
  created,
  considered,
  placed,
  told,
  started,
  ended,
  ready,
  deleted,
}

/**
 * A pod's life, in order: from its creation over each decision of the scheduler and what its node told,
 * to its containers' starts and ends and its being ready. From what is still known: events last a
 * day at most, a status holds the latest end of a container only. `events` and `decisions` are those of this pod,
 * `attachments` those of its volumes.
 */
export const podTimeline = (
  pod: Pod,
  events: readonly Event[],
  decisions: readonly SchedulingDecision[],
  attachments: readonly VolumeAttachment[] = [],
): readonly TimelineEntry[] => {
  const moments = [
    created(pod),
    ...scheduling(pod, decisions),
    ...told(events),
    ...attachments.map(attaching),
    ...(pod.status.initContainerStatuses ?? []).flatMap(runs),
    ...(pod.status.containerStatuses ?? []).flatMap(runs),
    ...(pod.status.ephemeralContainerStatuses ?? []).flatMap(runs),
    ...conditions(pod),
    ...deleted(pod),
  ].filter(({ atMs }) => !Number.isNaN(atMs));
  moments.sort((a, b) => secondOf(a) - secondOf(b) || a.order - b.order || a.atMs - b.atMs);
  return moments.map(({ atMs, order: _order, ...rest }, i) => {
    const before = moments[i - 1];
    // Two stamps of different makers may be in disorder by less than the second that they know.
    const took = before === undefined ? {} : { tookMs: Math.max(0, atMs - before.atMs) };
    return { time: timeText(atMs), ...rest, ...took };
  });
};

const timeText = (ms: number): string => (ms % 1000 === 0 ? rfc3339(ms) : rfc3339Micro(ms));

const secondOf = ({ atMs }: Moment): number => Math.floor(atMs / 1000);

const created = (pod: Pod): Moment => {
  const owner = controllerOf(pod);
  const first = pod.metadata.managedFields?.find(({ subresource }) => (subresource ?? '') === '');
  const maker = owner === undefined ? first?.manager : `${owner.kind}/${owner.name}`;
  return {
    atMs: msOf(pod.metadata.creationTimestamp),
    order: Order.created,
    step: 'Created',
    message: maker === undefined ? 'by hand' : `by ${maker}`,
  };
};

/** Attempts that failed in the same way, one after the other, are one entry. */
const scheduling = (pod: Pod, decisions: readonly SchedulingDecision[]): readonly Moment[] => {
  const moments: Moment[] = [];
  for (const { spec, status } of decisions) {
    const message = decisionText(status);
    const before = moments.at(-1);
    if (status.outcome !== 'Scheduled' && before?.message === message) {
      const again = { count: (before.count ?? 1) + 1, lastTime: spec.time };
      moments[moments.length - 1] = { ...before, ...again };
      continue;
    }
    const isPlaced = status.outcome === 'Scheduled';
    moments.push({
      atMs: msOf(spec.time),
      order: isPlaced ? Order.placed : Order.considered,
      step: isPlaced ? 'Scheduled' : status.outcome,
      message,
    });
  }
  // The record is of the latest decisions of all pods: an old pod's has made room for others.
  const known = pod.status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (moments.length > 0 || known === undefined) return moments;
  const isPlaced = known.status === 'True';
  return [
    {
      atMs: msOf(known.lastTransitionTime),
      order: isPlaced ? Order.placed : Order.considered,
      step: isPlaced ? 'Scheduled' : 'Unschedulable',
      message: isPlaced ? `to ${pod.spec.nodeName ?? '?'}` : (known.message ?? ''),
    },
  ];
};

const decisionText = (status: SchedulingDecision['status']): string => {
  const { outcome, nodeName = '?', nodesFeasible, nodesConsidered, decidedBy, suggestion } = status;
  if (outcome !== 'Scheduled')
    return suggestion === undefined ? status.message : `${status.message} Try: ${suggestion}`;
  const why = decidedBy === undefined ? '' : `, decided by ${decidedBy}`;
  return `to ${nodeName}: ${nodesFeasible} of ${nodesConsidered} nodes fit${why}`;
};

/** Also where it has not been done: who has not answered is named. What became of it events tell. */
const attaching = ({ metadata, spec, status }: VolumeAttachment): Moment => {
  const { attacher = '?', nodeName = '?', source } = spec ?? {};
  const what = `volume ${source?.persistentVolumeName ?? '?'} to ${nodeName}, by ${attacher}`;
  return {
    atMs: msOf(metadata.creationTimestamp),
    order: Order.told,
    step: 'Attaching',
    message: status?.attached === true ? what : `${what}: not done yet`,
  };
};

/** What the scheduler decided, and what a status tells of starts, is told better there. */
const told = (events: readonly Event[]): readonly Moment[] =>
  events
    .filter(({ reason = '' }) => !TOLD_ELSEWHERE.has(reason))
    .map((event) => {
      const count = event.series?.count ?? event.count ?? 1;
      const lastMs = lastSeenMs(event);
      const [, container] = CONTAINER_PATH.exec(event.involvedObject.fieldPath ?? '') ?? [];
      return {
        atMs: msOf(event.firstTimestamp ?? event.eventTime) || lastMs,
        order: Order.told,
        step: event.reason ?? 'Event',
        ...(container === undefined ? {} : { container }),
        message: (event.message ?? '').trim(),
        ...(count > 1 ? { count, lastTime: rfc3339(lastMs) } : {}),
      };
    });

const TOLD_ELSEWHERE: ReadonlySet<string> = new Set([
  ...['Scheduled', 'FailedScheduling', 'Created', 'Started'],
]);
const CONTAINER_PATH = /^spec\.(?:initContainers|containers|ephemeralContainers)\{(.+)\}$/;

/** The latest two runs of a container, or the latest while it waits for another. */
const runs = ({ name, state, lastState, restartCount }: ContainerStatus): readonly Moment[] => {
  const current = state?.running ?? state?.terminated;
  const last = lastState?.terminated;
  return [
    ...started(name, last?.startedAt, current === undefined ? restartCount : restartCount - 1),
    ...ended(name, last),
    ...started(name, current?.startedAt, restartCount),
    ...ended(name, state?.terminated),
  ];
};

const started = (
  container: string,
  startedAt: string | null | undefined,
  restarts: number,
): readonly Moment[] => {
  if (startedAt === undefined) return [];
  const message = restarts > 0 ? `restart ${restarts}` : 'for the first time';
  return [{ atMs: msOf(startedAt), order: Order.started, step: 'Started', container, message }];
};

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

const ended = (container: string, run: Terminated | undefined): readonly Moment[] => {
  if (run === undefined) return [];
  const { exitCode, signal, reason, message, startedAt, finishedAt } = run;
  const how = signal === undefined || signal === 0 ? `exit code ${exitCode}` : `signal ${signal}`;
  const ranMs = msOf(finishedAt) - msOf(startedAt);
  const ran = ranMs >= 0 ? `after ${Math.round(ranMs / 1000)}s` : '';
  const parts = [[how, ran].filter((part) => part !== '').join(' '), reason, message?.trim()];
  const text = parts.filter((part) => part !== undefined && part !== '').join(': ');
  return [{ atMs: msOf(finishedAt), order: Order.ended, step: 'Ended', container, message: text }];
};

/** Conditions know their latest change only. */
const conditions = (pod: Pod): readonly Moment[] =>
  (pod.status.conditions ?? []).flatMap(
    ({ type, status, lastTransitionTime, reason, message }): Moment[] => {
      const isReady = type === 'Ready' && status === 'True';
      const isLost = type === 'Ready' && status === 'False' && wasReady(pod);
      if (!isReady && !isLost && type !== DISRUPTION_TARGET) return [];
      const why = [reason, message].filter((part) => part !== undefined && part !== '');
      return [
        {
          atMs: msOf(lastTransitionTime),
          order: isReady ? Order.ready : Order.ended,
          step: isLost ? 'NotReady' : type,
          message: isReady ? 'all containers are' : why.join(': '),
        },
      ];
    },
  );

/** Not ready from the start is no news. */
const wasReady = ({ status }: Pod): boolean => {
  const [ready, scheduled] = ['Ready', 'PodScheduled'].map((wanted) =>
    status.conditions?.find(({ type }) => type === wanted),
  );
  return ready?.lastTransitionTime !== scheduled?.lastTransitionTime;
};

const deleted = ({ metadata }: Pod): readonly Moment[] => {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  if (deletionTimestamp === undefined) return [];
  const graceSeconds = Number(deletionGracePeriodSeconds);
  return [
    {
      atMs: msOf(deletionTimestamp) - graceSeconds * 1000,
      order: Order.deleted,
      step: 'Deleted',
      message: `its containers have ${graceSeconds}s to end`,
    },
  ];
};

const msOf = (time: string | null | undefined): number => Date.parse(time ?? '');
