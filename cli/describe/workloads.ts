import { controllerOf } from '../../api/owners';
import { formatLabelSelector, podSelectorOf } from '../../api/selectors';
import type {
  ApiObject,
  CronJob,
  DaemonSet,
  Event,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
} from '../../api/types';
import { uidOf } from '../../api/types';
import { formatAge } from '../../lib/age';
import { lastSeenMs } from '../event-times';
import { templateRows } from './pod-template';
import { labelRows } from './network';
import { tabbed } from './tabbed';

/* Workloads as kubectl describes them, to the letter (kubectl/pkg/describe/describe.go). */

interface Around {
  readonly events: readonly Event[];
  /** Those that the workload may have. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

type Row = readonly string[];

export const describeReplicas = (
  owner: ReplicaSet | ReplicationController,
  around: Around,
): string => {
  const above = controllerOf(owner);
  const { conditions = [], replicas } = owner.status;
  return tabbed([
    ...nameRows(owner),
    ['Selector:', formatLabelSelector(podSelectorOf(owner) ?? {})],
    ...labelRows(owner).flat(),
    ...(above === undefined ? [] : [['Controlled By:', `${above.kind}/${above.name}`]]),
    ['Replicas:', `${replicas} current / ${owner.spec.replicas ?? 0} desired`],
    podsRow(owner, around),
    ...templateRows(owner.spec.template ?? {}),
    ...(conditions.length === 0
      ? []
      : [
          ['Conditions:'],
          ['  Type', 'Status', 'Reason'],
          ['  ----', '------', '------'],
          ...conditions.map(({ type, status, reason = '' }) => [`  ${type} `, status, reason]),
        ]),
    ...eventRows(around),
  ]);
};

export const describeDaemonSet = (set: DaemonSet, around: Around): string => {
  const { status, spec } = set;
  const count = (title: string, number = 0): Row => [`${title}: ${number}`];
  return tabbed([
    ...nameRows(set),
    ['Selector:', formatLabelSelector(spec.selector)],
    ['Node-Selector:', pairsText(spec.template.spec?.nodeSelector)],
    ...labelRows(set).flat(),
    count('Desired Number of Nodes Scheduled', status.desiredNumberScheduled),
    count('Current Number of Nodes Scheduled', status.currentNumberScheduled),
    count('Number of Nodes Scheduled with Up-to-date Pods', status.updatedNumberScheduled),
    count('Number of Nodes Scheduled with Available Pods', status.numberAvailable),
    count('Number of Nodes Misscheduled', status.numberMisscheduled),
    podsRow(set, around),
    ...templateRows(spec.template),
    ...eventRows(around),
  ]);
};

export const describeBudget = (budget: PodDisruptionBudget, around: Around): string => {
  const { spec, status } = budget;
  const { minAvailable, maxUnavailable, selector } = spec ?? {};
  return tabbed([
    ...nameRows(budget),
    ...(minAvailable === undefined ? [] : [['Min available:', String(minAvailable)]]),
    ...(minAvailable !== undefined || maxUnavailable === undefined
      ? []
      : [['Max unavailable:', String(maxUnavailable)]]),
    ['Selector:', selector === undefined ? '<unset>' : formatLabelSelector(selector)],
    ['Status:'],
    ['    Allowed disruptions:', String(status?.disruptionsAllowed ?? 0)],
    ['    Current:', String(status?.currentHealthy ?? 0)],
    ['    Desired:', String(status?.desiredHealthy ?? 0)],
    ['    Total:', String(status?.expectedPods ?? 0)],
    ...eventRows(around),
  ]);
};

export const describeCronJob = (cronJob: CronJob, around: Around): string => {
  const { spec, status } = cronJob;
  const job = spec?.jobTemplate.spec;
  const orUnset = (value: number | undefined, unit = '') =>
    value === undefined ? '<unset>' : `${value}${unit}`;
  const { suspend } = spec ?? {};
  const { lastScheduleTime, active = [] } = status ?? {};
  return tabbed([
    ...nameRows(cronJob),
    ...labelRows(cronJob).flat(),
    ['Schedule:', spec?.schedule ?? ''],
    ['Concurrency Policy:', spec?.concurrencyPolicy ?? ''],
    ['Suspend:', suspend === undefined ? '<unset>' : suspend ? 'True' : 'False'],
    ['Successful Job History Limit:', orUnset(spec?.successfulJobsHistoryLimit)],
    ['Failed Job History Limit:', orUnset(spec?.failedJobsHistoryLimit)],
    ['Starting Deadline Seconds:', orUnset(spec?.startingDeadlineSeconds, 's')],
    ['Selector:', job?.selector === undefined ? '<unset>' : formatLabelSelector(job.selector)],
    ['Parallelism:', orUnset(job?.parallelism)],
    ['Completions:', orUnset(job?.completions)],
    ...(job?.activeDeadlineSeconds === undefined
      ? []
      : [['Active Deadline Seconds:', `${job.activeDeadlineSeconds}s`]]),
    ...templateRows(job?.template ?? {}),
    [
      'Last Schedule Time:',
      lastScheduleTime === undefined ? '<unset>' : longDate(lastScheduleTime),
    ],
    ['Active Jobs:', active.length === 0 ? '<none>' : active.map(({ name }) => name).join(', ')],
    ...eventRows(around),
  ]);
};

/** `Wed, 25 Nov 2026 02:42:39 +0000` */
const longDate = (stamp: string): string => new Date(stamp).toUTCString().replace('GMT', '+0000');

const nameRows = ({ metadata }: ApiObject): readonly Row[] => [
  ['Name:', metadata.name],
  ['Namespace:', metadata.namespace ?? ''],
];

const pairsText = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',') || '<none>';

/** Of the pods that are the workload's, not only selected by it. */
const podsRow = (owner: ApiObject, { pods }: Around): Row => {
  const own = pods.filter((pod) => controllerOf(pod)?.uid === uidOf(owner));
  const count = (phase: string) => own.filter(({ status }) => status.phase === phase).length;
  return [
    'Pods Status:',
    `${count('Running')} Running / ${count('Pending')} Waiting / ` +
      `${count('Succeeded')} Succeeded / ${count('Failed')} Failed`,
  ];
};

const eventRows = ({ events, nowMs }: Around): readonly Row[] => {
  if (events.length === 0) return [['Events:', '<none>']];
  const sorted = [...events].sort((a, b) => lastSeenMs(a) - lastSeenMs(b));
  return [
    ['Events:'],
    ['  Type', 'Reason', 'Age', 'From', 'Message'],
    ['  ----', '------', '----', '----', '-------'],
    ...sorted.map((event) => [
      `  ${event.type ?? ''}`,
      event.reason ?? '',
      ageOf(event, nowMs),
      event.source?.component ?? event.reportingComponent ?? '',
      (event.message ?? '').trim(),
    ]),
  ];
};

const ageOf = (event: Event, nowMs: number): string => {
  const last = formatAge(nowMs - lastSeenMs(event));
  const { count = 1, firstTimestamp } = event;
  if (count <= 1 || firstTimestamp === undefined) return last;
  return `${last} (x${count} over ${formatAge(nowMs - Date.parse(firstTimestamp))})`;
};
