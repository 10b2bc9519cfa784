import type * as core from 'kubernetes-types/core/v1';
import { qosClassOf } from '../pods';
import type { DeepReadonly, Pod, PodSpec, ResourceQuota } from '../types';

export type ScopeRequirement = DeepReadonly<core.ScopedResourceSelectorRequirement>;

/** All that an object must be for the quota to count it. */
export const scopesOf = ({ spec }: ResourceQuota): readonly ScopeRequirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' as const })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

/** Scopes are of pods: nothing else is within any. */
export const isPodWithin = ({ spec }: Pod, requirement: ScopeRequirement): boolean => {
  switch (requirement.scopeName) {
    case 'Terminating':
      return isEnding(spec);
    case 'NotTerminating':
      return !isEnding(spec);
    case 'BestEffort':
      return qosClassOf(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClassOf(spec) !== 'BestEffort';
    case 'PriorityClass':
      return hasClass(spec.priorityClassName ?? '', requirement);
    case 'CrossNamespacePodAffinity':
      return looksElsewhere(spec);
    default:
      return false;
  }
};

/** It will end by itself, which says nothing of its deletion. */
const isEnding = ({ activeDeadlineSeconds }: PodSpec): boolean =>
  activeDeadlineSeconds !== undefined && activeDeadlineSeconds >= 0;

const hasClass = (name: string, { operator, values = [] }: ScopeRequirement): boolean => {
  const isNamed = name !== '' && values.includes(name);
  switch (operator) {
    case 'In':
      return isNamed;
    case 'NotIn':
      return !isNamed;
    case 'Exists':
      return name !== '';
    default:
      return name === '';
  }
};

type Term = DeepReadonly<core.PodAffinityTerm>;

const looksElsewhere = ({ affinity }: PodSpec): boolean =>
  [affinity?.podAffinity, affinity?.podAntiAffinity].some((each) =>
    [
      ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
        ({ podAffinityTerm }) => podAffinityTerm,
      ),
    ].some(isElsewhere),
  );

const isElsewhere = ({ namespaces = [], namespaceSelector }: Term): boolean =>
  namespaces.length > 0 || namespaceSelector !== undefined;
