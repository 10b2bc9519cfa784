import { decidedBy, describeAutoscaler } from './autoscaler';
import { DescribeWriter } from './writer';

const condition = (type: string, status: string, reason: string, message = reason) => ({
  ...{ type, status, reason, message },
});
const ACTIVE = condition('ScalingActive', 'True', 'ValidMetricFound', 'from cpu');
const ABLE = condition('AbleToScale', 'True', 'ReadyForNewScale');
const FREE = condition('ScalingLimited', 'False', 'DesiredWithinRange');

it.each([
  [[], 'nobody yet'],
  [[condition('AbleToScale', 'False', 'FailedGetScale')], 'nobody: FailedGetScale'],
  [[ABLE, condition('ScalingActive', 'False', 'FailedGetResourceMetric')], 'nobody: FailedGet'],
  [[ABLE, ACTIVE, condition('ScalingLimited', 'True', 'TooManyReplicas')], 'a limit: TooMany'],
  [
    [condition('AbleToScale', 'True', 'ScaleDownStabilized', 'recent ones'), ACTIVE, FREE],
    'a window: recent ones',
  ],
  [[ABLE, ACTIVE, FREE], 'metrics: from cpu'],
  [[condition('AbleToScale', 'True', 'SucceededRescale')], 'the limits alone'],
])('tells from %j who decided: %s', (conditions, who) => {
  expect(decidedBy(conditions)).toMatch(new RegExp(`^${who}`));
});

it('shows what each metric is and should be', () => {
  const writer = new DescribeWriter();
  const utilization = { type: 'Utilization', averageUtilization: 80 };
  describeAutoscaler(writer, {
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'web' } },
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      ...{ minReplicas: 2, maxReplicas: 5 },
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: utilization } },
        {
          type: 'ContainerResource',
          containerResource: {
            ...{ name: 'memory', container: 'main' },
            target: { type: 'AverageValue', averageValue: '5Mi' },
          },
        },
      ],
      behavior: {
        scaleDown: {
          ...{ stabilizationWindowSeconds: 60, selectPolicy: 'Max' },
          policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
        },
      },
    },
    status: {
      ...{ currentReplicas: 3, desiredReplicas: 4 },
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '90m' } },
        },
        { type: '' },
      ],
      conditions: [ABLE, ACTIVE, FREE],
    },
  });
  const text = writer.toString();
  expect(text).toMatch(/Reference: +Deployment\/web\n/);
  expect(text).toMatch(/ {2}Resource cpu: +90% \(90m\) \/ 80%\n/);
  expect(text).toMatch(/ {2}ContainerResource memory of main: +<unknown> \/ 5Mi\n/);
  expect(text).toMatch(/ {2}Pods: +4 in 15 seconds\n/);
  expect(text).toMatch(/Deployment pods: +3 current \/ 4 desired\n/);
  expect(text).toMatch(/Decided by: +metrics: from cpu\n/);
});
