import { isJsonObject, parseJson, stringifyJson } from '../../lib/json';
import { defaultAutoscaler } from '../defaults/autoscaler';
import { cloneJson, type Json } from '../json-value';
import { HORIZONTAL_POD_AUTOSCALERS, HORIZONTAL_POD_AUTOSCALERS_V1 } from '../resources';
import { convert, DecodeError } from '../schema/decode';
import type { ApiObject, HorizontalPodAutoscaler, HorizontalPodAutoscalerV1 } from '../types';
import { specInV1, specOfV1, statusInV1, statusOfV1 } from './v1-metrics';

/*
 * One autoscaler in both versions of its group. What v1 has no field for it keeps in annotations, and is
 * found there again. Source: upstream's pkg/apis/autoscaling/v1/conversion.go and
 * pkg/apis/autoscaling/annotations.go.
 */

/** What is v2 already stays itself. */
export const autoscalerV2Of = (autoscaler: ApiObject): HorizontalPodAutoscaler => {
  if (autoscaler.apiVersion !== V1) return autoscaler;
  const { metadata, spec, status } = autoscaler as ApiObject & Parts;
  const { targetCPUUtilizationPercentage: percent, ...limits } = { ...spec };
  const { currentCPUUtilizationPercentage: current, ...counts } = { ...status };
  const { metrics = [], behavior, ...kept } = keptIn(metadata.annotations);
  const cpu =
    percent === undefined
      ? []
      : [cpuMetric({ target: { type: 'Utilization', averageUtilization: percent } })];
  const currentCpu =
    current === undefined
      ? {}
      : { currentMetrics: [cpuMetric({ current: { averageUtilization: current } })] };
  const { object } = convert<HorizontalPodAutoscaler>(HORIZONTAL_POD_AUTOSCALERS, {
    metadata: withAnnotations(metadata, {}),
    spec: {
      ...limits,
      metrics: [...metrics, ...cpu],
      ...(behavior === undefined ? {} : { behavior }),
    },
    status: { ...counts, ...currentCpu, ...kept },
  });
  const whole = cloneJson(object);
  // Which metric counts where none is named, this version says itself.
  defaultAutoscaler(whole as Parameters<typeof defaultAutoscaler>[0]);
  return whole;
};

/** What is v1 already stays itself. */
export const autoscalerV1Of = (autoscaler: ApiObject): HorizontalPodAutoscalerV1 => {
  if (autoscaler.apiVersion === V1) return autoscaler;
  const { metadata, spec, status } = autoscaler as ApiObject & Parts;
  const { metrics, behavior, ...limits } = { ...spec };
  const { currentMetrics, conditions, ...counts } = { ...status };
  const wanted = listOf(metrics);
  const percent = percentIn(wanted.find(isOfCpu), 'target');
  const current = listOf(currentMetrics)
    .filter(isOfCpu)
    .flatMap((metric) => percentIn(metric, 'current') ?? [])
    .at(-1);
  const others = wanted.filter(
    (metric) => !isOfCpu(metric) || percentIn(metric, 'target') === undefined,
  );
  return convert<HorizontalPodAutoscalerV1>(HORIZONTAL_POD_AUTOSCALERS_V1, {
    metadata: withAnnotations(metadata, {
      metrics: others.map(specInV1),
      'current-metrics': listOf(currentMetrics).map(statusInV1),
      conditions: listOf(conditions).map((condition) => inOrder(condition, CONDITION)),
      ...(isJsonObject(behavior) ? { behavior: behaviorInGo(behavior) } : {}),
    }),
    spec: {
      ...limits,
      ...(percent === undefined ? {} : { targetCPUUtilizationPercentage: percent }),
    },
    status: {
      ...counts,
      ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }),
    },
  }).object;
};

interface Parts {
  readonly spec?: Json;
  readonly status?: Json;
}

interface Kept {
  readonly metrics?: readonly Json[];
  readonly behavior?: Json;
  readonly currentMetrics?: readonly Json[];
  readonly conditions?: readonly Json[];
}

/** What annotations say, each for itself: one that cannot be read is as good as none. */
const keptIn = (annotations: Texts | undefined): Kept => {
  const read = (name: KeptName): unknown => {
    const text = annotations?.[`${PREFIX}${name}`];
    return text === undefined ? undefined : parsed(text);
  };
  const list = (name: KeptName): readonly Json[] | undefined => {
    const found = read(name);
    return Array.isArray(found) && found.every(isJsonObject) ? found : undefined;
  };
  const behavior = behaviorOfGo(read('behavior'));
  return {
    ...typed(list('metrics')?.map(specOfV1), (metrics) => ({ spec: { metrics } }), 'metrics'),
    ...typed(behavior, (found) => ({ spec: { behavior: found } }), 'behavior'),
    ...typed(
      list('current-metrics')?.map(statusOfV1),
      (currentMetrics) => ({ status: { currentMetrics } }),
      'currentMetrics',
    ),
    ...typed(list('conditions'), (conditions) => ({ status: { conditions } }), 'conditions'),
  };
};

/** Nothing where the value is of another type than the field. */
const typed = <T>(value: T | undefined, place: (value: T) => Json, field: keyof Kept): Kept => {
  if (value === undefined) return {};
  try {
    convert(HORIZONTAL_POD_AUTOSCALERS, place(value));
    return { [field]: value };
  } catch (error) {
    if (error instanceof DecodeError) return {};
    throw error;
  }
};

const parsed = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
};

type KeptName = 'metrics' | 'behavior' | 'current-metrics' | 'conditions';
type Texts = Readonly<Record<string, string>>;

/** What was kept before goes, whatever it was. Nothing is kept of an empty list. */
const withAnnotations = (
  { annotations, ...metadata }: ApiObject['metadata'],
  kept: Partial<Record<KeptName, Json | readonly Json[]>>,
): Json => {
  const others = Object.entries(annotations ?? {}).filter(([name]) => !KEPT_NAMES.has(name));
  const texts = Object.entries(kept)
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .map(([name, value]) => [`${PREFIX}${name}`, stringifyJson(value)]);
  const all = Object.fromEntries([...others, ...texts]) as Texts;
  return { ...metadata, ...(Object.keys(all).length === 0 ? {} : { annotations: all }) };
};

/** This annotation has the fields of Go's own type, of whatever case. */
const behaviorInGo = (behavior: Json): Json =>
  Object.fromEntries(
    ['scaleUp', 'scaleDown'].map((direction) => {
      const rules = behavior[direction];
      return [capital(direction), isJsonObject(rules) ? rulesInGo(rules) : null];
    }),
  );

const rulesInGo = (rules: Json): Json => ({
  StabilizationWindowSeconds: rules['stabilizationWindowSeconds'] ?? null,
  SelectPolicy: rules['selectPolicy'] ?? null,
  Policies: Array.isArray(rules['policies'])
    ? listOf(rules['policies']).map((policy) => ({
        ...{ Type: policy['type'], Value: policy['value'] },
        PeriodSeconds: policy['periodSeconds'],
      }))
    : null,
  Tolerance: rules['tolerance'] ?? null,
});

const behaviorOfGo = (value: unknown): Json | undefined => {
  if (!isJsonObject(value)) return undefined;
  const behavior = named(value, ['scaleUp', 'scaleDown']);
  const entries = Object.entries(behavior).map(([direction, rules]) => {
    if (!isJsonObject(rules)) return [direction, rules];
    const known = named(rules, [
      'stabilizationWindowSeconds',
      'selectPolicy',
      'policies',
      'tolerance',
    ]);
    const { policies } = known;
    return [
      direction,
      Array.isArray(policies)
        ? {
            ...known,
            policies: (policies as readonly unknown[]).map((policy) =>
              isJsonObject(policy) ? named(policy, ['type', 'value', 'periodSeconds']) : policy,
            ),
          }
        : known,
    ];
  });
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Json);
};

/** The fields that are meant, whatever their case; null is nothing. */
const named = (value: Json, names: readonly string[]): Json =>
  Object.fromEntries(
    Object.entries(value).flatMap(([given, member]) => {
      const name = names.find((each) => each.toLowerCase() === given.toLowerCase());
      return name === undefined || member === null ? [] : [[name, member]];
    }),
  );

const cpuMetric = (more: Json): Json => ({ type: 'Resource', resource: { name: 'cpu', ...more } });

const isOfCpu = ({ type, resource }: Json): boolean =>
  type === 'Resource' && isJsonObject(resource) && resource['name'] === 'cpu';

const percentIn = (metric: Json | undefined, part: 'target' | 'current'): unknown => {
  const resource = metric?.['resource'];
  const value = isJsonObject(resource) ? resource[part] : undefined;
  return isJsonObject(value) ? value['averageUtilization'] : undefined;
};

const inOrder = (value: Json, fields: readonly string[]): Json =>
  Object.fromEntries(
    fields.flatMap((field) => (value[field] === undefined ? [] : [[field, value[field]]])),
  );

const listOf = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : [];

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

const V1 = 'autoscaling/v1';
const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const KEPT_NAMES: ReadonlySet<string> = new Set(
  ['metrics', 'behavior', 'current-metrics', 'conditions'].map((name) => `${PREFIX}${name}`),
);
const CONDITION = ['type', 'status', 'lastTransitionTime', 'reason', 'message'];
