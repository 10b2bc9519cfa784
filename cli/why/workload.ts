import { apiVersionOf, JOBS, POD_EXPLANATIONS } from '../../api/resources';
import { controllerOf } from '../../api/owners';
import { isPodReady, podCondition } from '../../api/pods';
import type { ApiObject, Pod } from '../../api/types';
import { named } from './advice';
import { placementLines, type PlacementGroup } from './pod-placements';
import { titleOf, troubleLines } from './trouble-text';
import { columns, plain, plural, shortTime, toned, wrap, type TextStyle } from './text';
import { troublesOf } from './trouble';
import type { KnownTrouble, Trouble } from './known-trouble';

/** Pods of a workload that have the same trouble, and one of them to look at. */
export interface TroubleGroup extends KnownTrouble {
  readonly count: number;
  /** The pod that is told of in detail. */
  readonly pod: string;
}

/** What a workload says of itself, and does not like. */
export interface WorkloadCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** What a workload's pods lack, summed up. */
export interface WorkloadExplanation extends ApiObject {
  readonly spec: { readonly kind: string; readonly desired?: number };
  readonly status: {
    readonly pods: number;
    readonly ready: number;
    /** Of a Job: how many of its pods have done their work. */
    readonly succeeded?: number;
    readonly conditions: readonly WorkloadCondition[];
    /** Those of the latest template first, then the most frequent. */
    readonly troubles: readonly TroubleGroup[];
    /** Why its pods are where they are, or nowhere; absent where that is not known. */
    readonly placements?: readonly PlacementGroup[];
  };
}

export type Workload = ApiObject & {
  readonly spec?: {
    readonly replicas?: number;
    readonly completions?: number;
    readonly parallelism?: number;
  };
  readonly status?: {
    readonly succeeded?: number;
    readonly conditions?: readonly WorkloadCondition[];
    readonly desiredNumberScheduled?: number;
  };
};

/** Pure: `latest` is the uid of what makes the pods of the latest template. */
export const explainWorkload = (
  workload: Workload,
  pods: readonly Pod[],
  latest: string | undefined,
): WorkloadExplanation => {
  const { kind, metadata, spec, status } = workload;
  const { name, namespace, uid } = metadata;
  // Of a DaemonSet it is the nodes that say how many.
  const desired =
    kind === JOBS.kind
      ? (spec?.completions ?? spec?.parallelism ?? 1)
      : (spec?.replicas ?? status?.desiredNumberScheduled);
  return {
    apiVersion: apiVersionOf(POD_EXPLANATIONS),
    kind: 'WorkloadExplanation',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    spec: { kind, ...(desired === undefined ? {} : { desired }) },
    status: {
      pods: pods.length,
      ready: pods.filter(isPodReady).length,
      ...(kind === JOBS.kind ? { succeeded: status?.succeeded ?? 0 } : {}),
      conditions: (status?.conditions ?? []).filter(isBad),
      troubles: groupsOf(pods, latest),
    },
  };
};

/** Only these tell of what the pods themselves do not. */
const isBad = ({ type, status }: WorkloadCondition): boolean =>
  type === 'Progressing' ? status !== 'True' : BAD_WHERE_TRUE.has(type) && status === 'True';

/** The last two are a Job's. */
const BAD_WHERE_TRUE: ReadonlySet<string> = new Set(['ReplicaFailure', 'Failed', 'Suspended']);

interface Group {
  readonly trouble: Trouble;
  readonly isLatest: boolean;
  readonly pod: string;
  readonly count: number;
}

const groupsOf = (pods: readonly Pod[], latest: string | undefined): readonly TroubleGroup[] => {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const isLatest = controllerOf(pod)?.uid === latest;
    for (const trouble of placedOrNot(pod)) {
      // Those that wait for a node may each wait for something else.
      const why = pod.spec.nodeName === undefined ? (trouble.message ?? '') : '';
      const key = `${isLatest} ${trouble.container ?? ''} ${trouble.reason} ${why}`;
      const known = groups.get(key);
      groups.set(key, {
        trouble: known?.trouble ?? trouble,
        pod: known?.pod ?? pod.metadata.name,
        isLatest,
        count: (known?.count ?? 0) + 1,
      });
    }
  }
  return [...groups.values()]
    .sort(
      (a, b) =>
        Number(b.isLatest) - Number(a.isLatest) || b.count - a.count || (a.pod < b.pod ? -1 : 1),
    )
    .map(({ trouble, count, pod }) => ({ ...trouble, count, pod }));
};

const placedOrNot = (pod: Pod): readonly Trouble[] => {
  if (pod.spec.nodeName !== undefined) return troublesOf(pod);
  const {
    reason = 'Pending',
    message,
    lastTransitionTime,
  } = podCondition(pod, 'PodScheduled') ?? {};
  return [
    {
      reason,
      ...(message === undefined ? {} : { message }),
      ...(lastTransitionTime === undefined ? {} : { since: lastTransitionTime }),
      next: `what each node lacks: dhow why pod/${named(pod)}`,
    },
  ];
};

/** How many groups are told of in detail, with events and logs. */
export const DETAILED_GROUPS_MAX = 3;

export const renderWorkload = (
  { metadata, spec, status }: WorkloadExplanation,
  style: TextStyle,
): string => {
  const { troubles, conditions, ready, succeeded, pods, placements = [] } = status;
  const wanted = spec.desired ?? pods;
  const isFine = troubles.length === 0 && conditions.length === 0;
  // What a Job runs need not be ready, and is done when it has ended.
  const isWell = isFine && (succeeded !== undefined || ready >= wanted);
  const name = plain(`${metadata.namespace ?? ''}/${metadata.name}`);
  const head =
    succeeded === undefined
      ? `${name}: ${ready} of ${plural(wanted, 'pod')} ready`
      : `${name}: ${succeeded} of ${plural(wanted, 'pod')} succeeded`;
  const missing = wanted - (succeeded === undefined ? pods : Math.max(pods, succeeded));
  const lines = [
    toned(head, isWell ? 'good' : 'bad', style),
    ...(missing > 0 ? [`  ${plural(missing, 'pod')} not made yet`] : []),
    ...conditions.flatMap((condition) => conditionLines(condition, style)),
    ...placementLines(placements, style),
    ...(troubles.length === 0 ? [] : ['', ...groupTable(troubles, style)]),
    ...troubles
      .slice(0, DETAILED_GROUPS_MAX)
      .flatMap((each) => [
        '',
        `  ${plain(each.pod)}`,
        ...inset(troubleLines([each], narrower(style))),
      ]),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

const conditionLines = (
  { type, reason = '', message = '', lastTransitionTime }: WorkloadCondition,
  { width }: TextStyle,
): readonly string[] => {
  const since = lastTransitionTime === undefined ? '' : ` since ${shortTime(lastTransitionTime)}`;
  const text = plain(`${type}: ${reason}${since}: ${message}`);
  return wrap(text.slice(0, CONDITION_CHARACTERS_MAX), width - 2).map((line) => `  ${line}`);
};

const groupTable = (troubles: readonly TroubleGroup[], style: TextStyle): readonly string[] => {
  const shown = troubles.slice(0, GROUPS_SHOWN_MAX);
  const rest = troubles.slice(GROUPS_SHOWN_MAX);
  const rows = shown.map((each) => [
    String(each.count),
    titleOf(each),
    each.since === undefined ? '' : shortTime(each.since),
    plain(each.pod),
  ]);
  const [header = '', ...lines] = columns([['PODS', 'WHAT', 'SINCE', 'FOR EXAMPLE'], ...rows]);
  const more = rest.reduce((sum, { count }) => sum + count, 0);
  return [
    `  ${toned(header, 'faint', style)}`,
    ...lines.map((line) => `  ${line}`),
    ...(more > 0
      ? [`  and ${plural(more, 'pod')} for ${plural(rest.length, 'other reason')}`]
      : []),
  ];
};

const inset = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

const narrower = (style: TextStyle): TextStyle => ({ ...style, width: style.width - 2 });

const GROUPS_SHOWN_MAX = 10;
const CONDITION_CHARACTERS_MAX = 500;
