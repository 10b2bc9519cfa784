import type * as autoscaling from 'kubernetes-types/autoscaling/v2';
import { pathSegmentProblems } from '../names';
import { parseQuantity } from '../quantity';
import type { DeepReadonly, HorizontalPodAutoscaler } from '../types';
import {
  forbidden,
  invalid,
  invalidFor,
  nonNegative,
  notSupported,
  oneOf,
  positive,
  required,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateSegment } from './typed-reference';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateAutoscaler = (autoscaler: HorizontalPodAutoscaler): readonly FieldError[] => [
  ...validateMetadata(autoscaler, RULES),
  ...validateSpec(autoscaler.spec ?? {}),
];

export const validateAutoscalerUpdate = (
  autoscaler: HorizontalPodAutoscaler,
  old: HorizontalPodAutoscaler,
): readonly FieldError[] => [
  ...validateMetadataUpdate(autoscaler, old, RULES),
  ...validateSpec(autoscaler.spec ?? {}),
];

export const validateAutoscalerStatusUpdate = (
  autoscaler: HorizontalPodAutoscaler,
  old: HorizontalPodAutoscaler,
): readonly FieldError[] => [
  ...validateMetadataUpdate(autoscaler, old, RULES),
  ...(['currentReplicas', 'desiredReplicas'] as const).flatMap((field) =>
    nonNegative(`status.${field}`, autoscaler.status?.[field]),
  ),
];

/** Bodies may lack what their types promise. */
type Spec = Partial<NonNullable<HorizontalPodAutoscaler['spec']>>;
type Rules = DeepReadonly<autoscaling.HPAScalingRules> & { readonly tolerance?: string };
type Metric = DeepReadonly<Partial<autoscaling.MetricSpec>>;
type Target = DeepReadonly<Partial<autoscaling.MetricTarget>>;

const PERIOD_SECONDS_MAX = 1800;
const WINDOW_SECONDS_MAX = 3600;
const CHOICES = ['Disabled', 'Max', 'Min'];
const POLICY_TYPES = ['Percent', 'Pods'];
const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue'];
/** The types of metrics, each with the field that tells of it. */
const SOURCES = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { minReplicas, maxReplicas = 0, scaleTargetRef = {}, metrics = [], behavior } = spec;
  return [
    ...(minReplicas !== undefined && minReplicas < 1
      ? [invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')]
      : []),
    ...positive('spec.maxReplicas', maxReplicas),
    ...(minReplicas !== undefined && maxReplicas < minReplicas
      ? [invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')]
      : []),
    ...validateReference(scaleTargetRef, 'spec.scaleTargetRef'),
    ...metrics.flatMap((metric, i) => validateMetric(metric, `spec.metrics[${i}]`)),
    ...validateScaling(behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...validateScaling(behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
};

const validateReference = (
  { kind = '', name = '' }: { readonly kind?: string; readonly name?: string },
  field: string,
): readonly FieldError[] => [
  ...validateSegment(kind, `${field}.kind`),
  ...validateSegment(name, `${field}.name`),
];

const validateMetric = (metric: Metric, field: string): readonly FieldError[] => {
  const { type = '' } = metric;
  if (type === '') return [required(`${field}.type`, 'must specify a metric source type')];
  if (!Object.hasOwn(SOURCES, type))
    return [notSupported(`${field}.type`, type, Object.keys(SOURCES))];
  const wanted = SOURCES[type as keyof typeof SOURCES];
  const others = Object.values(SOURCES).filter(
    (name) => name !== wanted && metric[name] !== undefined,
  );
  return [
    ...(metric[wanted] === undefined
      ? [required(`${field}.${wanted}`, 'must populate information for the given metric source')]
      : validateSource(metric, wanted, `${field}.${wanted}`)),
    ...others.map((name) =>
      forbidden(`${field}.${name}`, 'must populate the given metric source only'),
    ),
  ];
};

const validateSource = (
  metric: Metric,
  source: (typeof SOURCES)[keyof typeof SOURCES],
  field: string,
): readonly FieldError[] => {
  const target: Target = metric[source]?.target ?? {};
  switch (source) {
    case 'object':
      return [
        ...validateReference(metric.object?.describedObject ?? {}, `${field}.describedObject`),
        ...validateIdentifier(metric.object?.metric.name, `${field}.metric`),
        ...validateTarget(target, `${field}.target`),
        ...oneTarget(target, field, 'must set either a target value or averageValue'),
      ];
    case 'external':
      return [
        ...validateIdentifier(metric.external?.metric.name, `${field}.metric`),
        ...validateTarget(target, `${field}.target`),
        ...oneTarget(
          target,
          field,
          'must set either a target value for metric or a per-pod target',
        ),
        ...(target.value !== undefined && target.averageValue !== undefined
          ? [
              forbidden(
                `${field}.target.value`,
                'may not set both a target value for metric and a per-pod target',
              ),
            ]
          : []),
      ];
    case 'pods':
      return [
        ...validateIdentifier(metric.pods?.metric.name, `${field}.metric`),
        ...validateTarget(target, `${field}.target`),
        ...(target.averageValue === undefined
          ? [
              required(
                `${field}.target.averageValue`,
                'must specify a positive target averageValue',
              ),
            ]
          : []),
      ];
    case 'containerResource':
    case 'resource':
      return validateResource(metric, source, target, field);
  }
};

const oneTarget = (target: Target, field: string, why: string): readonly FieldError[] =>
  target.value === undefined && target.averageValue === undefined
    ? [required(`${field}.target.averageValue`, why)]
    : [];

const validateResource = (
  metric: Metric,
  source: 'containerResource' | 'resource',
  target: Target,
  field: string,
): readonly FieldError[] => [
  ...((metric[source]?.name ?? '') === ''
    ? [required(`${field}.name`, 'must specify a resource name')]
    : []),
  ...(source === 'containerResource' && (metric.containerResource?.container ?? '') === ''
    ? [required(`${field}.container`, 'must specify a container')]
    : []),
  ...validateTarget(target, `${field}.target`),
  ...(target.averageUtilization === undefined && target.averageValue === undefined
    ? [
        required(
          `${field}.target.averageUtilization`,
          'must set either a target raw value or a target utilization',
        ),
      ]
    : []),
  ...(target.averageUtilization !== undefined && target.averageValue !== undefined
    ? [
        forbidden(
          `${field}.target.averageValue`,
          'may not set both a target raw value and a target utilization',
        ),
      ]
    : []),
];

const validateIdentifier = (name = '', field: string): readonly FieldError[] =>
  name === ''
    ? [required(`${field}.name`, 'must specify a metric name')]
    : invalidFor(`${field}.name`, name, pathSegmentProblems(name));

const validateTarget = (target: Target, field: string): readonly FieldError[] => {
  const { type = '', averageUtilization } = target;
  return [
    ...(type === '' ? [required(`${field}.type`, 'must specify a metric target type')] : []),
    ...(TARGET_TYPES.includes(type)
      ? []
      : [invalid(`${field}.type`, type, 'must be either Utilization, Value, or AverageValue')]),
    ...(['value', 'averageValue'] as const).flatMap((name) => {
      const amount = target[name];
      return amount === undefined || parseQuantity(amount).nanos > 0n
        ? []
        : [invalid(`${field}.${name}`, amount, 'must be positive')];
    }),
    ...positive(`${field}.averageUtilization`, averageUtilization),
  ];
};

const validateScaling = (rules: Rules | undefined, field: string): readonly FieldError[] => {
  if (rules === undefined) return [];
  const { stabilizationWindowSeconds: seconds = 0, selectPolicy, policies = [] } = rules;
  const window = `${field}.stabilizationWindowSeconds`;
  return [
    ...(seconds < 0 ? [invalid(window, seconds, 'must be greater than or equal to zero')] : []),
    ...(seconds > WINDOW_SECONDS_MAX
      ? [invalid(window, seconds, `must be less than or equal to ${WINDOW_SECONDS_MAX}`)]
      : []),
    ...oneOf(`${field}.selectPolicy`, selectPolicy, CHOICES),
    ...(policies.length === 0
      ? [required(`${field}.policies`, 'must specify at least one Policy')]
      : []),
    ...policies.flatMap(({ type, value, periodSeconds }, i) => {
      const at = `${field}.policies[${i}]`;
      return [
        ...oneOf(`${at}.type`, type, POLICY_TYPES),
        ...aboveZero(`${at}.value`, value),
        ...aboveZero(`${at}.periodSeconds`, periodSeconds),
        ...(periodSeconds > PERIOD_SECONDS_MAX
          ? [
              invalid(
                `${at}.periodSeconds`,
                periodSeconds,
                `must be less than or equal to ${PERIOD_SECONDS_MAX}`,
              ),
            ]
          : []),
      ];
    }),
    ...(rules.tolerance !== undefined && parseQuantity(rules.tolerance).nanos < 0n
      ? [invalid(`${field}.tolerance`, rules.tolerance, 'must be greater or equal to zero')]
      : []),
  ];
};

const aboveZero = (field: string, value: number): readonly FieldError[] =>
  value > 0 ? [] : [invalid(field, value, 'must be greater than zero')];
