import { withCondition } from '../../../api/pods';
import type { HorizontalPodAutoscaler } from '../../../api/types';
import type { MetricStatus } from './metric-sources';

export type AutoscalerStatus = NonNullable<HorizontalPodAutoscaler['status']>;

/** After the target has been written. */
export const afterRescale = (status: AutoscalerStatus, now: string): AutoscalerStatus => ({
  ...status,
  lastScaleTime: now,
  conditions: withCondition(
    status.conditions,
    {
      ...{ type: 'AbleToScale', status: 'True', reason: 'SucceededRescale' },
      message: `the HPA controller was able to update the target scale to ${status.desiredReplicas}`,
    },
    now,
  ),
});

/** After the target could not be written: of the metrics and the wish nothing is kept. */
export const afterFailedRescale = (
  { currentReplicas, conditions }: AutoscalerStatus,
  before: HorizontalPodAutoscaler['status'],
  why: string,
  now: string,
): AutoscalerStatus => ({
  ...before,
  ...(currentReplicas === undefined ? {} : { currentReplicas }),
  desiredReplicas: before?.desiredReplicas ?? 0,
  currentMetrics: (before?.currentMetrics ?? null) as readonly MetricStatus[],
  conditions: withCondition(
    conditions,
    {
      ...{ type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale' },
      message: `the HPA controller was unable to update the target scale: ${why}`,
    },
    now,
  ),
});

/** When the target, or its scale, is not to be had. */
export const withoutScale = (
  status: HorizontalPodAutoscaler['status'],
  why: string,
  now: string,
): AutoscalerStatus => ({
  ...status,
  desiredReplicas: status?.desiredReplicas ?? 0,
  currentMetrics: (status?.currentMetrics ?? null) as readonly MetricStatus[],
  conditions: withCondition(
    status?.conditions,
    {
      ...{ type: 'AbleToScale', status: 'False', reason: 'FailedGetScale' },
      message: `the HPA controller was unable to get the target's current scale: ${why}`,
    },
    now,
  ),
});
