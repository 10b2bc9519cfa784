import type * as autoscaling from 'kubernetes-types/autoscaling/v2';

const CPU_PERCENT = 80;
const PERIOD_SECONDS = 15;
const DOUBLE = { type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS };
const FOUR_PODS = { type: 'Pods', value: 4, periodSeconds: PERIOD_SECONDS };

/** Changes the autoscaler in place. */
export const defaultAutoscaler = ({ spec }: autoscaling.HorizontalPodAutoscaler): void => {
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) {
    const target = { type: 'Utilization', averageUtilization: CPU_PERCENT };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    ...rules([FOUR_PODS, DOUBLE], spec.behavior.scaleUp),
  };
  spec.behavior.scaleDown = rules([DOUBLE], spec.behavior.scaleDown);
};

const rules = (
  policies: readonly autoscaling.HPAScalingPolicy[],
  given: autoscaling.HPAScalingRules | undefined,
): autoscaling.HPAScalingRules => ({
  selectPolicy: 'Max',
  policies: policies.map((policy) => ({ ...policy })),
  ...given,
});
