import { groupOf } from './owners';
import type { ApiObject, Pod } from './types';

/** A group of pods that run together or not at all: the kind of upstream's coscheduling plugin. */
export interface PodGroup extends ApiObject {
  readonly spec?: {
    /** How many of its pods must have a node at once. */
    readonly minMember?: number;
    readonly minResources?: Readonly<Record<string, string>>;
    readonly scheduleTimeoutSeconds?: number;
  };
  readonly status?: PodGroupStatus;
}

export interface PodGroupStatus {
  readonly phase?: PodGroupPhase;
  /** `NAMESPACE/NAME` of what owns its pods. */
  readonly occupiedBy?: string;
  readonly running?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly scheduleStartTime?: string | null;
}

export type PodGroupPhase =
  'Pending' | 'Scheduling' | 'Scheduled' | 'Running' | 'Unknown' | 'Finished' | 'Failed';

/** Of groups that have been whole once. */
export const WHOLE_PHASES: ReadonlySet<PodGroupPhase> = new Set([
  'Scheduled',
  'Running',
  'Unknown',
  'Finished',
  'Failed',
]);

export const isPodGroup = ({ kind, apiVersion }: ApiObject): boolean =>
  kind === 'PodGroup' && groupOf(apiVersion) === API_GROUP;

const API_GROUP = 'scheduling.x-k8s.io';
/** On a pod: the name of its group, in its own namespace. */
export const POD_GROUP_LABEL = `${API_GROUP}/pod-group`;

/** `NAMESPACE/NAME` of the group that the pod names. */
export const groupKeyOf = ({ metadata }: Pick<Pod, 'metadata'>): string | undefined => {
  const name = metadata.labels?.[POD_GROUP_LABEL] ?? '';
  return name === '' ? undefined : `${metadata.namespace ?? ''}/${name}`;
};

/** It has a node, and may still do its part. */
export const isPlacedMember = ({ metadata, spec, status }: Pod): boolean =>
  (spec.nodeName ?? '') !== '' &&
  metadata.deletionTimestamp === undefined &&
  (status as Pod['status'] | undefined)?.phase !== 'Failed';
