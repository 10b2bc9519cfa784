import type { Deployment, ReplicaSet } from '../types';
import { forbidden, invalid, nonNegative, notSupported, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
import {
  selectorOf,
  validateCounts,
  validateSameSelector,
  validateSelector,
  validateTemplate,
} from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateDeployment = (deployment: Deployment): readonly FieldError[] => [
  ...validateMetadata(deployment, RULES),
  ...validateDeploymentSpec(deployment.spec),
  ...validateProtections(deployment),
  ...validatePodAnnotations(deployment),
];

export const validateDeploymentUpdate = (
  deployment: Deployment,
  old: Deployment,
): readonly FieldError[] => [
  ...validateMetadataUpdate(deployment, old, RULES),
  ...validateDeploymentSpec(deployment.spec),
  ...validateSameSelector(deployment.spec.selector, old.spec.selector),
  ...validateProtections(deployment, old),
  ...validatePodAnnotations(deployment, old),
];

export const validateDeploymentStatusUpdate = (
  deployment: Deployment,
  old: Deployment,
): readonly FieldError[] => [
  ...validateMetadataUpdate(deployment, old, RULES),
  ...validateCounts(deployment.status, DEPLOYMENT_COUNTS),
];

export const validateReplicaSet = (replicaSet: ReplicaSet): readonly FieldError[] => [
  ...validateMetadata(replicaSet, RULES),
  ...validateReplicaSetSpec(replicaSet.spec),
  ...validateProtections(replicaSet),
  ...validatePodAnnotations(replicaSet),
];

export const validateReplicaSetUpdate = (
  replicaSet: ReplicaSet,
  old: ReplicaSet,
): readonly FieldError[] => [
  ...validateMetadataUpdate(replicaSet, old, RULES),
  ...validateReplicaSetSpec(replicaSet.spec),
  ...validateSameSelector(replicaSet.spec.selector, old.spec.selector),
  ...validateProtections(replicaSet, old),
  ...validatePodAnnotations(replicaSet, old),
];

export const validateReplicaSetStatusUpdate = (
  replicaSet: ReplicaSet,
  old: ReplicaSet,
): readonly FieldError[] => [
  ...validateMetadataUpdate(replicaSet, old, RULES),
  ...validateCounts(replicaSet.status, REPLICA_SET_COUNTS),
];

const REPLICA_SET_COUNTS = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;
const DEPLOYMENT_COUNTS = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
] as const;

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
