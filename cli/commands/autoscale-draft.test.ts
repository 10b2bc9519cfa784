import { autoscalerDraft, checkLimits } from './autoscale-draft';

const target = (limits: Parameters<typeof checkLimits>[0]) =>
  checkLimits({ max: '5', ...limits }).metrics;

const resource = (name: string, given: object) => ({
  type: 'Resource',
  resource: { name, target: given },
});

it.each([
  [{ cpu: '80%' }, [resource('cpu', { type: 'Utilization', averageUtilization: 80 })]],
  [{ cpuPercent: '70' }, [resource('cpu', { type: 'Utilization', averageUtilization: 70 })]],
  [{ cpu: '500' }, [resource('cpu', { type: 'AverageValue', averageValue: '500m' })]],
  [
    { cpu: '0.5', memory: '200' },
    [
      resource('cpu', { type: 'AverageValue', averageValue: '500u' }),
      resource('memory', { type: 'AverageValue', averageValue: '200Mi' }),
    ],
  ],
  [{ memory: '1Gi' }, [resource('memory', { type: 'AverageValue', averageValue: '1Gi' })]],
  [{}, []],
])('reads the targets %j', (given, metrics) => {
  expect(target(given)).toEqual(metrics);
});

it.each([
  [{ max: undefined }, 'required flag(s) "max" not set'],
  [{ max: '0' }, '--max=MAXPODS is required and must be at least 1, max: 0'],
  [
    { min: '5', max: '2' },
    '--max=MAXPODS must be larger or equal to --min=MINPODS, max: 2, min: 5',
  ],
  [{ cpu: '1', cpuPercent: '2' }, '--cpu-percent and --cpu are mutually exclusive'],
  [{ cpu: '' }, 'empty input'],
  [{ cpu: 'x%' }, 'invalid percentage value: x'],
  [{ memory: 'much' }, 'invalid resource memory value: much'],
])('refuses %j', (given, message) => {
  const { max, ...rest } = { max: '5', ...given };
  const limits = max === undefined ? rest : { max, ...rest };
  expect(() => checkLimits(limits)).toThrow(message);
});

it('names its target, and leaves to the server what was not said', () => {
  const deployment = { group: 'apps', version: 'v1', kind: 'Deployment', name: 'web' };
  expect(autoscalerDraft('web', deployment, checkLimits({ max: '5' }))).toEqual({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      maxReplicas: 5,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    },
  });
});
