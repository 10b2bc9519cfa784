import type { ReplicaSet, ReplicationController, Service, StatefulSet } from '../../api/types';
import {
  matchesRequirements,
  requirementsOf,
  type LabelRequirement,
  type Labels,
} from '../../api/selectors';
import type { PodInfo } from './pod-info';

/** By what pods like this one are selected; empty where nothing selects it. */
export type SelectorFor = (pod: PodInfo) => readonly LabelRequirement[];

export interface SelectorSources {
  readonly servicesIn: (namespace: string) => readonly Service[];
  readonly replicationControllers: Named<ReplicationController>;
  readonly replicaSets: Named<ReplicaSet>;
  readonly statefulSets: Named<StatefulSet>;
}

interface Named<T> {
  get(key: string): T | undefined;
}

/** What the pod's services and its controller select by, all together. Source: upstream's DefaultSelector. */
export const selectorsFrom =
  ({ servicesIn, replicationControllers, ...sets }: SelectorSources): SelectorFor =>
  ({ pod: { metadata }, namespace, labels }) => {
    const merged: Record<string, string> = {};
    for (const { spec } of servicesIn(namespace))
      if (spec?.selector !== undefined && isSelected(spec.selector, labels))
        Object.assign(merged, spec.selector);
    const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
    const key = `${namespace}/${owner?.name ?? ''}`;
    switch (owner === undefined ? '' : `${owner.apiVersion} ${owner.kind}`) {
      case 'v1 ReplicationController':
        Object.assign(merged, replicationControllers.get(key)?.spec.selector);
        return wordedBy(merged);
      case 'apps/v1 ReplicaSet':
        return [...wordedBy(merged), ...selectedBy(sets.replicaSets.get(key))];
      case 'apps/v1 StatefulSet':
        return [...wordedBy(merged), ...selectedBy(sets.statefulSets.get(key))];
      default:
        return wordedBy(merged);
    }
  };

const isSelected = (selector: Labels, labels: Labels): boolean =>
  matchesRequirements(wordedBy(selector), labels);

const wordedBy = (matchLabels: Labels): readonly LabelRequirement[] =>
  requirementsOf({ matchLabels });

const selectedBy = (owner: ReplicaSet | StatefulSet | undefined): readonly LabelRequirement[] =>
  owner === undefined ? [] : requirementsOf(owner.spec.selector);
