import type { Pod } from '../../api/types';
import { secondsToMs } from '../../api/int64';

/** How long its containers have between the signal and the kill. */
export const graceMsOf = ({ metadata, spec }: Pod): number => {
  const ownSeconds = spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  return secondsToMs(metadata.deletionGracePeriodSeconds ?? ownSeconds);
};

/** When the pod has been active for as long as it may; undefined: no such time. */
export const deadlineMsOf = ({ spec, status }: Pod): number | undefined => {
  const { activeDeadlineSeconds } = spec;
  const { startTime } = status;
  return activeDeadlineSeconds === undefined || startTime === undefined
    ? undefined
    : Date.parse(startTime) + activeDeadlineSeconds * 1000;
};

const DEFAULT_GRACE_SECONDS = 30;
