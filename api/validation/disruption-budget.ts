import type { PodDisruptionBudget } from '../types';
import { validateLabelSelector } from './affinity';
import { invalid, nonNegative, notSupported, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { notMoreThanAll, validateIntOrPercent } from './percents';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateDisruptionBudget = (budget: PodDisruptionBudget): readonly FieldError[] => [
  ...validateMetadata(budget, RULES),
  ...validateSpec(budget),
];

export const validateDisruptionBudgetUpdate = (
  budget: PodDisruptionBudget,
  old: PodDisruptionBudget,
): readonly FieldError[] => [
  ...validateMetadataUpdate(budget, old, RULES),
  ...validateSpec(budget),
];

export const validateDisruptionBudgetStatusUpdate = (
  budget: PodDisruptionBudget,
  old: PodDisruptionBudget,
): readonly FieldError[] => [
  ...validateMetadataUpdate(budget, old, RULES),
  ...COUNTS.flatMap((name) => nonNegative(`status.${name}`, budget.status?.[name])),
];

const COUNTS = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;
const POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

const validateSpec = ({ spec }: PodDisruptionBudget): readonly FieldError[] => {
  if (spec === undefined) return [];
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec;
  const share = (name: string, value: number | string | undefined): readonly FieldError[] =>
    value === undefined
      ? []
      : [...validateIntOrPercent(value, `spec.${name}`), ...notMoreThanAll(value, `spec.${name}`)];
  return [
    ...(minAvailable !== undefined && maxUnavailable !== undefined
      ? [invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...share('minAvailable', minAvailable),
    ...share('maxUnavailable', maxUnavailable),
    ...(selector === undefined ? [] : validateLabelSelector(selector, 'spec.selector')),
    ...(policy === undefined || POLICIES.includes(policy)
      ? []
      : [notSupported('spec.unhealthyPodEvictionPolicy', policy, POLICIES)]),
  ];
};
