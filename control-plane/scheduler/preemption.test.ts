import fc from 'fast-check';

import type { Pod, PodDisruptionBudget } from '../../api/types';
import { ChangedCluster } from './changed-cluster';
import { decide } from './decide';
import { filtersFor, firstRefusal } from './filters';
import { podInfoOf } from './pod-info';
import type { Preemption } from './preemption';
import { DEFAULT_PROFILE } from './profile';
import { Snapshot } from './snapshot';
import { testNode, testPod, type PodOptions } from './testing';

const labelled = (pod: Pod, app: string): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: { app } },
});

const budget = (app: string, disruptionsAllowed: number): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: app, namespace: 'default' },
  spec: { selector: { matchLabels: { app } } },
  status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed, expectedPods: 0 },
});

interface Placed extends PodOptions {
  readonly app?: string;
  readonly startTime?: string;
  readonly isTerminating?: boolean;
}

/** Nodes of four CPUs, with these pods on each. */
const clusterOf = (
  nodes: readonly (readonly Placed[])[],
  budgets: readonly PodDisruptionBudget[] = [],
): Snapshot => {
  const snapshot = new Snapshot({ budgetsIn: () => budgets });
  nodes.forEach((pods, n) => {
    snapshot.setNode(testNode(`n${n}`, { cpu: '4' }));
    pods.forEach(({ app = 'a', startTime, isTerminating = false, ...options }, i) => {
      const pod = labelled(testPod(`p${n}-${i}`, options), app);
      const ends = isTerminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
      const { metadata, status } = pod;
      const placed = {
        ...pod,
        metadata: { ...metadata, ...ends },
        status: { ...status, ...(startTime === undefined ? {} : { startTime }) },
      };
      snapshot.assume(podInfoOf(placed), `n${n}`);
    });
  });
  return snapshot;
};

const wants = (options: PodOptions) => podInfoOf(testPod('big', { priority: 100, ...options }));
const plan = (options: PodOptions, snapshot: Snapshot): Preemption | undefined =>
  decide(wants(options), snapshot, 1).preemption;
const named = (found: Preemption | undefined) =>
  found && [found.nodeName, ...found.victims.map(({ pod }) => pod.metadata.name)];

it('is not for two pods: the room that is made for one is not counted on by another', () => {
  const snapshot = clusterOf([[{ cpu: '4' }], [{ cpu: '4' }], [{ cpu: '4' }]]);
  const wishing = (name: string, options: PodOptions = {}) =>
    podInfoOf(testPod(name, { cpu: '4', priority: 100, ...options }));
  const places = ['a', 'b', 'c', 'd'].map((name) => {
    const pod = wishing(name);
    const { preemption } = decide(pod, snapshot, 1);
    if (preemption !== undefined) snapshot.nominate(pod, preemption.nodeName);
    return named(preemption);
  });
  expect(places).toEqual([['n0', 'p0-0'], ['n1', 'p1-0'], ['n2', 'p2-0'], undefined]);
  expect(decide(wishing('e'), snapshot, 1).message).toBe(
    '0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, ' +
      'preemption: 0/3 nodes are available: 3 Insufficient cpu.',
  );
  // One that goes before those who were promised room may have it.
  expect(named(decide(wishing('f', { priority: 200 }), snapshot, 1).preemption)).toBeDefined();
});

it.each<[string, readonly (readonly Placed[])[], PodOptions, readonly string[]]>([
  [
    'none that may stay',
    [
      [
        { cpu: '1', priority: 1 },
        { cpu: '1', priority: 2 },
        { cpu: '2', priority: 3 },
      ],
    ],
    { cpu: '1' },
    ['n0', 'p0-0'],
  ],
  [
    'where the most important victim matters least',
    [[{ cpu: '4', priority: 5 }], [{ cpu: '4', priority: 4 }]],
    { cpu: '1' },
    ['n1', 'p1-0'],
  ],
  [
    'where there are fewer',
    [
      [
        { cpu: '2', priority: 1 },
        { cpu: '2', priority: 1 },
      ],
      [{ cpu: '4', priority: 1 }],
    ],
    { cpu: '3' },
    ['n1', 'p1-0'],
  ],
  [
    'who has run the shortest',
    [
      [{ cpu: '4', startTime: '2026-01-01T00:00:00Z' }],
      [{ cpu: '4', startTime: '2026-01-02T00:00:00Z' }],
    ],
    { cpu: '1' },
    ['n1', 'p1-0'],
  ],
  [
    'holders of host ports as well',
    [[{ ports: [{ containerPort: 80, hostPort: 80 }] }]],
    { ports: [{ containerPort: 80, hostPort: 80 }] },
    ['n0', 'p0-0'],
  ],
])('evicts %s', (_what, nodes, options, expected) => {
  expect(named(plan(options, clusterOf(nodes)))).toEqual(expected);
});

it('keeps budgets where there is a choice, and breaks them where there is none', () => {
  const nodes: readonly (readonly Placed[])[] = [
    [{ cpu: '4', priority: 1, app: 'kept' }],
    [{ cpu: '4', priority: 9, app: 'free' }],
  ];
  expect(named(plan({ cpu: '1' }, clusterOf(nodes, [budget('kept', 0)])))).toEqual(['n1', 'p1-0']);
  const alone = plan({ cpu: '1' }, clusterOf(nodes.slice(0, 1), [budget('kept', 0)]));
  expect([named(alone), alone?.violations]).toEqual([['n0', 'p0-0'], 1]);
  // On one node, who is protected stays, though it matters less.
  const both = [
    [
      { cpu: '2', priority: 1, app: 'kept' },
      { cpu: '2', priority: 9, app: 'free' },
    ],
  ];
  expect(named(plan({ cpu: '1' }, clusterOf(both, [budget('kept', 0)])))).toEqual(['n0', 'p0-1']);
});

it.each<[string, readonly (readonly Placed[])[], PodOptions, string]>([
  [
    'pods that matter as much',
    [[{ cpu: '4', priority: 100 }]],
    { cpu: '1' },
    '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  ],
  [
    'anything, where no node is large enough',
    [[{ cpu: '4' }]],
    { cpu: '5' },
    '0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  ],
  [
    'anything that would not suffice',
    [
      [
        { cpu: '1', priority: 0 },
        { cpu: '3', priority: 100 },
      ],
    ],
    { cpu: '2' },
    '0/1 nodes are available: 1 Insufficient cpu.',
  ],
  [
    'anything, where the pod does not want it',
    [[{ cpu: '4' }]],
    { cpu: '1', preemptionPolicy: 'Never' },
    'not eligible due to preemptionPolicy=Never.',
  ],
])('does not evict %s, and says so', (_what, nodes, options, why) => {
  const snapshot = clusterOf(nodes);
  const { message, preemption } = decide(wants(options), snapshot, 1);
  expect(preemption).toBeUndefined();
  expect(message).toBe(
    `0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: ${why}`,
  );
});

it('waits for those that end already, and keeps their room from lesser pods', () => {
  const snapshot = clusterOf([[{ cpu: '4', isTerminating: true }]]);
  const big = wants({ cpu: '3' });
  const first = decide(big, snapshot, 1);
  expect([named(first.preemption), first.message]).toEqual([
    ['n0', 'p0-0'],
    '0/1 nodes are available: 1 Insufficient cpu.',
  ]);
  snapshot.nominate(big, 'n0');
  const again = decide(big, snapshot, 1);
  expect([again.preemption, again.nominatedNodeName]).toEqual([undefined, 'n0']);
  expect(again.message).toMatch(
    /preemption: not eligible due to a terminating pod on the nominated node\.$/,
  );
  snapshot.removePod('uid-p0-0');
  const small = (cpu: string, priority: number) =>
    decide(podInfoOf(testPod('small', { cpu, priority })), snapshot, 1).nodeName;
  expect([small('2', 99), small('1', 99), small('2', 101)]).toEqual([undefined, 'n0', 'n0']);
  expect(decide(big, snapshot, 1).nodeName).toBe('n0');
});

it('knows the least priority on a node, whoever comes and goes', () => {
  const step = fc.record({
    index: fc.nat(5),
    priority: fc.integer({ min: -3, max: 3 }),
    isThere: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const snapshot = clusterOf([[]]);
      const there = new Map<number, number>();
      for (const { index, priority, isThere } of steps) {
        if (isThere) snapshot.assume(podInfoOf(testPod(`x${index}`, { priority })), 'n0');
        else snapshot.removePod(`uid-x${index}`);
        if (isThere) there.set(index, priority);
        else there.delete(index);
        expect(snapshot.node('n0')!.leastPriority).toBe(Math.min(Infinity, ...there.values()));
      }
    }),
  );
});

it('finds victims that suffice, are all less important, and none of whom could stay', () => {
  const pod = fc.record({
    cpu: fc.constantFrom('500m', '1', '2'),
    priority: fc.constantFrom(0, 10, 100, 1000),
    app: fc.constantFrom('a', 'b'),
  });
  const nodes = fc.array(fc.array(pod, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(nodes, fc.constantFrom('1', '3', '4'), (drawn, cpu) => {
      const snapshot = clusterOf(drawn, [budget('a', 1)]);
      const big = wants({ cpu });
      const fitsOn = (name: string, without: ReadonlySet<string>) => {
        const node = snapshot.node(name)!.with({ without });
        const cluster = new ChangedCluster(snapshot, node);
        return firstRefusal(filtersFor(big, cluster, DEFAULT_PROFILE), node) === undefined;
      };
      const { preemption, nodeName } = decide(big, snapshot, 1);
      if (nodeName !== undefined) return;
      const lesser = (name: string) =>
        [...snapshot.node(name)!.pods.values()].filter(({ priority }) => priority < 100);
      if (preemption === undefined) {
        for (const { name } of snapshot.nodes)
          expect(fitsOn(name, new Set(lesser(name).map(({ uid }) => uid)))).toBe(false);
        return;
      }
      const uids = preemption.victims.map(({ uid }) => uid);
      expect(preemption.victims.every(({ priority }) => priority < 100)).toBe(true);
      expect(fitsOn(preemption.nodeName, new Set(uids))).toBe(true);
      for (const spared of uids)
        expect(fitsOn(preemption.nodeName, new Set(uids.filter((uid) => uid !== spared)))).toBe(
          false,
        );
    }),
    { numRuns: 500 },
  );
});
