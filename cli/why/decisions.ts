import type { RefusalCount, SchedulingDecision } from '../../api/decisions';
import { columns, plain, shortTime, toned, type TextStyle } from './text';

export interface DecisionsStyle extends TextStyle {
  /** Default true; false for the lines that follow in a watch. */
  readonly header?: boolean;
  /** Also what made the scheduler try, how long it took, and the name of the record. */
  readonly isWide?: boolean;
}

/** One line per attempt, in the order given. */
export const renderDecisions = (
  decisions: readonly SchedulingDecision[],
  style: DecisionsStyle,
): string => {
  const rows = decisions.map((each) => rowOf(each, style.isWide === true));
  const all = style.header === false ? rows : [headerOf(style.isWide === true), ...rows];
  const lines = columns(all, MINIMUM_WIDTHS);
  const offset = all.length - rows.length;
  return lines
    .map((line, index) => {
      const outcome = decisions[index - offset]?.status.outcome;
      return outcome === undefined || outcome === 'Scheduled' ? line : toned(line, 'bad', style);
    })
    .map((line) => `${line}\n`)
    .join('');
};

const rowOf = (
  { metadata, spec, status }: SchedulingDecision,
  isWide: boolean,
): readonly string[] =>
  [
    shortTime(spec.time),
    `${metadata.namespace ?? ''}/${spec.podName}`,
    String(spec.attempt),
    status.outcome,
    status.nodeName ?? '-',
    `${status.nodesFeasible}/${status.nodesConsidered}`,
    ...(isWide ? [spec.trigger, `${status.latencyMicros}µs`, metadata.name] : []),
    reasonOf(status),
  ].map(plain);

/** In a line. */
export const reasonOf = (status: SchedulingDecision['status']): string => {
  const { outcome, margin, decidedBy, message, top, preemption } = status;
  if (outcome === 'Error') return message;
  if (outcome === 'Unschedulable') {
    const why = refusalsOf(status) || message;
    return preemption === undefined ? why : `${evictionOf(preemption)}: ${why}`;
  }
  return leadOf({ runnerUp: top[1]?.node, margin, decidedBy });
};

type Eviction = NonNullable<SchedulingDecision['status']['preemption']>;

/** Few are named, all are counted. */
const evictionOf = ({ nodeName, victims, budgetViolations = 0 }: Eviction): string => {
  const shown = victims.slice(0, VICTIMS_SHOWN_MAX).join(', ');
  const rest = victims.length - VICTIMS_SHOWN_MAX;
  const more = rest > 0 ? ` and ${rest} more` : '';
  const against = budgetViolations > 0 ? `, ${budgetViolations} against a disruption budget` : '';
  return `evicts ${shown}${more} on ${nodeName}${against}`;
};

/** Who was evicted for it, and what becomes of the node. */
export const evictionLines = ({
  nodeName,
  victims,
  budgetViolations = 0,
  before,
  after,
  allocatable,
}: Eviction): readonly string[] => {
  const against = budgetViolations > 0 ? `, ${budgetViolations} against a disruption budget` : '';
  const change = (['pods', 'cpu', 'memory'] as const).map(
    (key) =>
      `${key} ${before?.[key] ?? '?'} -> ${after?.[key] ?? '?'} of ${allocatable?.[key] ?? '?'}`,
  );
  return [
    `evicted for it on ${plain(nodeName)}: ${victims.map(plain).join(', ')}${against}`,
    ...(before === undefined
      ? []
      : [`${plain(nodeName)} with it instead of them: ${change.join(', ')}`]),
  ];
};

/** Why a pod is there and not on the second best node. */
export const leadOf = ({ runnerUp, margin, decidedBy = '' }: Lead): string => {
  if (runnerUp === undefined || margin === undefined) return 'the only node that fits';
  return margin === 0 ? `tie with ${runnerUp}` : `${decidedBy}, +${margin} over ${runnerUp}`;
};

interface Lead {
  readonly runnerUp?: string | undefined;
  readonly margin?: number | undefined;
  readonly decidedBy?: string | undefined;
}

/** Most frequent first: `2 Insufficient cpu, 1 Too many pods`. */
export const histogram = (reasons: Readonly<Record<string, number>>): string =>
  Object.entries(reasons)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');

/** All that each node had against the pod: `2 Insufficient cpu, 1 Insufficient cpu + Too many pods`. */
export const refusalsOf = ({ refusals, reasons }: SchedulingDecision['status']): string =>
  refusals === undefined ? histogram(reasons) : refusalsText(refusals);

export const refusalsText = (refusals: readonly RefusalCount[]): string =>
  refusals.map(({ count, reasons }) => `${count} ${reasons.join(' + ')}`).join(', ');

const headerOf = (isWide: boolean): readonly string[] => [
  ...['TIME', 'POD', 'TRY', 'OUTCOME', 'NODE', 'FIT'],
  ...(isWide ? ['TRIGGER', 'TOOK', 'RECORD'] : []),
  'WHY',
];

const VICTIMS_SHOWN_MAX = 3;
const MINIMUM_WIDTHS = [19, 28, 3, 13, 12, 5];
