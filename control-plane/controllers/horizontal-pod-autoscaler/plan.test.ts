import fc from 'fast-check';

import { rfc3339 } from '../../../lib/clock';
import { planAutoscaler, type Plan } from './plan';
import {
  autoscaler,
  CPU_80,
  metricsOf,
  NOW_MS,
  planInput,
  podNamed,
  podsUsing,
  scaleTo,
} from './testing';

const condition = ({ status }: Plan, type: string) =>
  status.conditions?.find((each) => each.type === type);

const reasons = (plan: Plan): readonly string[] => plan.events.map(({ reason }) => reason);

describe('a metric of CPU', () => {
  it('above its target brings more replicas, and says of which metric', () => {
    const plan = planAutoscaler(planInput(podsUsing('160m')));
    expect(plan.rescale).toEqual({
      replicas: 2,
      reason: 'cpu resource utilization (percentage of request) above target',
    });
    expect(condition(plan, 'ScalingActive')).toEqual({
      ...{ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
      message:
        'the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
      lastTransitionTime: rfc3339(NOW_MS),
    });
    expect(condition(plan, 'ScalingLimited')).toMatchObject({
      ...{ status: 'False', reason: 'DesiredWithinRange' },
      message: 'the desired count is within the acceptable range',
    });
    expect(plan.status).toMatchObject({
      ...{ currentReplicas: 1, desiredReplicas: 2 },
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 160, averageValue: '160m' } },
        },
      ],
    });
  });

  it('below its target takes replicas away', () => {
    const plan = planAutoscaler(planInput(podsUsing('20m', '20m', '20m')));
    expect(plan.rescale).toEqual({ replicas: 1, reason: 'All metrics below target' });
  });

  it.each([
    ['72m', 2],
    ['88m', 2],
    ['89m', 3],
    ['71m', 2],
  ])('of %s a pod is within the tolerance or not: %i replicas', (cpu, replicas) => {
    expect(planAutoscaler(planInput(podsUsing(cpu, cpu))).status.desiredReplicas).toBe(replicas);
  });

  it('follows the tolerance of its spec, each way its own', () => {
    const policies = [{ type: 'Percent', value: 100, periodSeconds: 15 }];
    const rules = (tolerance: string) =>
      ({ tolerance, policies, stabilizationWindowSeconds: 0 }) as object;
    const behavior = { scaleUp: rules('0.5'), scaleDown: rules('0') };
    const desired = (cpu: string) =>
      planAutoscaler(
        planInput({ ...podsUsing(cpu, cpu, cpu, cpu), autoscaler: autoscaler({ behavior }) }),
      ).status.desiredReplicas;
    expect([desired('118m'), desired('122m'), desired('79m'), desired('59m')]).toEqual([
      4, 7, 4, 3,
    ]);
  });

  it('may be an amount on average', () => {
    const metrics = [
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '5Mi' } },
      },
    ];
    const plan = planAutoscaler(
      planInput({ ...podsUsing('1m', '1m'), autoscaler: autoscaler({ metrics }) }),
    );
    expect(plan.rescale).toEqual({ replicas: 4, reason: 'memory resource above target' });
    expect(plan.status.currentMetrics).toEqual([
      { type: 'Resource', resource: { name: 'memory', current: { averageValue: '10485760' } } },
    ]);
  });

  it('may be of one container', () => {
    const target = { type: 'Utilization', averageUtilization: 80 };
    const metrics = [
      { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'main', target } },
    ];
    const plan = planAutoscaler(
      planInput({ ...podsUsing('160m'), autoscaler: autoscaler({ metrics }) }),
    );
    expect(plan.rescale?.reason).toBe(
      'cpu container resource utilization (percentage of request) above target',
    );
    const other = [
      { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'no', target } },
    ];
    const failed = planAutoscaler(
      planInput({ ...podsUsing('160m'), autoscaler: autoscaler({ metrics: other }) }),
    );
    expect(failed.events[0]).toEqual({
      ...{ type: 'Warning', reason: 'FailedGetContainerResourceMetric' },
      message:
        'failed to get cpu utilization: unable to get metrics for resource cpu: failed to get container metrics: container no not present in metrics for pod default/p0',
    });
  });
});

describe('pods that cannot be measured', () => {
  it('count as busy when replicas would be taken away', () => {
    expect(planAutoscaler(planInput(podsUsing('20m', undefined))).status.desiredReplicas).toBe(2);
    expect(
      planAutoscaler(planInput(podsUsing('1m', '1m', '1m', undefined))).rescale?.replicas,
    ).toBe(2);
  });

  it('count as idle when replicas would come', () => {
    expect(planAutoscaler(planInput(podsUsing('200m', undefined))).rescale?.replicas).toBe(3);
    expect(planAutoscaler(planInput(podsUsing('100m', undefined))).rescale).toBeUndefined();
  });

  const startedAgo = (seconds: number, readyAgo: number | undefined) => ({
    phase: 'Running' as const,
    startTime: rfc3339(NOW_MS - seconds * 1000),
    conditions: [
      {
        type: 'Ready',
        status: readyAgo === undefined ? ('False' as const) : ('True' as const),
        lastTransitionTime: rfc3339(NOW_MS - (readyAgo ?? seconds) * 1000),
      },
    ],
  });

  it.each([
    ['is pending', { phase: 'Pending' as const }],
    ['is not ready', startedAgo(60, undefined)],
    ['became ready within its window', startedAgo(60, 10)],
    ['has never been ready', startedAgo(3000, undefined)],
    ['says nothing of being ready', { conditions: [] }],
  ])('are those that start: one that %s adds nothing', (_what, status) => {
    const pods = [podNamed('p0'), podNamed('p1', { status })];
    const answer = { items: [metricsOf('p0', '100m'), metricsOf('p1', '900m')] };
    expect(planAutoscaler(planInput({ pods, answer })).rescale).toBeUndefined();
  });

  it.each([
    ['became ready before its window', startedAgo(60, 30)],
    ['was ready for long', startedAgo(3000, 2000)],
  ])('are not those that run: one that %s counts', (_what, status) => {
    const pods = [podNamed('p0'), podNamed('p1', { status })];
    const answer = { items: [metricsOf('p0', '100m'), metricsOf('p1', '900m')] };
    expect(planAutoscaler(planInput({ pods, answer })).rescale).toBeDefined();
  });

  it('are no matter when they have failed or are going', () => {
    const pods = [
      podNamed('p0'),
      podNamed('p1', { status: { phase: 'Failed' } }),
      podNamed('p2', { deletionTimestamp: rfc3339(NOW_MS) }),
    ];
    const answer = { items: ['p0', 'p1', 'p2'].map((name) => metricsOf(name, '160m')) };
    const plan = planAutoscaler(planInput({ pods, answer, scale: scaleTo(1) }));
    expect(plan.rescale?.replicas).toBe(2);
  });
});

describe('what cannot be decided', () => {
  const failing = (more: Parameters<typeof planInput>[0]) => planAutoscaler(planInput(more));

  it('is told in upstream words when there is no metrics API', () => {
    const failure = 'the server could not find the requested resource (get pods.metrics.k8s.io)';
    const plan = failing({ pods: [podNamed('p0')], answer: { failure } });
    const message = `failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: ${failure}`;
    expect(plan.events).toEqual([
      { type: 'Warning', reason: 'FailedGetResourceMetric', message },
      {
        ...{ type: 'Warning', reason: 'FailedComputeMetricsReplicas' },
        message: `invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${message}`,
      },
    ]);
    expect(condition(plan, 'ScalingActive')).toMatchObject({
      ...{ status: 'False', reason: 'FailedGetResourceMetric' },
      message: `the HPA was unable to compute the replica count: ${message}`,
    });
    expect(plan.status).toMatchObject({ currentReplicas: 1, desiredReplicas: 0 });
    expect(plan.rescale).toBeUndefined();
  });

  it.each([
    [{ pods: [podNamed('p0')] }, 'no metrics returned from resource metrics API'],
    [
      { pods: [podNamed('p0', { status: { phase: 'Pending' } })], answer: podsUsing('1m').answer },
      'did not receive metrics for targeted pods (pods might be unready)',
    ],
    [
      { answer: podsUsing('1m').answer },
      'no pods returned by selector while calculating replica count',
    ],
  ])('says why: %#', (more, why) => {
    expect(failing(more).events[0]?.message).toContain(why);
  });

  it('names the pod that asks for something itself, and not for this', () => {
    const [pod] = [podNamed('p0')];
    const spec = {
      ...{ resources: { requests: { memory: '1Gi' } } },
      containers: [{ name: 'main', image: 'a:1' }],
    };
    expect(
      failing({ pods: [{ ...pod, spec }], answer: podsUsing('1m').answer }).events[0]?.message,
    ).toBe('failed to get cpu utilization: missing pod-level request for cpu in Pod p0');
  });

  it('names the container that does not say what it needs', () => {
    const [pod] = [podNamed('p0')];
    const bare = { ...pod, spec: { containers: [{ name: 'main', image: 'a:1' }] } };
    expect(failing({ pods: [bare], answer: podsUsing('1m').answer }).events[0]?.message).toBe(
      'failed to get cpu utilization: missing request for cpu in container main of Pod p0',
    );
  });

  const metric = { name: 'requests' };
  it.each([
    [
      { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '1' } } },
      'FailedGetPodsMetric',
      'unable to get metric requests: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered',
    ],
    [
      {
        type: 'Object',
        object: {
          ...{ metric, target: { type: 'Value', value: '1' } },
          describedObject: { kind: 'Ingress', name: 'main' },
        },
      },
      'FailedGetObjectMetric',
      'unable to get metric requests: Ingress on default main/unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered',
    ],
    [
      {
        type: 'External',
        external: {
          metric: { ...metric, selector: { matchLabels: { queue: 'a' } } },
          target: { type: 'Value', value: '1' },
        },
      },
      'FailedGetExternalMetric',
      'unable to get external metric default/requests/&LabelSelector{MatchLabels:map[string]string{queue: a,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get requests.external.metrics.k8s.io)',
    ],
  ])('is a metric of an API that nobody serves: %#', (spec, reason, message) => {
    const plan = failing({ ...podsUsing('80m'), autoscaler: autoscaler({ metrics: [spec] }) });
    expect(plan.events[0]).toEqual({ type: 'Warning', reason, message });
    expect(condition(plan, 'ScalingActive')).toMatchObject({ status: 'False', reason });
  });

  it('lets other metrics add replicas, and take none away', () => {
    const broken = {
      type: 'Pods',
      pods: { metric, target: { type: 'AverageValue', averageValue: '1' } },
    };
    const of = (cpu: string) =>
      failing({ ...podsUsing(cpu, cpu), autoscaler: autoscaler({ metrics: [broken, ...CPU_80] }) });
    const more = of('160m');
    expect(more.rescale?.replicas).toBe(4);
    expect(more.problem).toContain('invalid metrics (1 invalid out of 2)');
    expect(reasons(more)).toEqual(['FailedGetPodsMetric']);
    expect(more.status.currentMetrics?.map(({ type }) => type)).toEqual(['', 'Resource']);
    const less = of('10m');
    expect(less.rescale).toBeUndefined();
    expect(reasons(less)).toEqual(['FailedGetPodsMetric', 'FailedComputeMetricsReplicas']);
  });

  it.each([
    ['', 'SelectorRequired', 'InvalidSelector', "the HPA target's scale is missing a selector"],
    [
      'a b',
      'InvalidSelector',
      'InvalidSelector',
      expect.stringContaining("couldn't convert selector into a corresponding internal selector"),
    ],
  ])('is the scale of a target with the selector %j', (selector, event, reason, message) => {
    const plan = failing({ ...podsUsing('160m'), scale: scaleTo(1, selector) });
    expect(reasons(plan)).toEqual([event, 'FailedComputeMetricsReplicas']);
    expect(condition(plan, 'ScalingActive')).toMatchObject({ status: 'False', reason, message });
  });

  it('is the size of what two autoscalers select', () => {
    const selecting = () => ['default/other', 'default/web'];
    const plan = failing({ ...podsUsing('160m'), selecting });
    const message =
      'pods by selector app=web are controlled by multiple HPAs: [default/other default/web]';
    expect(plan.events[0]).toEqual({ type: 'Warning', reason: 'AmbiguousSelector', message });
    expect(condition(plan, 'ScalingActive')).toMatchObject({
      reason: 'AmbiguousSelector',
      message,
    });
  });
});

describe('a target', () => {
  it('without replicas is left alone', () => {
    const plan = planAutoscaler(planInput({ scale: scaleTo(0) }));
    expect(condition(plan, 'ScalingActive')).toMatchObject({
      ...{ status: 'False', reason: 'ScalingDisabled' },
      message: 'scaling is disabled since the replica count of the target is zero',
    });
    expect(plan.rescale).toBeUndefined();
  });

  it.each([
    [12, 10, 'Current number of replicas above Spec.MaxReplicas'],
    [1, 3, 'Current number of replicas below Spec.MinReplicas'],
  ])(
    'with %i replicas is brought within its limits without a look at metrics',
    (now, then, reason) => {
      const given = autoscaler({ minReplicas: 3, maxReplicas: 10 });
      const plan = planAutoscaler(planInput({ scale: scaleTo(now), autoscaler: given }));
      expect(plan.rescale).toEqual({ replicas: then, reason });
      expect(plan.events).toEqual([]);
    },
  );

  it.each([
    [
      '900m',
      'TooManyReplicas',
      'the desired replica count is more than the maximum replica count',
      3,
    ],
    ['1m', 'TooFewReplicas', 'the desired replica count is less than the minimum replica count', 2],
  ])('that uses %s a pod is limited: %s', (cpu, reason, message, replicas) => {
    const given = autoscaler({ minReplicas: 2, maxReplicas: 3 });
    const plan = planAutoscaler(planInput({ ...podsUsing(cpu, cpu), autoscaler: given }));
    expect(plan.status.desiredReplicas).toBe(replicas);
    expect(condition(plan, 'ScalingLimited')).toMatchObject({ status: 'True', reason, message });
  });

  it('is never brought out of its limits, nor taken from when it needs more', () => {
    const cpu = fc.option(fc.nat(2000), { nil: undefined });
    fc.assert(
      fc.property(
        fc.array(cpu, { minLength: 1, maxLength: 12 }),
        fc.nat(12),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(8),
        fc.integer({ min: 1, max: 300 }),
        (cpus, current, min, above, target) => {
          const metrics = [
            {
              type: 'Resource',
              resource: {
                name: 'cpu',
                target: { type: 'Utilization', averageUtilization: target },
              },
            },
          ];
          const given = autoscaler({ minReplicas: min, maxReplicas: min + above, metrics });
          const texts = cpus.map((each) => (each === undefined ? undefined : `${each}m`));
          const input = planInput({
            ...podsUsing(...texts),
            ...{ autoscaler: given, scale: scaleTo(current) },
          });
          const { rescale, status } = planAutoscaler(input);
          if (rescale === undefined) return;
          expect(rescale.replicas).toBe(status.desiredReplicas);
          expect(rescale.replicas).not.toBe(current);
          expect(rescale.replicas).toBeGreaterThanOrEqual(min);
          expect(rescale.replicas).toBeLessThanOrEqual(min + above);
          const known = cpus.filter((each) => each !== undefined);
          const isAllBusy = known.length > 0 && known.every((each) => each > target);
          const isWithin = current >= min && current <= min + above;
          if (isAllBusy && isWithin && cpus.length >= current)
            expect(rescale.replicas).toBeGreaterThan(current);
        },
      ),
    );
  });
});
