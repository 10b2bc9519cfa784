import type { Container, Pod } from '../types';
import { validateResizePolicy } from './pod-resize';
import { validateResizeUpdate } from './pod';

const of = (cpu: string, memory: string) => ({ cpu, memory });
const guaranteed = (cpu: string, memory: string) => ({
  requests: of(cpu, memory),
  limits: of(cpu, memory),
});
const container = (resources: object, more: Partial<Container> = {}): Container => ({
  ...{ name: 'web', image: 'web:1', imagePullPolicy: 'IfNotPresent' },
  ...{ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' },
  resources,
  ...more,
});
const pod = (containers: readonly Container[], more: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u-1', resourceVersion: '1' },
  spec: {
    ...{ restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', schedulerName: 's' },
    terminationGracePeriodSeconds: 30,
    containers,
    ...more,
  },
  status: { phase: 'Running' },
});
const web = (resources: object, more: Partial<Container> = {}) => pod([container(resources, more)]);
const problems = (next: Pod, old: Pod) =>
  validateResizeUpdate(next, old).map(
    ({ field, message }) => `${field}: ${message.replace(/^Forbidden: /, '')}`,
  );

const OLD = web(guaranteed('1', '1Gi'));

it.each([
  ['more', guaranteed('2', '2Gi')],
  ['less', guaranteed('500m', '64Mi')],
  ['one of them', guaranteed('2', '1Gi')],
])('lets cpu and memory be resized: %s', (_title, resources) => {
  expect(problems(web(resources), OLD)).toEqual([]);
});

it('lets a burstable pod get limits that it had not', () => {
  const before = web({ requests: of('1', '1Gi') });
  expect(problems(web({ requests: of('1', '1Gi'), limits: { cpu: '2' } }), before)).toEqual([]);
});

it.each([
  [
    'another class of service',
    web({ requests: of('1', '1Gi'), limits: of('2', '1Gi') }),
    OLD,
    'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
  ],
  [
    'a request that is gone',
    web({ requests: { cpu: '1' }, limits: of('2', '2Gi') }),
    web({ requests: of('1', '1Gi'), limits: of('2', '2Gi') }),
    'spec.containers[0].resources.requests: resource requests cannot be removed',
  ],
  [
    'a limit that is gone',
    web({ requests: of('1', '1Gi'), limits: { cpu: '2' } }),
    web({ requests: of('1', '1Gi'), limits: of('2', '2Gi') }),
    'spec.containers[0].resources.limits: resource limits cannot be removed',
  ],
  [
    'another resource',
    web({ ...guaranteed('1', '1Gi'), limits: { ...of('1', '1Gi'), 'ephemeral-storage': '1Gi' } }),
    OLD,
    'spec: only cpu and memory resources are mutable',
  ],
  [
    'another policy',
    web(guaranteed('1', '1Gi'), {
      resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
    }),
    OLD,
    'spec: only cpu and memory resources are mutable',
  ],
  [
    'a renamed container',
    web(guaranteed('1', '1Gi'), { name: 'other' }),
    OLD,
    'spec.containers[0].name: containers may not be renamed or reordered on resize',
  ],
  [
    'one container more',
    pod([container(guaranteed('1', '1Gi')), container(guaranteed('1', '1Gi'), { name: 'b' })]),
    OLD,
    'spec.containers: containers may not be added or removed on resize',
  ],
  [
    'an init container that ends',
    pod([container({ requests: of('1', '1Gi') })], {
      initContainers: [container({ requests: of('2', '1Gi') }, { name: 'setup' })],
    }),
    pod([container({ requests: of('1', '1Gi') })], {
      initContainers: [container({ requests: of('1', '1Gi') }, { name: 'setup' })],
    }),
    'spec: resources for non-sidecar init containers are immutable',
  ],
])('refuses %s, in upstream’s words', (_title, next, old, problem) => {
  expect(problems(next, old)).toEqual([problem]);
});

it('resizes sidecars', () => {
  const withSidecar = (cpu: string) =>
    pod([container({ requests: of('1', '1Gi') })], {
      initContainers: [
        container({ requests: of(cpu, '1Gi') }, { name: 'side', restartPolicy: 'Always' }),
      ],
    });
  expect(problems(withSidecar('2'), withSidecar('1'))).toEqual([]);
});

it('resizes no pod whose node does not tell what is in force', () => {
  const running = (more: object): Pod => ({
    ...OLD,
    status: {
      containerStatuses: [
        {
          ...{ name: 'web', image: 'web:1', imageID: '', ready: true, restartCount: 0 },
          state: { running: {} },
          ...more,
        },
      ],
    },
  });
  const problem = 'spec: Pod running on node without support for resize';
  expect(problems(web(guaranteed('2', '1Gi')), running({}))).toEqual([problem]);
  expect(problems(web(guaranteed('2', '1Gi')), running({ resources: {} }))).toEqual([]);
});

it('resizes no pod that comes from a file of its node', () => {
  const annotations = { 'kubernetes.io/config.mirror': 'x' };
  const mirror = { ...OLD, metadata: { ...OLD.metadata, annotations } };
  expect(problems(mirror, mirror)).toEqual([': static pods cannot be resized']);
});

it.each([
  [[{ resourceName: 'cpu', restartPolicy: 'NotRequired' }], 'Never', []],
  [
    [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
    'Never',
    [
      'Invalid value: "RestartContainer": ' +
        "must be 'NotRequired' when `restartPolicy` is 'Never'",
    ],
  ],
  [
    [{ resourceName: 'storage', restartPolicy: 'NotRequired' }],
    'Always',
    ['Unsupported value: "storage": supported values: "cpu", "memory"'],
  ],
  [
    [{ resourceName: 'cpu', restartPolicy: 'Sometimes' }],
    'Always',
    ['Unsupported value: "Sometimes": supported values: "NotRequired", "RestartContainer"'],
  ],
  [[{ resourceName: 'cpu', restartPolicy: '' }], 'Always', ['Required value']],
  [
    [
      { resourceName: 'cpu', restartPolicy: 'NotRequired' },
      { resourceName: 'cpu', restartPolicy: 'NotRequired' },
    ],
    'Always',
    ['Duplicate value: "cpu"'],
  ],
])('knows the policies %j of a pod that restarts %s', (resizePolicy, restartPolicy, details) => {
  const found = validateResizePolicy(container({}, { resizePolicy }), 'c', restartPolicy);
  expect(found.map(({ message }) => message)).toEqual(details);
});
