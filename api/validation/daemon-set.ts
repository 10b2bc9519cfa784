import type { ApiObject, DaemonSet } from '../types';
import { validateLabelSelector } from './affinity';
import { invalid, nonNegative, notSupported, required, type FieldError } from './field-error';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
import {
  notEmpty,
  selectorOf,
  validateForGood,
  validateMatch,
  validatePodTemplate,
  validateSameSelector,
} from './pod-template';
import { workloadRules } from './workload-rules';

/** A body may lack what its type promises. */
type Spec = Partial<DaemonSet['spec']>;
type Body = ApiObject & { readonly spec?: Spec; readonly status?: Partial<DaemonSet['status']> };

export const DAEMON_SET_RULES = workloadRules<Body>({
  validateSpec: ({ spec = {} }) => validateSpec(spec),
  validateChange: ({ spec }, { spec: old }) =>
    validateSameSelector(spec?.selector ?? {}, old?.selector ?? {}),
  counts: [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ],
});

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
