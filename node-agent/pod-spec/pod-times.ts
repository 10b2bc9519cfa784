import type { Pod } from '../../api/types';
import { secondsToMs } from '../../api/int64';
import type { Stopwatches } from '../../lib/stopwatches';

/** How long its containers have between the signal and the kill. */
export const graceMsOf = ({ metadata, spec }: Pod): number => {
  const ownSeconds = spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  return secondsToMs(metadata.deletionGracePeriodSeconds ?? ownSeconds);
};

/** When, in monotonic ms, the pod has been active for as long as it may; undefined: no such time. */
export const deadlineMsOf = ({ spec, status }: Pod, watches: Stopwatches): number | undefined => {
  const { activeDeadlineSeconds } = spec;
  const { startTime } = status;
  if (activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
  // The start time is this node's own stamp.
  const startedMs = watches.startOf(`pod/${startTime}`, Date.parse(startTime));
  return startedMs + secondsToMs(activeDeadlineSeconds);
};

const DEFAULT_GRACE_SECONDS = 30;
