import { canonicalQuantity, parseQuantity, QuantityError } from '../../api/quantity';
import { HORIZONTAL_POD_AUTOSCALERS, apiVersionOf, type Resource } from '../../api/resources';
import { UsageError } from '../usage-error';
import type { Draft } from './drafts';

export interface AutoscaleLimits {
  readonly min?: string;
  readonly max?: string;
  readonly cpu?: string;
  readonly cpuPercent?: string;
  readonly memory?: string;
}

export interface CheckedLimits {
  readonly min: number;
  readonly max: number;
  readonly metrics: readonly object[];
}

/** @throws UsageError, in kubectl's words */
export const checkLimits = (given: AutoscaleLimits): CheckedLimits => {
  if (given.max === undefined) throw new UsageError('required flag(s) "max" not set');
  const [min, max] = [countOf('--min', given.min), countOf('--max', given.max)];
  if (max < 1)
    throw new UsageError(`--max=MAXPODS is required and must be at least 1, max: ${max}`);
  if (max < min)
    throw new UsageError(
      `--max=MAXPODS must be larger or equal to --min=MINPODS, max: ${max}, min: ${min}`,
    );
  const percent = countOf('--cpu-percent', given.cpuPercent);
  if (percent > 0 && given.cpu !== undefined)
    throw new UsageError('--cpu-percent and --cpu are mutually exclusive');
  const cpu = percent > 0 ? `${percent}%` : given.cpu;
  const metrics = [
    ...(cpu === undefined ? [] : [metricOf('cpu', cpu, 'm')]),
    ...(given.memory === undefined ? [] : [metricOf('memory', given.memory, 'Mi')]),
  ];
  return { min, max, metrics };
};

/** Scales one object; without metrics the server chooses. */
export const autoscalerDraft = (
  name: string,
  target: Pick<Resource, 'group' | 'version' | 'kind'> & { readonly name: string },
  { min, max, metrics }: CheckedLimits,
): Draft & { readonly spec: object } => ({
  apiVersion: apiVersionOf(HORIZONTAL_POD_AUTOSCALERS),
  kind: HORIZONTAL_POD_AUTOSCALERS.kind,
  metadata: { name },
  spec: {
    maxReplicas: max,
    ...(metrics.length === 0 ? {} : { metrics }),
    ...(min > 0 ? { minReplicas: min } : {}),
    scaleTargetRef: {
      apiVersion: target.group === '' ? target.version : `${target.group}/${target.version}`,
      ...{ kind: target.kind, name: target.name },
    },
  },
});

/** Not given is -1. */
const countOf = (flag: string, text: string | undefined): number => {
  if (text === undefined) return -1;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`invalid argument "${text}" for "${flag}" flag: it takes an integer`);
};

const metricOf = (name: string, text: string, unit: string): object => ({
  type: 'Resource',
  resource: { name, target: targetOf(name, text.trim(), unit) },
});

/** `70%` of what is requested, or an amount; a bare number is in `unit`. */
const targetOf = (name: string, text: string, unit: string): object => {
  if (text === '') throw new UsageError('empty input');
  if (text.endsWith('%')) {
    const percent = text.slice(0, -1);
    if (!/^\+?\d{1,9}$/.test(percent)) throw new UsageError(`invalid percentage value: ${percent}`);
    return { type: 'Utilization', averageUtilization: Number(percent) };
  }
  const amount = Number.isNaN(Number(text)) ? text : `${Number(text)}${unit}`;
  try {
    parseQuantity(amount);
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error;
    throw new UsageError(`invalid resource ${name} value: ${text}`);
  }
  return { type: 'AverageValue', averageValue: canonicalQuantity(amount) };
};
