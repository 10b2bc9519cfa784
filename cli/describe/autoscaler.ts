import type { HorizontalPodAutoscaler } from '../../api/types';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import type { DescribeWriter } from './writer';

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;
type Metric = NonNullable<Spec['metrics']>[number];
type Conditions = NonNullable<NonNullable<HorizontalPodAutoscaler['status']>['conditions']>;
type Rules = NonNullable<Spec['behavior']>['scaleUp'];

/** As kubectl describes it, and in a line which rule decided. */
export const describeAutoscaler = (
  writer: DescribeWriter,
  { metadata, spec, status }: HorizontalPodAutoscaler,
): void => {
  writer.field(0, 'Created', metadata.creationTimestamp ?? undefined);
  writer.pairs(0, 'Labels', metadata.labels);
  writer.annotations(metadata.annotations);
  const { kind = '', name = '' } = spec?.scaleTargetRef ?? {};
  writer.field(0, 'Reference', `${kind}/${name}`);
  writer.heading(0, 'Metrics (current / target)');
  for (const [i, metric] of (spec?.metrics ?? []).entries())
    writer.field(1, ...metricLine(metric, status?.currentMetrics?.[i]));
  writer.field(0, 'Min replicas', spec?.minReplicas ?? '<unset>');
  writer.field(0, 'Max replicas', spec?.maxReplicas);
  describeRules(writer, 'Scale up', spec?.behavior?.scaleUp);
  describeRules(writer, 'Scale down', spec?.behavior?.scaleDown);
  const { currentReplicas = 0, desiredReplicas = 0, conditions = [] } = status ?? {};
  writer.field(0, `${kind} pods`, `${currentReplicas} current / ${desiredReplicas} desired`);
  writer.field(0, 'Last scaled', status?.lastScaleTime);
  writer.field(0, 'Decided by', decidedBy(conditions));
  writer.heading(0, 'Conditions');
  const rows = conditions.map((condition) => [
    ...[condition.type, condition.status, condition.reason ?? ''],
    printable(condition.message ?? ''),
  ]);
  writer.raw(1, formatTable(['Type', 'Status', 'Reason', 'Message'], rows));
};

/** The last word on the size: what keeps it from being decided, else a limit, a window, or a metric. */
export const decidedBy = (conditions: Conditions): string => {
  const find = (type: string) => conditions.find((each) => each.type === type);
  const [able, active] = [find('AbleToScale'), find('ScalingActive')];
  const limited = find('ScalingLimited');
  const stopped = [able, active].find((condition) => condition?.status === 'False');
  if (stopped !== undefined) return `nobody: ${stopped.message ?? stopped.reason ?? ''}`;
  if (able === undefined) return 'nobody yet';
  if (limited?.status === 'True') return `a limit: ${limited.message ?? limited.reason ?? ''}`;
  if (STABILIZED.has(able.reason ?? '')) return `a window: ${able.message ?? ''}`;
  return active === undefined ? 'the limits alone' : `metrics: ${active.message ?? ''}`;
};

const STABILIZED: ReadonlySet<string> = new Set(['ScaleUpStabilized', 'ScaleDownStabilized']);

const metricLine = (metric: Metric, current: Metric | object | undefined): [string, string] => {
  const source = metric.type.charAt(0).toLowerCase() + metric.type.slice(1);
  const { name, container, target, metric: identified } = partOf(metric, source);
  const now = partOf(current, source).current ?? {};
  const what = [
    name ?? identified?.name ?? '',
    ...(container === undefined ? [] : [`of ${container}`]),
  ];
  const percent = target?.averageUtilization;
  const used = now.averageValue ?? now.value;
  const shown =
    percent === undefined
      ? `${used ?? UNKNOWN} / ${target?.averageValue ?? target?.value ?? ''}`
      : `${now.averageUtilization === undefined ? UNKNOWN : `${now.averageUtilization}% (${used ?? ''})`} / ${percent}%`;
  return [`${metric.type} ${what.join(' ')}`, shown];
};

interface Value {
  readonly averageUtilization?: number;
  readonly averageValue?: string;
  readonly value?: string;
}

interface Part {
  readonly name?: string;
  readonly container?: string;
  readonly metric?: { readonly name: string };
  readonly target?: Value;
  readonly current?: Value;
}

/** What a metric, or its status, says under the name of its type. */
const partOf = (metric: object | undefined, source: string): Part =>
  (metric as Record<string, unknown> | undefined)?.[source] ?? {};

const describeRules = (writer: DescribeWriter, title: string, rules: Rules): void => {
  if (rules === undefined) return;
  writer.heading(0, title);
  if (rules.stabilizationWindowSeconds !== undefined)
    writer.field(1, 'Stabilization window', `${rules.stabilizationWindowSeconds} seconds`);
  writer.field(1, 'Select policy', rules.selectPolicy);
  for (const { type, value, periodSeconds } of rules.policies ?? [])
    writer.field(1, type, `${value} in ${periodSeconds} seconds`);
};

const UNKNOWN = '<unknown>';
