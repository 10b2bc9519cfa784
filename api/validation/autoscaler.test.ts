import { HORIZONTAL_POD_AUTOSCALERS } from '../resources';
import { made, refusal } from '../testing';

const WEB = { kind: 'Deployment', name: 'web' };
const autoscaler = (spec: object) => ({
  metadata: { name: 'a' },
  spec: { scaleTargetRef: WEB, maxReplicas: 3, ...spec },
});

it('looks at the CPU unless it is told otherwise', () => {
  expect(made(HORIZONTAL_POD_AUTOSCALERS, autoscaler({ behavior: {} }))).toMatchObject({
    spec: {
      minReplicas: 1,
      metrics: [
        { resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ],
      behavior: {
        scaleUp: { selectPolicy: 'Max', stabilizationWindowSeconds: 0 },
        scaleDown: { policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
      },
    },
  });
});

const cpu = (target: object) => ({ type: 'Resource', resource: { name: 'cpu', target } });

it.each<[object, readonly string[]]>([
  [{}, []],
  [
    { minReplicas: 5, maxReplicas: 2 },
    ['spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`'],
  ],
  [{ minReplicas: 0 }, ['spec.minReplicas: Invalid value: 0: must be greater than or equal to 1']],
  [
    { scaleTargetRef: {} },
    ['spec.scaleTargetRef.kind: Required value', 'spec.scaleTargetRef.name: Required value'],
  ],
  [
    { metrics: [{ type: 'Pods' }] },
    ['spec.metrics[0].pods: Required value: must populate information for the given metric source'],
  ],
  [
    { metrics: [cpu({ type: 'Utilization', averageUtilization: 0 })] },
    [
      'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
    ],
  ],
  [
    { metrics: [cpu({ type: 'AverageValue', averageValue: '-1' })] },
    ['spec.metrics[0].resource.target.averageValue: Invalid value: "-1": must be positive'],
  ],
  [
    { behavior: { scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 1801 }] } } },
    [
      'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
    ],
  ],
])('judges an autoscaler of %j', (spec, expected) => {
  expect(refusal(HORIZONTAL_POD_AUTOSCALERS, autoscaler(spec))).toEqual(expected);
});
