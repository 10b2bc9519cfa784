import fc from 'fast-check';
import { podInfoOf } from '../pod-info';
import { Snapshot } from '../snapshot';
import { testNode, testPod, type NodeOptions, type PodOptions } from '../testing';
import { balancedAllocation } from './balanced-allocation';
import type { ScorePlugin } from './plugin';
import { CPU_AND_MEMORY, resourceAllocation, type ScoringStrategy } from './resource-allocation';

/** Of the pod on an empty node. */
const scoreOf = (plugin: ScorePlugin, pod: PodOptions, node: NodeOptions): number | undefined => {
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n', node));
  const { nodes } = snapshot;
  return plugin.prepare(podInfoOf(testPod('p', pod)), snapshot, nodes)?.score(nodes[0]!);
};
const asked = (requests: Record<string, string>): PodOptions => ({
  containers: [{ name: 'c', image: 'c', resources: { requests } }],
});

describe('the strategies of NodeResourcesFit', () => {
  const of = (strategy: ScoringStrategy) => resourceAllocation(strategy);
  const most = of({ type: 'MostAllocated', resources: CPU_AND_MEMORY });
  const least = of({ type: 'LeastAllocated', resources: CPU_AND_MEMORY });

  it.each([
    ['MostAllocated takes the mean of the taken shares', most, 25],
    ['LeastAllocated takes the mean of the free shares', least, 74],
    [
      'weights count',
      of({
        type: 'MostAllocated',
        resources: [
          { name: 'cpu', weight: 3 },
          { name: 'memory', weight: 1 },
        ],
      }),
      37,
    ],
  ] as const)('%s', (_title, plugin, score) =>
    // Half of the CPU; memory by upstream's default of 200Mi, nearly nothing of it.
    expect(scoreOf(plugin, { cpu: '2' }, { cpu: '4', memory: '1000Gi' })).toBe(score),
  );

  it('counts extended resources only for pods that ask for them', () => {
    const resources = [{ name: 'example.com/gpu', weight: 1 }];
    const plugin = of({ type: 'MostAllocated', resources });
    const node = { more: { 'example.com/gpu': '4' } };
    expect(scoreOf(plugin, asked({ 'example.com/gpu': '1' }), node)).toBe(25);
    expect(scoreOf(plugin, asked({ cpu: '1' }), node)).toBe(0);
    expect(scoreOf(plugin, asked({ 'example.com/gpu': '1' }), {})).toBe(0);
  });

  const packing = [
    { utilization: 0, score: 0 },
    { utilization: 100, score: 10 },
  ];
  const spreading = [
    { utilization: 0, score: 10 },
    { utilization: 100, score: 0 },
  ];
  const bent = [
    { utilization: 20, score: 2 },
    { utilization: 60, score: 10 },
    { utilization: 80, score: 0 },
  ];
  it.each([
    [packing, '1', 25],
    [packing, '4', 100],
    [packing, '5', 100],
    [spreading, '1', 75],
    [bent, '200m', 20],
    [bent, '1600m', 60],
    [bent, '2400m', 100],
    [bent, '2800m', 50],
    [bent, '4', 0],
  ])('RequestedToCapacityRatio with %j of %s of 4 CPUs is %i', (shape, cpu, score) => {
    const resources = [{ name: 'cpu', weight: 1 }];
    const plugin = of({ type: 'RequestedToCapacityRatio', resources, shape });
    expect(scoreOf(plugin, { cpu }, { cpu: '4' })).toBe(score);
  });

  it('RequestedToCapacityRatio leaves resources that score 0 out of the mean', () => {
    const resources = [
      { name: 'cpu', weight: 1 },
      { name: 'ephemeral-storage', weight: 1 },
    ];
    const plugin = of({ type: 'RequestedToCapacityRatio', resources, shape: packing });
    const node = { cpu: '4', more: { 'ephemeral-storage': '10Gi' } };
    expect(scoreOf(plugin, { cpu: '2' }, node)).toBe(50);
  });

  it('stays within 0 and 100, whatever pods ask for', () => {
    const cpu = fc.integer({ min: 0, max: 8_000 }).map((millis) => `${millis}m`);
    const shape = [
      most,
      least,
      of({ type: 'RequestedToCapacityRatio', resources: CPU_AND_MEMORY, shape: bent }),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...shape), cpu, cpu, (plugin, wanted, has) => {
        const score = scoreOf(plugin, { cpu: wanted }, { cpu: has }) ?? -1;
        expect(Number.isInteger(score) && score >= 0 && score <= 100).toBe(true);
      }),
    );
  });
});

it('balances more than two resources by their deviation', () => {
  const plugin = balancedAllocation(['cpu', 'memory', 'ephemeral-storage']);
  const node = { cpu: '4', memory: '4Gi', more: { 'ephemeral-storage': '4Gi' } };
  const pod = asked({ cpu: '2', memory: '2Gi', 'ephemeral-storage': '2Gi' });
  expect(scoreOf(plugin, pod, node)).toBe(100);
  // 1, 0 and 0: a deviation of 0.4714.
  expect(scoreOf(plugin, { cpu: '4' }, node)).toBe(52);
  expect(scoreOf(balancedAllocation(['memory']), { cpu: '4' }, node)).toBeUndefined();
});
