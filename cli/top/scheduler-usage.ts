import type { SchedulingDecision } from '../../api/decisions';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { quantile, type Sample } from './metrics-lines';

/** How the scheduler does: of now, since its start, and of the records of a while. */
export interface SchedulerUsage {
  /** Absent where this user may not read the metrics of the server. */
  readonly sinceStart?: {
    readonly attempts: Readonly<Record<string, number>>;
    readonly pending: Readonly<Record<string, number>>;
    /** From when a pod is first queued until it is bound. */
    readonly waitSeconds?: { readonly p50: number; readonly p99: number };
    readonly preemptions: number;
    readonly preemptionVictims: number;
    /** Attempts in which a plugin refused a node, and pods that it keeps waiting now. */
    readonly plugins: readonly Refusing[];
  };
  readonly recent: {
    readonly seconds: number;
    readonly attempts: number;
    readonly placed: number;
    readonly attemptsPerSecond: number;
    readonly decisionMicros?: { readonly p50: number; readonly p99: number };
    /** Nodes that were refused, by the first reason, the most frequent first. */
    readonly reasons: readonly { readonly reason: string; readonly nodes: number }[];
    /** Where most pods came to. */
    readonly hotNodes: readonly { readonly node: string; readonly placed: number }[];
  };
}

interface Refusing {
  readonly plugin: string;
  readonly refusals: number;
  readonly waiting: number;
}

/** Pure. */
export const schedulerUsage = (
  samples: readonly Sample[] | undefined,
  decisions: readonly SchedulingDecision[],
  seconds: number,
): SchedulerUsage => ({
  ...(samples === undefined ? {} : { sinceStart: sinceStartOf(samples) }),
  recent: recentOf(decisions, seconds),
});

const sinceStartOf = (samples: readonly Sample[]): NonNullable<SchedulerUsage['sinceStart']> => {
  const named = (name: string) => samples.filter((each) => each.name === name);
  const by = (name: string, label: string): ReadonlyMap<string, number> => {
    const sums = new Map<string, number>();
    for (const { labels, value } of named(name)) increase(sums, labels[label] ?? '', value);
    return sums;
  };
  const sum = (name: string) => named(name).reduce((all, { value }) => all + value, 0);
  const waits = named('scheduler_pod_scheduling_sli_duration_seconds_bucket');
  const [p50, p99] = [quantile(waits, 0.5), quantile(waits, 0.99)];
  const waiting = by('scheduler_unschedulable_pods', 'plugin');
  return {
    attempts: Object.fromEntries(by('scheduler_schedule_attempts_total', 'result')),
    pending: Object.fromEntries(by('scheduler_pending_pods', 'queue')),
    ...(p50 === undefined || p99 === undefined ? {} : { waitSeconds: { p50, p99 } }),
    preemptions: sum('scheduler_preemption_attempts_total'),
    preemptionVictims: sum('scheduler_preemption_victims_sum'),
    plugins: mostOf(by('dhow_scheduler_plugin_refusals_total', 'plugin')).map(
      ([plugin, refusals]) => ({ plugin, refusals, waiting: waiting.get(plugin) ?? 0 }),
    ),
  };
};

const recentOf = (
  decisions: readonly SchedulingDecision[],
  seconds: number,
): SchedulerUsage['recent'] => {
  const reasons = new Map<string, number>();
  const nodes = new Map<string, number>();
  for (const { status } of decisions) {
    for (const [reason, count] of Object.entries(status.reasons)) increase(reasons, reason, count);
    if (status.nodeName !== undefined) increase(nodes, status.nodeName, 1);
  }
  const times = decisions
    .filter(({ status }) => status.outcome !== 'Error')
    .map(({ status }) => status.latencyMicros)
    .sort((a, b) => a - b);
  const at = (share: number) => times[Math.ceil(times.length * share) - 1] ?? 0;
  return {
    ...{ seconds, attempts: decisions.length, attemptsPerSecond: decisions.length / seconds },
    placed: decisions.filter(({ status }) => status.outcome === 'Scheduled').length,
    ...(times.length === 0 ? {} : { decisionMicros: { p50: at(0.5), p99: at(0.99) } }),
    reasons: mostOf(reasons).map(([reason, count]) => ({ reason, nodes: count })),
    hotNodes: mostOf(nodes).map(([node, placed]) => ({ node, placed })),
  };
};

/** By a map: names are others' choice, and an object has some of its own. */
const increase = (counts: Map<string, number>, key: string, by: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + by);
};

/** The largest first. */
const mostOf = (counts: ReadonlyMap<string, number>): readonly [string, number][] =>
  [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));

/** For a person: sums first, then who refuses, for what, and where pods came to. */
export const schedulerTable = (
  { sinceStart, recent }: SchedulerUsage,
  { isWide }: { readonly isWide: boolean },
): string => {
  const first = isWide ? Infinity : ROWS_SHOWN_MAX;
  const { attempts, placed, attemptsPerSecond, decisionMicros, seconds } = recent;
  const plugins = sinceStart?.plugins ?? [];
  const sections = [
    sinceStart === undefined ? '' : sinceStartText(sinceStart),
    `${`last ${seconds}s`.padEnd(14)}${attempts} attempts (${round(attemptsPerSecond)}/s), ${placed} placed` +
      (decisionMicros === undefined
        ? '\n'
        : `; a decision takes ${ms(decisionMicros.p50)} (p50), ${ms(decisionMicros.p99)} (p99)\n`),
    section(
      ['PLUGIN', 'REFUSED IN', 'KEEPS WAITING'],
      plugins.slice(0, first).map(({ plugin, refusals, waiting }) => [plugin, refusals, waiting]),
    ),
    section(
      ['REASON', 'NODES'],
      recent.reasons.slice(0, first).map(({ reason, nodes }) => [reason, nodes]),
    ),
    section(
      ['HOT NODE', 'PLACED'],
      recent.hotNodes.slice(0, first).map(({ node, placed: count }) => [node, count]),
    ),
  ];
  return sections.join('');
};

const sinceStartText = (usage: NonNullable<SchedulerUsage['sinceStart']>): string => {
  const { attempts, pending, waitSeconds, preemptions, preemptionVictims } = usage;
  const wait =
    waitSeconds === undefined
      ? ''
      : `; queued to bound ${ms(waitSeconds.p50 * 1e6)} (p50), ${ms(waitSeconds.p99 * 1e6)} (p99)`;
  return [
    `queue         ${counted(pending)}\n`,
    `since start   ${counted(attempts)}${wait}\n`,
    preemptions === 0
      ? ''
      : `preemption    ${preemptions} attempts, ${preemptionVictims} victims\n`,
  ].join('');
};

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${printable(name)}`)
    .join(', ') || 'nothing yet';

const section = (
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string =>
  rows.length === 0
    ? ''
    : `\n${formatTable(
        header,
        rows.map((row) => row.map((cell) => printable(String(cell)))),
      )}`;

const ms = (micros: number): string => `${round(micros / 1000)}ms`;

const round = (value: number): number => Number(value.toPrecision(3));

const ROWS_SHOWN_MAX = 10;
