import fc from 'fast-check';

import { countedSpec, isSameResources } from './pod-resources';
import { effectiveRequests } from './pods';
import type { ContainerStatus, Pod } from './types';

const countedRequests = (pod: Pod) => effectiveRequests(countedSpec(pod));

const status = (more: Partial<ContainerStatus>): ContainerStatus => ({
  ...{ name: 'web', image: 'web:1', imageID: '', ready: true, restartCount: 0 },
  ...more,
});
const podWith = (cpu: string, more: Partial<ContainerStatus>, reason?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'web', resources: { requests: { cpu }, limits: { cpu } } }] },
  status: {
    containerStatuses: [status(more)],
    ...(reason === undefined
      ? {}
      : { conditions: [{ type: 'PodResizePending', status: 'True', reason }] }),
  },
});
const cpu = (text: string) => ({ requests: { cpu: text }, limits: { cpu: text } });

it.each([
  ['what is asked for', podWith('2', { resources: cpu('1') }), 2000],
  ['what is in force', podWith('1', { resources: cpu('2') }), 2000],
  [
    'what is allocated',
    podWith('1', { allocatedResources: { cpu: '3' }, resources: cpu('1') }),
    3000,
  ],
  ['what is asked for and deferred', podWith('4', { resources: cpu('1') }, 'Deferred'), 4000],
  [
    'no more than there is of what can never be',
    podWith('9', { allocatedResources: { cpu: '2' }, resources: cpu('1') }, 'Infeasible'),
    2000,
  ],
])('counts a pod by the largest: %s', (_title, pod, cpuMillis) => {
  expect(countedRequests(pod).cpuMillis).toBe(cpuMillis);
});

it('is the spec itself where all agree, however it is written', () => {
  const agreed = podWith('1', { resources: cpu('1000m'), allocatedResources: { cpu: '1' } });
  expect(countedSpec(agreed)).toBe(agreed.spec);
  const untold = podWith('1', {});
  expect(countedSpec(untold)).toBe(untold.spec);
});

it('goes by the spec of init containers that end', () => {
  const { spec } = podWith('1', {});
  const setup = { name: 'setup', resources: { requests: { cpu: '1' } } };
  const told = [status({ name: 'setup', resources: cpu('5') })];
  const pod: Pod = {
    ...podWith('1', {}),
    spec: { ...spec, initContainers: [setup] },
    status: { initContainerStatuses: told },
  };
  expect(countedRequests(pod).cpuMillis).toBe(1000);
  const sidecar = { ...setup, restartPolicy: 'Always' };
  const beside: Pod = { ...pod, spec: { ...spec, initContainers: [sidecar] } };
  expect(countedRequests(beside).cpuMillis).toBe(6000);
});

const amount = fc.constantFrom('100m', '1', '1000m', '2', '2500m');

it('never counts less than any of the three, and no more than the largest', () => {
  fc.assert(
    fc.property(amount, amount, amount, (asked, allocated, actual) => {
      const pod = podWith(asked, {
        allocatedResources: { cpu: allocated },
        resources: cpu(actual),
      });
      const all = [asked, allocated, actual].map(
        (each) => effectiveRequests(podWith(each, {}).spec).cpuMillis,
      );
      expect(countedRequests(pod).cpuMillis).toBe(Math.max(...all));
    }),
  );
});

it('takes amounts for the same that are', () => {
  expect(isSameResources(cpu('1'), cpu('1000m'))).toBe(true);
  expect(isSameResources({}, { requests: {} })).toBe(true);
  expect(isSameResources(cpu('1'), { requests: { cpu: '1' } })).toBe(false);
  expect(isSameResources({ limits: { cpu: '1' } }, { limits: { memory: '1' } })).toBe(false);
});
