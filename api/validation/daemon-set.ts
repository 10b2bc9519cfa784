import type { ApiObject, DaemonSet } from '../types';
import { validateLabelSelector } from './affinity';
import { invalid, nonNegative, notSupported, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
import { validatePodAnnotations } from './pod-annotations';
import {
  notEmpty,
  selectorOf,
  validateCounts,
  validateForGood,
  validateMatch,
  validatePodTemplate,
  validateSameSelector,
} from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

/** A body may lack what its type promises. */
type Spec = Partial<DaemonSet['spec']>;
type Body = ApiObject & { readonly spec?: Spec; readonly status?: Partial<DaemonSet['status']> };

export const validateDaemonSet = (set: Body): readonly FieldError[] => [
  ...validateMetadata(set, RULES),
  ...validateSpec(set.spec ?? {}),
  ...validateProtections(set),
  ...validatePodAnnotations(set),
];

export const validateDaemonSetUpdate = (set: Body, old: Body): readonly FieldError[] => [
  ...validateMetadataUpdate(set, old, RULES),
  ...validateSpec(set.spec ?? {}),
  ...validateSameSelector(set.spec?.selector ?? {}, old.spec?.selector ?? {}),
  ...validateProtections(set, old),
  ...validatePodAnnotations(set, old),
];

export const validateDaemonSetStatusUpdate = (set: Body, old: Body): readonly FieldError[] => [
  ...validateMetadataUpdate(set, old, RULES),
  ...validateCounts(set.status, [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ]),
];

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const selector = selectorOf(spec);
  return [
    ...validateLabelSelector(selector, 'spec.selector'),
    ...validateMatch(spec.template, selector),
    ...(selector === undefined ? [] : notEmpty(selector, 'daemonset')),
    ...validatePodTemplate(spec.template, 'spec.template'),
    ...validateForGood(spec.template?.spec, 'DaemonSet'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateStrategy(spec.updateStrategy ?? {}),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
};

const validateStrategy = (strategy: NonNullable<Spec['updateStrategy']>): readonly FieldError[] => {
  const field = 'spec.updateStrategy';
  switch (strategy.type) {
    case 'OnDelete':
      return [];
    case 'RollingUpdate':
      return strategy.rollingUpdate === undefined
        ? [required(`${field}.rollingUpdate`)]
        : validateRolling(strategy.rollingUpdate, `${field}.rollingUpdate`);
    default:
      return [notSupported(field, strategy, ['RollingUpdate', 'OnDelete'])];
  }
};

/** On each node either the old pod goes first or the new one comes first. */
const validateRolling = (
  {
    maxUnavailable = 0,
    maxSurge = 0,
  }: { readonly maxUnavailable?: number | string; readonly maxSurge?: number | string },
  field: string,
): readonly FieldError[] => {
  const [unavailable, surge] = [`${field}.maxUnavailable`, `${field}.maxSurge`];
  const isUnavailable = amountOf(maxUnavailable) !== 0;
  const isSurging = amountOf(maxSurge) !== 0;
  return [
    ...validateIntOrPercent(maxUnavailable, unavailable),
    ...validateIntOrPercent(maxSurge, surge),
    ...notMoreThanAll(maxUnavailable, unavailable),
    ...notMoreThanAll(maxSurge, surge),
    ...(isUnavailable && isSurging
      ? [invalid(surge, maxSurge, 'may not be set when maxUnavailable is non-zero')]
      : []),
    ...(isUnavailable || isSurging
      ? []
      : [required(unavailable, 'cannot be 0 when maxSurge is 0')]),
  ];
};
