import fc from 'fast-check';
import type { ApiObject } from '../types';
import { autoscalerV1Of, autoscalerV2Of } from './versions';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };

const v1 = (spec: object = {}, annotations?: Record<string, string>, status: object = {}) =>
  ({
    ...{ apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler' },
    metadata: { name: 'web', ...(annotations === undefined ? {} : { annotations }) },
    spec: { scaleTargetRef: target, maxReplicas: 3, ...spec },
    status,
  }) as unknown as ApiObject;

const v2 = (spec: object = {}, status: object = {}) =>
  ({
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
    metadata: { name: 'web', annotations: { own: 'kept' } },
    spec: { scaleTargetRef: target, minReplicas: 1, maxReplicas: 3, ...spec },
    status: { currentMetrics: null, desiredReplicas: 0, ...status },
  }) as unknown as ApiObject;

const cpu = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

it('a percentage of CPU is a metric', () => {
  expect(autoscalerV2Of(v1({ targetCPUUtilizationPercentage: 50 })).spec?.metrics).toEqual([
    cpu(50),
  ]);
  expect(autoscalerV1Of(v2({ metrics: [cpu(50)] })).spec).toEqual({
    ...{ scaleTargetRef: target, minReplicas: 1, maxReplicas: 3 },
    targetCPUUtilizationPercentage: 50,
  });
});

it('looks at 80 percent of CPU where nothing else is named', () => {
  expect(autoscalerV2Of(v1()).spec).toMatchObject({ minReplicas: 1, metrics: [cpu(80)] });
});

it('keeps in annotations what the older version has no field for, as upstream writes it', () => {
  const at = '2026-01-01T00:00:00Z';
  const resource = { name: 'cpu', current: { averageUtilization: 7, averageValue: '70m' } };
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
  };
  const { metadata, status } = autoscalerV1Of(
    v2(
      {
        metrics: [cpu(50), memory],
        behavior: {
          scaleDown: { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] },
        },
      },
      {
        currentMetrics: [{ type: 'Resource', resource }],
        conditions: [{ status: 'True', type: 'AbleToScale', lastTransitionTime: at, reason: 'R' }],
      },
    ),
  );
  expect(metadata.annotations).toEqual({
    own: 'kept',
    [`${PREFIX}metrics`]:
      '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}]',
    [`${PREFIX}current-metrics`]:
      '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":7,' +
      '"currentAverageValue":"70m"}}]',
    [`${PREFIX}conditions`]: `[{"type":"AbleToScale","status":"True","lastTransitionTime":"${at}","reason":"R"}]`,
    [`${PREFIX}behavior`]:
      '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":null,' +
      '"Policies":[{"Type":"Pods","Value":1,"PeriodSeconds":60}],"Tolerance":null}}',
  });
  expect(status).toMatchObject({ currentCPUUtilizationPercentage: 7 });
});

const quantity = fc.constantFrom('1', '250m', '1Gi');
const metric = fc.record({ name: fc.constantFrom('requests', 'queue') });
const average = quantity.map((averageValue) => ({ type: 'AverageValue', averageValue }));
const value = quantity.map((each) => ({ type: 'Value', value: each }));
const wanted = fc.oneof(
  fc.integer({ min: 1, max: 100 }).map(cpu),
  fc.record({
    type: fc.constant('Resource'),
    resource: fc.record({ name: fc.constant('memory'), target: average }),
  }),
  fc.record({
    type: fc.constant('ContainerResource'),
    containerResource: fc.record({
      ...{ name: fc.constant('cpu'), container: fc.constant('c') },
      target: average,
    }),
  }),
  fc.record({ type: fc.constant('Pods'), pods: fc.record({ metric, target: average }) }),
  fc.record({
    type: fc.constant('External'),
    external: fc.record({ metric, target: fc.oneof(average, value) }),
  }),
  fc.record({
    type: fc.constant('Object'),
    object: fc.record({ describedObject: fc.constant(target), metric, target: value }),
  }),
);
const rules = fc.record({
  stabilizationWindowSeconds: fc.integer({ min: 0, max: 3600 }),
  selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
  policies: fc.array(
    fc.record({
      type: fc.constantFrom('Pods', 'Percent'),
      ...{ value: fc.integer({ min: 1, max: 9 }), periodSeconds: fc.integer({ min: 1, max: 9 }) },
    }),
    { minLength: 1, maxLength: 2 },
  ),
});

it('loses nothing on the way there and back', () => {
  fc.assert(
    fc.property(
      fc.array(wanted, { minLength: 1, maxLength: 4 }),
      fc.option(fc.record({ scaleUp: rules, scaleDown: rules }), { nil: undefined }),
      (metrics, behavior) => {
        // Upstream puts the percentage of CPU behind the others.
        const isCpu = (each: object) => JSON.stringify(each).includes('"averageUtilization"');
        const cpuFirst = metrics.find(isCpu);
        const spec = {
          metrics: [...metrics.filter((each) => !isCpu(each)), ...(cpuFirst ? [cpuFirst] : [])],
          ...(behavior === undefined ? {} : { behavior }),
        };
        const object = v2(spec);
        expect(autoscalerV2Of(autoscalerV1Of(object))).toEqual(object);
      },
    ),
  );
});

it.each([
  '{',
  '[1]',
  '[{"type":1}]',
  '{}',
  'null',
  '[{"resource":{"targetAverageValue":{},"current":1},"status":1}]',
])('is not moved by an annotation %s that says nothing', (text) => {
  const names = ['metrics', 'current-metrics', 'conditions', 'behavior'];
  const annotations = Object.fromEntries(names.map((name) => [`${PREFIX}${name}`, text]));
  const { spec, status, metadata } = autoscalerV2Of(v1({}, annotations));
  expect(spec).toMatchObject({ metrics: [cpu(80)] });
  expect(spec).not.toHaveProperty('behavior');
  expect(status).not.toHaveProperty('conditions');
  expect(metadata).not.toHaveProperty('annotations');
});
