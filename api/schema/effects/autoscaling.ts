import { all, kept, shown, tests, type Effects, type FieldEffect } from './effect';
import { OBJECT, STATUS } from './metadata';

const PLAN = tests('control-plane/controllers/horizontal-pod-autoscaler/plan.test.ts');
const BEHAVIOR = tests('control-plane/controllers/horizontal-pod-autoscaler/behavior.test.ts');
const SIMULATED = tests('test/simulation/autoscaler.test.ts');

const VERSIONS = tests('api/autoscaler/versions.test.ts');

const FOLLOWS = shown(SIMULATED('follows the load of a deployment'));
const LIMITS = shown(
  PLAN('is brought within its limits without a look at metrics'),
  SIMULATED('scales at once when its limits change'),
);
const POLICIES = shown(
  BEHAVIOR('take the largest change unless they say otherwise'),
  BEHAVIOR('never let more change in a period than they say'),
);

const metric = (type: string, source: string, target: object): object => ({
  type,
  [source]: { metric: { name: 'requests' }, target },
});
const AVERAGE = { type: 'AverageValue', averageValue: '1' };
const UNSERVED: FieldEffect = {
  ...shown(PLAN('a metric of CPU'), PLAN('above its target brings more replicas')),
  warned: [
    [metric('Pods', 'pods', AVERAGE)],
    [metric('External', 'external', AVERAGE)],
    [
      {
        type: 'Object',
        object: {
          ...{ metric: { name: 'requests' }, target: AVERAGE },
          describedObject: { apiVersion: 'v1', kind: 'Service', name: 'web' },
        },
      },
    ],
    [
      {
        type: 'Resource',
        resource: {
          name: 'example.com/gpu',
          target: { type: 'Utilization', averageUtilization: 50 },
        },
      },
    ],
  ],
};
const NO_API = kept('nobody serves such metrics: their author is warned, and conditions say so');

export const AUTOSCALING_EFFECTS: Effects = {
  HorizontalPodAutoscaler: { ...OBJECT, spec: FOLLOWS, status: STATUS },
  HorizontalPodAutoscalerSpec: {
    behavior: POLICIES,
    maxReplicas: LIMITS,
    metrics: UNSERVED,
    minReplicas: LIMITS,
    scaleTargetRef: FOLLOWS,
    targetCPUUtilizationPercentage: shown(VERSIONS('a percentage of CPU is a metric')),
  },
  CrossVersionObjectReference: {
    apiVersion: shown(SIMULATED('scales whatever has a scale')),
    kind: shown(SIMULATED('scales whatever has a scale')),
    name: shown(SIMULATED('says what it cannot scale')),
  },
  HorizontalPodAutoscalerBehavior: all(['scaleDown', 'scaleUp'], POLICIES),
  HPAScalingRules: {
    policies: POLICIES,
    selectPolicy: POLICIES,
    stabilizationWindowSeconds: shown(
      BEHAVIOR('keeps replicas from coming until all that was recommended in it wants them'),
      BEHAVIOR('keeps replicas from going while something in it wanted them'),
    ),
    tolerance: shown(PLAN('follows the tolerance of its spec, each way its own')),
  },
  HPAScalingPolicy: {
    periodSeconds: shown(BEHAVIOR('count what was changed in their period, both ways')),
    ...all(['type', 'value'], POLICIES),
  },
  MetricSpec: {
    type: shown(PLAN('may be of one container')),
    resource: shown(PLAN('above its target brings more replicas')),
    containerResource: shown(PLAN('may be of one container')),
    ...all(['pods', 'object', 'external'], NO_API),
  },
  ResourceMetricSource: {
    name: shown(PLAN('may be an amount on average')),
    target: shown(PLAN('may be an amount on average')),
  },
  ContainerResourceMetricSource: all(
    ['container', 'name', 'target'],
    shown(PLAN('may be of one container')),
  ),
  MetricTarget: {
    averageUtilization: shown(PLAN('above its target brings more replicas')),
    averageValue: shown(PLAN('may be an amount on average')),
    type: shown('api/validation/autoscaler.test.ts: looks at the CPU unless it is told otherwise'),
    value: kept('of objects and external metrics, which nobody serves'),
  },
};
