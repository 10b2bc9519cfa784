import { jsonEqual } from '../json-value';
import { matchesLabelSelector } from '../selectors';
import type { Deployment, LabelSelector, PodTemplate, ReplicaSet } from '../types';
import { validateLabelSelector } from './affinity';
import {
  forbidden,
  immutable,
  invalid,
  nonNegative,
  notSupported,
  required,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateAnnotations,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { validatePodSpec } from './pod-spec';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
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

const validateCounts = <K extends string>(
  status: { readonly [Key in K]?: number } | undefined,
  fields: readonly K[],
): readonly FieldError[] =>
  fields.flatMap((field) => nonNegative(`status.${field}`, status?.[field]));

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

/** Absent although its type says otherwise: validation comes before anyone may count on it. */
type Optional<T> = T | undefined;

/** Null where it is missing, whatever the declared type says. */
const selectorOf = (spec: { readonly selector: LabelSelector | null }): Optional<LabelSelector> =>
  spec.selector ?? undefined;

const validateSelector = (
  selector: Optional<LabelSelector>,
  what: string,
): readonly FieldError[] => {
  const field = 'spec.selector';
  if (selector === undefined) return [required(field)];
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const isEmpty = Object.keys(matchLabels).length + matchExpressions.length === 0;
  return [
    ...validateLabelSelector(selector, field),
    ...(isEmpty ? [invalid(field, selector, `empty selector is invalid for ${what}`)] : []),
    ...(isWellFormed(selector) ? [] : [invalid(field, selector, 'invalid label selector')]),
  ];
};

const isWellFormed = (selector: LabelSelector): boolean =>
  validateLabelSelector(selector, '').length === 0;

const validateTemplate = (
  template: Optional<PodTemplate>,
  selector: Optional<LabelSelector>,
): readonly FieldError[] => {
  const field = 'spec.template';
  // Upstream does not look at the template under a selector it cannot read.
  if (selector !== undefined && !isWellFormed(selector)) return [];
  if (template === undefined) return [required(field)];
  const { labels = {}, annotations } = template.metadata ?? {};
  const spec = template.spec;
  return [
    ...(matchesLabelSelector(selector, labels)
      ? []
      : [
          invalid(
            `${field}.metadata.labels`,
            labels,
            '`selector` does not match template `labels`',
          ),
        ]),
    ...validateLabels(labels, `${field}.labels`),
    ...validateAnnotations(annotations, `${field}.annotations`),
    ...validatePodSpec(spec ?? { containers: [] }, `${field}.spec`),
    ...(spec?.restartPolicy === undefined || spec.restartPolicy === 'Always'
      ? []
      : [notSupported(`${field}.spec.restartPolicy`, spec.restartPolicy, ['Always'])]),
    ...(spec?.activeDeadlineSeconds === undefined
      ? []
      : [
          forbidden(
            `${field}.spec.activeDeadlineSeconds`,
            'activeDeadlineSeconds in ReplicaSet is not Supported',
          ),
        ]),
    ...((spec?.ephemeralContainers ?? []).length === 0
      ? []
      : [
          forbidden(
            `${field}.spec.ephemeralContainers`,
            'ephemeral containers not allowed in pod template',
          ),
        ]),
  ];
};

const validateSameSelector = (
  selector: LabelSelector,
  old: LabelSelector,
): readonly FieldError[] =>
  jsonEqual(selector, old) ? [] : [immutable('spec.selector', selector)];

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
