import {
  formatRequirement,
  matchesRequirements,
  requirementsOf,
  type LabelRequirement,
  type Labels,
} from '../../api/selectors';
import type { LabelSelector, Pod } from '../../api/types';
import type { PodInfo } from './pod-info';

/** The labels of a namespace; undefined where there is no such namespace. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Which pods one term of (anti-)affinity means, and what makes two nodes one place for it. */
export interface AffinityTerm {
  readonly topologyKey: string;
  /** Does it mean this pod? */
  selects(pod: PodInfo, namespaces: NamespaceLabels): boolean;
  /** `app=web`, for people. */
  readonly words: string;
}

export interface WeightedTerm extends AffinityTerm {
  readonly weight: number;
}

/** A pod's wishes about other pods. Source: upstream's framework.PodInfo, and KEP-3633 for the label keys. */
export interface PodAffinityTerms {
  readonly required: readonly AffinityTerm[];
  readonly antiRequired: readonly AffinityTerm[];
  readonly preferred: readonly WeightedTerm[];
  readonly antiPreferred: readonly WeightedTerm[];
}

/** `undefined` of a pod that has none. */
export const podAffinityOf = (pod: Pod): PodAffinityTerms | undefined => {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined) return undefined;
  const required = (from: Affinity | undefined) =>
    (from?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => termOf(term, pod));
  const preferred = (from: Affinity | undefined) =>
    (from?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ weight, podAffinityTerm }) => ({ ...termOf(podAffinityTerm, pod), weight }),
    );
  return {
    required: required(podAffinity),
    antiRequired: required(podAntiAffinity),
    preferred: preferred(podAffinity),
    antiPreferred: preferred(podAntiAffinity),
  };
};

type Affinity = NonNullable<NonNullable<Pod['spec']['affinity']>['podAffinity']>;
type Term = NonNullable<Affinity['requiredDuringSchedulingIgnoredDuringExecution']>[number];

const termOf = (term: Term, { metadata }: Pod): AffinityTerm => {
  const { topologyKey, labelSelector, namespaceSelector, namespaces = [] } = term;
  const { labels = {}, namespace: own = '' } = metadata;
  const requirements = withLabelKeys(labelSelector, labels, term);
  const isOwnOnly = namespaces.length === 0 && namespaceSelector === undefined;
  const names = new Set(isOwnOnly ? [own] : namespaces);
  const byLabels = namespaceSelector === undefined ? undefined : requirementsOf(namespaceSelector);
  return {
    topologyKey,
    selects: (pod, namespaceLabels) =>
      requirements !== undefined &&
      (names.has(pod.namespace) ||
        (byLabels !== undefined &&
          matchesRequirements(byLabels, namespaceLabels(pod.namespace) ?? {}))) &&
      matchesRequirements(requirements, pod.labels),
    words: wordsOf(requirements),
  };
};

interface LabelKeys {
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}

/**
 * What a selector asks for, with the pod's own values of the keys that are to be alike, or not; keys
 * that the pod has no label for are left out. `undefined`: an absent selector selects nothing.
 */
export const withLabelKeys = (
  selector: LabelSelector | undefined,
  labels: Labels,
  { matchLabelKeys = [], mismatchLabelKeys = [] }: LabelKeys,
): readonly LabelRequirement[] | undefined => {
  if (selector === undefined) return undefined;
  const of = (keys: readonly string[], operator: 'in' | 'notin') =>
    keys
      .filter((key) => Object.hasOwn(labels, key))
      .map((key): LabelRequirement => ({ key, operator, values: [labels[key] ?? ''] }));
  return [
    ...requirementsOf(selector),
    ...of(matchLabelKeys, 'in'),
    ...of(mismatchLabelKeys, 'notin'),
  ];
};

/** Requirements in one line, for people. */
export const wordsOf = (requirements: readonly LabelRequirement[] | undefined): string => {
  if (requirements === undefined) return 'no pod';
  return requirements.length === 0 ? 'any pod' : requirements.map(formatRequirement).join(',');
};
