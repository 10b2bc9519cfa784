import fc from 'fast-check';

import type { Container, Pod } from '../../api/types';
import type { PodAllocation } from '../inventory/allocation-store';
import { observePod, type ObservedContainer } from '../inventory/observe';
import { testContainer, testPod } from '../pods/testing';
import {
  actualOf,
  decreaseProblem,
  firstAllocation,
  isGranted,
  largerLimits,
  refuseToResize,
  resizeStepOf,
  wantedOf,
  withResources,
} from './resize';

const asking = (cpu: string, memory = '1Gi', more: Partial<Container> = {}): Pod =>
  testPod({
    spec: { containers: [testContainer({ resources: { requests: { cpu, memory } }, ...more })] },
  });
const NODE = { cpu: '2', memory: '4Gi', pods: '110' };

describe('what a resize is refused for, in upstream’s words', () => {
  it.each([
    [
      '3',
      '1Gi',
      'Infeasible',
      "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
    ],
    [
      '3',
      '5Gi',
      'Infeasible',
      "Node didn't have enough capacity: memory, requested: 5368709120, capacity: 4294967296",
    ],
    [
      '1500m',
      '1Gi',
      'Deferred',
      "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
    ],
  ])('%s of cpu and %s of memory: %s', (cpu, memory, reason, message) => {
    const others = [asking('1')];
    expect(refuseToResize({ pod: asking(cpu, memory), others, allocatable: NODE })).toEqual({
      reason,
      message,
    });
  });

  it('nothing that fits beside the others', () => {
    const input = { pod: asking('1'), others: [asking('1')], allocatable: NODE };
    expect(refuseToResize(input)).toBeUndefined();
  });

  it('counts what is still in force in others that shrink', () => {
    const status = {
      containerStatuses: [
        {
          ...{ name: 'web', image: 'web:1', imageID: '', ready: true, restartCount: 0 },
          resources: { requests: { cpu: '1500m', memory: '1Gi' } },
        },
      ],
    };
    const others = [{ ...asking('100m'), status }];
    expect(refuseToResize({ pod: asking('1'), others, allocatable: NODE })?.reason).toBe(
      'Deferred',
    );
  });
});

const run = (more: Partial<ObservedContainer> = {}): ObservedContainer => ({
  ...{ id: 'a1', name: 'web', restartCount: 0, backoffStep: -1, image: 'web:1', imageId: '' },
  state: { status: 'running', startedAtMs: 0 },
  exists: true,
  ...more,
});

it('knows what a pod was granted from its containers, then from its status, then from its spec', () => {
  const pod = asking('2');
  const none = observePod(pod, []);
  expect(firstAllocation(pod, none).allocated).toEqual({
    web: { requests: { cpu: '2', memory: '1Gi' } },
  });
  const told = { requests: { cpu: '1' } };
  const status = {
    containerStatuses: [
      { ...{ name: 'web', image: '', imageID: '', ready: true, restartCount: 0 }, resources: told },
    ],
  };
  expect(firstAllocation({ ...pod, status }, none).allocated).toEqual({ web: told });
  const made = { limits: { cpu: '3' } };
  const seen = new Map([
    ['web', { current: run({ resources: made }), previous: undefined, older: [] }],
  ]);
  expect(firstAllocation({ ...pod, status }, seen).allocated).toEqual({ web: made });
});

it('takes what is in force from the last resize, then from the making of the container', () => {
  const allocation: PodAllocation = {
    allocated: { web: { requests: { cpu: '3' } } },
    actuated: { a1: { requests: { cpu: '2' } } },
  };
  const made = { requests: { cpu: '1' } };
  expect(actualOf(run({ resources: made }), allocation)).toEqual({ requests: { cpu: '2' } });
  expect(actualOf(run({ id: 'a2', resources: made }), allocation)).toEqual(made);
  expect(actualOf(run({ id: 'a2' }), allocation)).toEqual({ requests: { cpu: '3' } });
});

it.each([
  [undefined, 'update'],
  [[{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }], 'restart'],
  [[{ resourceName: 'memory', restartPolicy: 'RestartContainer' }], 'update'],
])('resizes cpu by the policy %j: %s', (resizePolicy, step) => {
  const container = testContainer({
    resources: { limits: { cpu: '2', memory: '1Gi' } },
    ...(resizePolicy === undefined ? {} : { resizePolicy }),
  });
  expect(resizeStepOf(container, { limits: { cpu: '1', memory: '1Gi' } })).toBe(step);
  expect(resizeStepOf(container, { limits: { cpu: '2000m', memory: '1024Mi' } })).toBe('none');
});

it('sets no memory limit below what is used, and says all that stands against it', () => {
  const ofPod = { of: 'pod', beforeBytes: 200, afterBytes: 100, usedBytes: 150 };
  const ofWeb = { ...ofPod, of: 'container "web"' };
  expect(decreaseProblem([ofPod])).toBe(
    'cannot decrease memory limits: attempting to set pod memory limit (100) below current usage (150)',
  );
  expect(decreaseProblem([ofPod, ofWeb])).toBe(
    'cannot decrease memory limits: [attempting to set pod memory limit (100) below current usage ' +
      '(150), attempting to set container "web" memory limit (100) below current usage (150)]',
  );
  expect(decreaseProblem([{ ...ofPod, beforeBytes: 0 }])).toBeDefined();
  expect(decreaseProblem([{ ...ofPod, usedBytes: 100 }])).toBeUndefined();
  expect(decreaseProblem([{ ...ofPod, afterBytes: 300, usedBytes: 400 }])).toBeUndefined();
});

const amounts = fc.record(
  {
    cpu: fc.constantFrom('100m', '1', '1000m', '2'),
    memory: fc.constantFrom('1Gi', '1024Mi', '2Gi'),
  },
  { requiredKeys: [] },
);
const resources = fc.record({ requests: amounts, limits: amounts }, { requiredKeys: [] });

it('makes a pod ask for exactly what it was granted, whatever it asks for', () => {
  fc.assert(
    fc.property(resources, resources, (asked, granted) => {
      const pod = testPod({ spec: { containers: [testContainer({ resources: asked })] } });
      const given = withResources(pod, { web: granted });
      const allocation = { allocated: { web: granted }, actuated: {} };
      expect(isGranted(wantedOf(given), allocation)).toBe(true);
      expect(isGranted(wantedOf(pod), allocation)).toBe(given === pod);
      const [container = testContainer()] = given.spec.containers;
      expect(resizeStepOf(container, granted)).toBe('none');
    }),
  );
});

const limits = fc.record(
  {
    cpuShares: fc.integer({ min: 2, max: 2048 }),
    cpuQuotaMicros: fc.integer({ min: 1000, max: 200_000 }),
    memoryLimitBytes: fc.integer({ min: 1, max: 2 ** 40 }),
  },
  { requiredKeys: ['cpuShares'] },
);

it('leaves room in a pod for what its containers have and for what they get', () => {
  fc.assert(
    fc.property(limits, limits, (a, b) => {
      const larger = largerLimits(a, b);
      for (const each of [a, b])
        for (const name of ['cpuShares', 'cpuQuotaMicros', 'memoryLimitBytes'] as const)
          expect(larger[name] ?? Infinity).toBeGreaterThanOrEqual(each[name] ?? 0);
    }),
  );
});
