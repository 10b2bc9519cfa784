import { RESIZE_PENDING } from '../../api/pods';
import type { QosClass } from '../../api/pods';
import type { Pod } from '../../api/types';
import { classOf, requestsOf } from '../pod-spec/requests';

/** A pod that asks for other resources than it has been granted. */
export interface WaitingResize {
  readonly asked: Pod;
  readonly granted: Pod;
}

/**
 * Who is granted what he asks for first, for `sort`: who asks for no more than he has; then by priority, by
 * class of service, and who has waited longest. Source: sortPendingResizes of allocation_manager.go
 */
export const byResizeOrder = (a: WaitingResize, b: WaitingResize): number =>
  Number(isIncrease(a)) - Number(isIncrease(b)) ||
  (b.asked.spec.priority ?? 0) - (a.asked.spec.priority ?? 0) ||
  RANKS[classOf(a.asked.spec)] - RANKS[classOf(b.asked.spec)] ||
  waitsSinceMs(a) - waitsSinceMs(b);

const isIncrease = ({ asked, granted }: WaitingResize): boolean => {
  const [wanted, now] = [requestsOf(asked.spec), requestsOf(granted.spec)];
  return wanted.cpuMillis > now.cpuMillis || wanted.memoryBytes > now.memoryBytes;
};

const RANKS: Readonly<Record<QosClass, number>> = { Guaranteed: 0, Burstable: 1, BestEffort: 2 };

/** Who has just asked comes last. */
const waitsSinceMs = ({ asked }: WaitingResize): number => {
  const condition = asked.status.conditions?.find(({ type }) => type === RESIZE_PENDING);
  const sinceMs = Date.parse(condition?.lastTransitionTime ?? '');
  return Number.isNaN(sinceMs) ? Number.MAX_SAFE_INTEGER : sinceMs;
};
