import fc from 'fast-check';

import { effectiveRequests } from '../../api/pods';
import type { Container } from '../../api/types';
import { testContainer, testPod } from '../pods/testing';
import { ownCpuCount, planCpus, reserveCpus } from './plan';
import { machine } from './testing';

const guaranteed = (name: string, cpu: string, more: Partial<Container> = {}): Container => {
  const amounts = { cpu, memory: '1Mi' };
  return testContainer({ name, resources: { requests: amounts, limits: amounts }, ...more });
};
const podOf = (containers: readonly Container[], initContainers: readonly Container[] = []) =>
  testPod({ spec: { containers: [...containers], initContainers: [...initContainers] } });

describe('whose own processors are', () => {
  it('are those of whole processors in a guaranteed pod', () => {
    const containers = [guaranteed('a', '2'), guaranteed('b', '1500m'), guaranteed('c', '1000m')];
    const pod = podOf(containers);
    expect(containers.map((each) => ownCpuCount(pod, each))).toEqual([2, 0, 1]);
  });

  it('are nobody’s in other pods', () => {
    const burstable = testContainer({ resources: { requests: { cpu: '2', memory: '1Mi' } } });
    expect(ownCpuCount(podOf([burstable]), burstable)).toBe(0);
    const beside = guaranteed('a', '2');
    expect(ownCpuCount(podOf([beside, testContainer()]), beside)).toBe(0);
  });

  it('are nobody’s where the pod asks for them itself', () => {
    const own = guaranteed('a', '2');
    const { resources = {} } = own;
    const pod = testPod({ spec: { containers: [own], resources } });
    expect(ownCpuCount(pod, own)).toBe(0);
  });
});

describe('the processors of a pod', () => {
  const topology = machine(1, 8, 1);
  const free = [1, 2, 3, 4, 5, 6, 7];
  const sidecar = { restartPolicy: 'Always' };

  it('are given to each of its containers', () => {
    const pod = podOf([guaranteed('a', '2'), guaranteed('b', '500m'), guaranteed('c', '1')]);
    expect(planCpus(topology, free, pod)).toEqual({ fits: true, cpus: { a: [1, 2], c: [3] } });
  });

  it('are given again after an init container has ended, and not while a sidecar runs', () => {
    const init = [guaranteed('i', '2'), guaranteed('s', '1', sidecar), guaranteed('j', '3')];
    expect(planCpus(topology, free, podOf([guaranteed('a', '2')], init))).toEqual({
      fits: true,
      cpus: { i: [1, 2], s: [1], j: [2, 3, 4], a: [2, 3] },
    });
  });

  it('are not there when too many are asked for', () => {
    const pod = podOf([guaranteed('a', '4'), guaranteed('b', '4')]);
    expect(planCpus(topology, free, pod)).toEqual({
      ...{ fits: false, requestedCount: 4, availableCount: 3 },
    });
  });

  it('are never two running containers’, and together what the pod asks for', () => {
    const container = fc.record({ cpus: fc.integer({ min: 1, max: 4 }), isSidecar: fc.boolean() });
    const pods = fc
      .record({
        inits: fc.array(container, { maxLength: 4 }),
        mains: fc.array(container, { minLength: 1, maxLength: 3 }),
      })
      .map(({ inits, mains }) =>
        podOf(
          mains.map(({ cpus }, index) => guaranteed(`m${index}`, `${cpus}`)),
          inits.map(({ cpus, isSidecar }, index) =>
            guaranteed(`i${index}`, `${cpus}`, isSidecar ? sidecar : {}),
          ),
        ),
      );
    const big = machine(2, 16, 2);
    const everything = big.map(({ id }) => id);
    fc.assert(
      fc.property(pods, fc.subarray(everything), (pod, some) => {
        const plan = planCpus(big, some, pod);
        const needed = effectiveRequests(pod.spec).cpuMillis / 1000;
        expect(plan.fits).toBe(some.length >= needed);
        if (!plan.fits) return;
        expect(new Set(Object.values(plan.cpus).flat()).size).toBe(needed);
        const { initContainers = [], containers } = pod.spec;
        const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
        const together = [...sidecars, ...containers].flatMap(({ name }) => plan.cpus[name] ?? []);
        expect(new Set(together).size).toBe(together.length);
        initContainers.forEach((each, index) => {
          const beside = initContainers.slice(0, index).filter((one) => sidecars.includes(one));
          const held = [each, ...beside].flatMap(({ name }) => plan.cpus[name] ?? []);
          expect(new Set(held).size).toBe(held.length);
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is reserved', () => {
  it('is rounded up to whole processors', () => {
    expect(reserveCpus(machine(1, 4, 1), 1200)).toEqual([0, 1]);
    expect(reserveCpus(machine(1, 2, 1), 2100)).toBeUndefined();
  });
});
