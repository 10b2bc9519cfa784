import type { Pod, PodTemplate, StatefulSet } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import { podFromTemplate } from '../owned/pod-control';
import { claimName } from './claims';

export const REVISION_LABEL = 'controller-revision-hash';
const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** The ordinals that a set has pods of: `start` to `end`, `end` left out. */
export interface Ordinals {
  readonly start: number;
  readonly end: number;
}

export const ordinalsOf = ({ spec }: StatefulSet): Ordinals => {
  const start = spec.ordinals?.start ?? 0;
  return { start, end: start + (spec.replicas ?? 1) };
};

export const isWithin = (ordinal: number, { start, end }: Ordinals): boolean =>
  ordinal >= start && ordinal < end;

export const podName = (set: StatefulSet, ordinal: number): string =>
  `${set.metadata.name}-${ordinal}`;

/** Which pod of the set it is; undefined if its name is none that the set gives. */
export const ordinalOf = (set: StatefulSet, pod: Pod): number | undefined => {
  const ordinal = Number(/-(0|[1-9]\d{0,9})$/.exec(pod.metadata.name)?.[1] ?? NaN);
  return ordinal <= ORDINAL_MAX && pod.metadata.name === podName(set, ordinal)
    ? ordinal
    : undefined;
};

export const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[REVISION_LABEL] ?? '';

/** Labels by which others find a pod by its place in the set. */
export const identityLabels = (
  set: StatefulSet,
  ordinal: number,
): Readonly<Record<string, string>> => ({
  [NAME_LABEL]: podName(set, ordinal),
  [INDEX_LABEL]: String(ordinal),
});

/** The pod of an ordinal, made of `template`: its own name, host name, labels and claims. */
export const podDraft = (
  set: StatefulSet,
  ordinal: number,
  template: PodTemplate,
  revision: string,
): DraftOf<Pod> => {
  const draft = podFromTemplate(set, template);
  const labels = {
    ...draft.metadata.labels,
    ...identityLabels(set, ordinal),
    [REVISION_LABEL]: revision,
  };
  const volumes = volumesOf(set, ordinal, template);
  return {
    ...draft,
    metadata: { ...draft.metadata, name: podName(set, ordinal), labels },
    spec: {
      ...draft.spec,
      hostname: podName(set, ordinal),
      subdomain: set.spec.serviceName,
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
};

/** A claim stands before a volume of its name. */
const volumesOf = (
  set: StatefulSet,
  ordinal: number,
  template: PodTemplate,
): NonNullable<Pod['spec']['volumes']> => {
  const names = new Set(set.spec.volumeClaimTemplates?.map(({ metadata }) => metadata?.name ?? ''));
  const claimed = [...names].map((name) => ({
    name,
    persistentVolumeClaim: { claimName: claimName(set, name, ordinal) },
  }));
  const others = (template?.spec?.volumes ?? []).filter(({ name }) => !names.has(name));
  return [...claimed, ...others];
};

/** No start and size, of 31 bits each, reach further. */
const ORDINAL_MAX = 2 ** 32;
