import { isRestartableInit, podCondition } from '../../../api/pods';
import type { Pod } from '../../../api/types';
import type { Wanted } from './wanted';

/** Holds a pod until its end has been counted. */
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
/** An annotation, and a label of the same name. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
/** How often pods of the index have failed before this one. */
export const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
export const IGNORED_FAILURE_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';

/** Its end is not counted yet. */
export const isTracked = ({ metadata }: Pod): boolean =>
  metadata.finalizers?.includes(TRACKING_FINALIZER) === true;

/** Undefined for a pod that says none, or none of the job's. */
export const completionIndexOf = (
  { metadata }: Pod,
  completions: number | undefined,
): number | undefined => {
  const text = metadata.annotations?.[COMPLETION_INDEX] ?? '';
  const index = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  return index < (completions ?? 0) ? index : undefined;
};

/** Also one that is on its way out, where that is enough to replace it: it may never end by itself. */
export const hasFailed = (pod: Pod, { replacesOnlyFailed }: Wanted): boolean => {
  const { phase } = pod.status;
  if (phase === 'Failed') return true;
  return !replacesOnlyFailed && phase !== 'Succeeded' && isTerminatingPod(pod);
};

const isTerminatingPod = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

/** Counted failures of its index before it. */
export const failureCountOf = (pod: Pod): number => countAt(pod, FAILURE_COUNT);

export const ignoredFailureCountOf = (pod: Pod): number => countAt(pod, IGNORED_FAILURE_COUNT);

const countAt = ({ metadata }: Pod, annotation: string): number => {
  const text = metadata.annotations?.[annotation] ?? '';
  return /^\d{1,10}$/.test(text) ? Number(text) : 0;
};

/**
 * When it ended, in ms since the epoch by the clock of who saw it: when its last container did, or
 * when it stopped being ready, or when its deletion began (backoff_utils.go).
 */
export const finishedMsOf = (pod: Pod): number => {
  const { metadata } = pod;
  const deletionMs = Date.parse(metadata.deletionTimestamp ?? '');
  const ready = podCondition(pod, 'Ready');
  return (
    lastContainerMs(pod) ??
    (ready?.status === 'False' ? known(Date.parse(ready.lastTransitionTime ?? '')) : undefined) ??
    known(deletionMs - Number(metadata.deletionGracePeriodSeconds ?? 0) * 1000) ??
    Date.parse(metadata.creationTimestamp ?? '')
  );
};

/** Undefined while one of them runs. */
const lastContainerMs = ({ spec, status }: Pod): number | undefined => {
  const sidecars = new Set(
    (spec.initContainers ?? []).filter(isRestartableInit).map(({ name }) => name),
  );
  const statuses = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  const times = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  return times.length === 0 ? undefined : known(Math.max(...times));
};

const known = (ms: number): number | undefined => (Number.isNaN(ms) ? undefined : ms);
