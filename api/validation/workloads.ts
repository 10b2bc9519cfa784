import type { Deployment, ReplicaSet } from '../types';
import { forbidden, invalid, nonNegative, notSupported, type FieldError } from './field-error';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
import {
  selectorOf,
  validateSameSelector,
  validateSelector,
  validateTemplate,
} from './pod-template';
import { workloadRules } from './workload-rules';

export const DEPLOYMENT_RULES = workloadRules<Deployment>({
  validateSpec: ({ spec }) => validateDeploymentSpec(spec),
  validateChange: ({ spec }, { spec: old }) => validateSameSelector(spec.selector, old.selector),
  counts: [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'terminatingReplicas',
  ],
});

export const REPLICA_SET_RULES = workloadRules<ReplicaSet>({
  validateSpec: ({ spec }) => validateReplicaSetSpec(spec),
  validateChange: ({ spec }, { spec: old }) => validateSameSelector(spec.selector, old.selector),
  counts: [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'terminatingReplicas',
    'observedGeneration',
  ],
});

const validateDeploymentSpec = (spec: Deployment['spec']): readonly FieldError[] => {
  const { progressDeadlineSeconds, minReadySeconds = 0 } = spec;
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateSelector(selectorOf(spec), 'deployment'),
    ...validateTemplate(spec.template, selectorOf(spec)),
    ...validateStrategy(spec.strategy),
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds),
    ...(progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds
      ? [
          invalid(
            'spec.progressDeadlineSeconds',
            progressDeadlineSeconds,
            'must be greater than minReadySeconds',
          ),
        ]
      : []),
  ];
};

const validateReplicaSetSpec = (spec: ReplicaSet['spec']): readonly FieldError[] => [
  ...nonNegative('spec.replicas', spec.replicas),
  ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
  ...validateSelector(selectorOf(spec), 'replicaset'),
  ...validateTemplate(spec.template, selectorOf(spec)),
];

const validateStrategy = (strategy: Deployment['spec']['strategy']): readonly FieldError[] => {
  const field = 'spec.strategy';
  const { type, rollingUpdate } = strategy ?? {};
  switch (type) {
    case 'Recreate':
      return rollingUpdate === undefined
        ? []
        : [
            forbidden(
              `${field}.rollingUpdate`,
              "may not be specified when strategy `type` is 'Recreate'",
            ),
          ];
    case 'RollingUpdate':
    case undefined:
      return rollingUpdate === undefined
        ? []
        : validateRollingUpdate(rollingUpdate, `${field}.rollingUpdate`);
    default:
      return [notSupported(`${field}.type`, type, ['Recreate', 'RollingUpdate'])];
  }
};

const validateRollingUpdate = (
  {
    maxSurge = 0,
    maxUnavailable = 0,
  }: { maxSurge?: number | string; maxUnavailable?: number | string },
  field: string,
): readonly FieldError[] => {
  const at = `${field}.maxUnavailable`;
  return [
    ...validateIntOrPercent(maxUnavailable, at),
    ...validateIntOrPercent(maxSurge, `${field}.maxSurge`),
    ...(amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0
      ? [invalid(at, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...notMoreThanAll(maxUnavailable, at),
  ];
};
