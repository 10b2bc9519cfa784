import fc from 'fast-check';
import type { RebalancePlanSpec, RebalancePlanStatus } from '../../../api/rebalance-plans';
import type { Pod, PodDisruptionBudget } from '../../../api/types';
import { decide } from '../decide';
import { podInfoOf, type PodInfo } from '../pod-info';
import { parseSchedulerConfiguration } from '../configuration/configuration';
import { Profiles } from '../profile';
import { Snapshot } from '../snapshot';
import { testNode, testPod, type PodOptions } from '../testing';
import { planRebalance } from './plan-rebalance';
import { deviationsOf } from './load';
import { Spread } from './spread';

const PROFILES = new Profiles(
  parseSchedulerConfiguration(
    `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  plugins: {score: {disabled: [{name: PodTopologySpread}, {name: NodeResourcesBalancedAllocation}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]
`,
  ).profiles,
);

interface OwnedOptions extends PodOptions {
  readonly kind?: string;
  readonly node: string;
}

const owned = (name: string, owner: string, options: OwnedOptions): Pod => {
  const { kind = 'ReplicaSet', node: nodeName, ...rest } = options;
  const apiVersion = kind === 'Job' ? 'batch/v1' : 'apps/v1';
  const pod = testPod(name, { cpu: '100m', memory: '128Mi', nodeName, phase: 'Running', ...rest });
  const ownerReferences = [
    { apiVersion, kind, name: owner, uid: `uid-${owner}`, controller: true },
  ];
  return { ...pod, metadata: { ...pod.metadata, labels: { app: owner }, ownerReferences } };
};

const budget = (app: string, disruptionsAllowed: number): PodDisruptionBudget =>
  ({
    ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
    metadata: { name: app, namespace: 'default' },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed },
  }) as unknown as PodDisruptionBudget;

const clusterOf = (
  nodes: readonly ReturnType<typeof testNode>[],
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[] = [],
): Snapshot => {
  const cluster = new Snapshot({ budgetsIn: () => budgets });
  for (const node of nodes) cluster.setNode(node);
  for (const pod of pods) cluster.setPod(pod);
  return cluster;
};

const settingOf = (cluster: Snapshot) => ({
  ...{ cluster: cluster.copy(), seed: 1, profiles: PROFILES },
  resolve: (info: PodInfo) => info,
});

const planned = (cluster: Snapshot, spec: RebalancePlanSpec = {}): RebalancePlanStatus =>
  endOf(planRebalance(spec, settingOf(cluster)));

const endOf = (steps: ReturnType<typeof planRebalance>): RebalancePlanStatus => {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
};

const NODES = ['n1', 'n2', 'n3'].map((name) => testNode(name, { cpu: '4' }));
const many = (count: number, owner: string, options: OwnedOptions) =>
  Array.from({ length: count }, (_, i) => owned(`${owner}-${options.node}-${i}`, owner, options));

const reasonsOf = ({ notMoved }: RebalancePlanStatus) =>
  Object.fromEntries(notMoved.map(({ reason, count }) => [reason, count]));

it('moves pods of a workload that were placed when there were fewer nodes, and tells the gain', () => {
  const cluster = clusterOf(NODES, [
    ...many(3, 'web', { node: 'n1' }),
    ...many(3, 'web', { node: 'n2' }),
  ]);
  const plan = planned(cluster);
  expect(plan.moves.map(({ from, to, reason, batch }) => [from, to, reason, batch])).toEqual([
    ['n1', 'n3', 'SpreadDrift', 1],
    ['n2', 'n3', 'SpreadDrift', 2],
  ]);
  expect(plan.moves[0]?.message).toBe('3 of its workload there, 0 here (nodes)');
  expect(plan.gain).toMatchObject({ spreadSkew: { before: 3, after: 0 } });
  expect(plan.gain.cpuDeviationPercent.after).toBe(0);
  expect(plan.workloads).toEqual([
    {
      workload: 'default/ReplicaSet/web',
      topologyKey: 'kubernetes.io/hostname',
      skew: { before: 3, after: 0 },
    },
  ]);
  expect(plan.isAtLimit).toBe(false);
  expect(planned(cluster, { maxMoves: 1 })).toMatchObject({ moves: [{}], isAtLimit: true });
});

it('takes load to an empty node, and off one that is too full, where the gain is as asked', () => {
  const singles = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
    owned(name, name, { node: 'n1', cpu: '600m' }),
  );
  const two = NODES.slice(0, 2);
  const plan = planned(clusterOf(two, singles));
  expect(plan.moves.map(({ to, reason }) => [to, reason])).toEqual([
    ['n2', 'NodeOverThreshold'],
    ['n2', 'UnderusedNode'],
  ]);
  const half = planned(clusterOf(two, singles.slice(0, 2)));
  expect(half.moves.map(({ reason }) => reason)).toEqual(['EmptyNode']);
  expect(half.moves[0]?.loadGainPercent).toBeGreaterThanOrEqual(10);
  expect(planned(clusterOf(two, singles.slice(0, 2)), { minGainPercent: 50 }).moves).toEqual([]);
});

it('leaves alone who is not to be moved, and says why', () => {
  const there = { node: 'n1', cpu: '900m' };
  const bare = testPod('bare', { nodeName: 'n1' });
  const going = owned('going', 'x', there);
  const member = owned('member', 'y', there);
  const cluster = clusterOf(NODES, [
    bare,
    owned('agent', 'agent', { ...there, kind: 'DaemonSet' }),
    owned('work', 'work', { ...there, kind: 'Job' }),
    owned('cache', 'cache', { ...there, volumes: [{ name: 'tmp', emptyDir: {} }] }),
    owned('other', 'other', { ...there, schedulerName: 'another' }),
    { ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    {
      ...member,
      metadata: {
        ...member.metadata,
        labels: { 'scheduling.x-k8s.io/pod-group': 'gang' },
      },
    },
  ]);
  const plan = planned(cluster);
  expect(plan.moves).toEqual([]);
  expect(reasonsOf(plan)).toEqual({
    ...{ NobodyMakesItAnew: 1, DaemonSet: 1, JobWouldBeLost: 1, HasLocalData: 1 },
    ...{ OtherScheduler: 1, Ending: 1, MemberOfPodGroup: 1 },
  });
  const asked = planned(cluster, { movesLocalData: true });
  expect(asked.moves.map(({ pod }) => pod)).toEqual(['default/cache']);
});

it('leaves pods alone whose volume is on their node, and those of the node itself', () => {
  const claim = { name: 'data', persistentVolumeClaim: { claimName: 'data' } };
  const store = owned('store-0', 'store', {
    ...{ node: 'n1', cpu: '900m', kind: 'StatefulSet', volumes: [claim] },
  });
  const cluster = clusterOf(NODES, [store, testPod('bare', { cpu: '1', nodeName: 'n1' })]);
  const setting = settingOf(cluster);
  const metadata = { name: 'data', namespace: 'default' };
  const behind = (spec: object) => ({
    bound: [{ claim: { metadata, spec: {} }, volume: { metadata, spec } }],
    delayed: [],
  });
  const volume = (spec: object) => (info: PodInfo) =>
    ({ ...info, volumes: behind(spec) }) as unknown as PodInfo;
  const of = (spec: object) =>
    endOf(planRebalance({}, { ...setting, cluster: cluster.copy(), resolve: volume(spec) }));
  expect(of({ local: { path: '/data' } })).toMatchObject({
    moves: [],
    notMoved: [
      { reason: 'HasLocalVolume', count: 1, pod: 'default/store-0' },
      { reason: 'NobodyMakesItAnew', count: 1, pod: 'default/bare' },
    ],
  });
  expect(of({ csi: { driver: 'd' } })).toMatchObject({ moves: [{ reason: 'EmptyNode' }] });
  const pod = owned('static', 'n1', { node: 'n1', cpu: '900m' });
  const annotations = { 'kubernetes.io/config.mirror': 'x' };
  const mirror = { ...pod, metadata: { ...pod.metadata, annotations } };
  expect(reasonsOf(planned(clusterOf(NODES, [mirror])))).toEqual({ StaticPod: 1 });
});

it('keeps budgets over the whole plan: some wait for others, and none goes where none may', () => {
  const pods = [...['a', 'b', 'c'].flatMap((name) => many(3, name, { node: 'n1' }))].map((pod) => ({
    ...pod,
    metadata: { ...pod.metadata, labels: { app: 'all' } },
  }));
  const free = planned(clusterOf(NODES, pods));
  expect(
    new Set(free.moves.filter(({ batch }) => batch === 1).map(({ owner }) => owner)).size,
  ).toBe(free.moves.filter(({ batch }) => batch === 1).length);
  const one = planned(clusterOf(NODES, pods, [budget('all', 1)]));
  expect(one.moves.length).toBeGreaterThan(1);
  expect(one.moves.map(({ batch }) => batch)).toEqual(one.moves.map((_, index) => index + 1));
  expect(one.moves[0]?.budget).toBe('default/all');
  const none = planned(clusterOf(NODES, pods, [budget('all', 0)]));
  expect([none.moves, reasonsOf(none)]).toEqual([[], { BudgetAllowsNone: 9 }]);
  const two = planned(clusterOf(NODES, pods, [budget('all', 5), budget('all', 5)]));
  expect(reasonsOf(two)).toEqual({ SeveralBudgets: 9 });
});

it('frees nodes of pods that are packed: whole ones, or not at all', () => {
  const packed = { schedulerName: 'packing', cpu: '1' };
  const pods = [
    ...many(2, 'a', { ...packed, node: 'n1' }),
    owned('b', 'b', { ...packed, node: 'n2' }),
    owned('agent', 'agent', { node: 'n2', kind: 'DaemonSet' }),
  ];
  const plan = planned(clusterOf(NODES, pods));
  expect(plan.moves.map(({ pod, to, reason }) => [pod, to, reason])).toEqual([
    ['default/b', 'n1', 'FreesNode'],
  ]);
  expect(plan.gain.nodesFreed).toEqual(['n2']);
  const stuck = testPod('bare', { ...packed, nodeName: 'n2' });
  expect(planned(clusterOf(NODES, [...pods, stuck])).moves).toEqual([]);
});

it('proposes nothing that would not fit or that the scheduler would not do', () => {
  const there = { nodeSelector: { 'kubernetes.io/hostname': 'n1' }, node: 'n1' };
  expect(planned(clusterOf(NODES, many(3, 'web', there))).moves).toEqual([]);
  const full = ['n2', 'n3'].map((node) => testPod(`full-${node}`, { cpu: '4', nodeName: node }));
  const plan = planned(clusterOf(NODES, [...full, ...many(3, 'web', { node: 'n1' })]));
  expect([plan.moves, reasonsOf(plan)]).toEqual([[], { NobodyMakesItAnew: 2, AlreadyBest: 3 }]);
});

describe('of any cluster', () => {
  const APPS = ['a', 'b', 'c', 'd'];
  const arbitrary = fc.record({
    nodes: fc.array(
      fc.record({ cpu: fc.integer({ min: 2, max: 6 }), zone: fc.constantFrom('x', 'y') }),
      {
        minLength: 2,
        maxLength: 6,
      },
    ),
    pods: fc.array(
      fc.record({
        app: fc.constantFrom(...APPS),
        node: fc.nat(5),
        millis: fc.constantFrom(0, 100, 300, 700),
        isPacked: fc.boolean(),
      }),
      { maxLength: 25 },
    ),
    allowed: fc.array(fc.option(fc.nat(2)), { minLength: 4, maxLength: 4 }),
    maxMoves: fc.integer({ min: 1, max: 30 }),
  });

  type Drawn = typeof arbitrary extends fc.Arbitrary<infer T> ? T : never;

  const build = ({ nodes, pods, allowed }: Drawn): Snapshot => {
    const budgets = APPS.flatMap((app, i) => {
      const count = allowed[i] ?? null;
      return count === null ? [] : [budget(app, count)];
    });
    const cluster = clusterOf(
      nodes.map(({ cpu, zone }, i) =>
        testNode(`n${i}`, { cpu: String(cpu), labels: { 'topology.kubernetes.io/zone': zone } }),
      ),
      [],
      budgets,
    );
    pods.forEach(({ app, node, millis, isPacked }, i) => {
      const where = cluster.node(`n${node % nodes.length}`)!;
      if (where.requestedCpuMillis + millis > where.allocatable.cpuMillis) return;
      const owner = isPacked ? `${app}-packed` : app;
      const pod = owned(`p${i}`, owner, {
        ...{ node: where.name, cpu: `${millis}m` },
        ...(isPacked ? { schedulerName: 'packing' } : {}),
      });
      cluster.setPod({ ...pod, metadata: { ...pod.metadata, labels: { app } } });
    });
    return cluster;
  };

  /** Makes one move as the scheduler does, and checks all that the plan says of it. */
  const apply = (cluster: Snapshot, move: RebalancePlanStatus['moves'][number]): void => {
    const info = cluster.pod(move.uid)!;
    expect(cluster.nodeOf(move.uid)).toBe(move.from);
    const spread = new Spread(cluster);
    const sumBefore = spread.sum;
    cluster.removePod(move.uid);
    const { nodeName: _left, ...spec } = info.pod.spec;
    const anew = podInfoOf({ ...info.pod, spec });
    expect(decide(anew, cluster, 1, PROFILES.of(info.pod)).nodeName).toBe(move.to);
    cluster.assume(anew, move.to);
    expect(sumBefore - new Spread(cluster).sum).toBe(move.spreadGain);
    for (const { requestedCpuMillis, allocatable } of cluster.nodes)
      expect(requestedCpuMillis).toBeLessThanOrEqual(allocatable.cpuMillis);
  };

  const rounded = (value: number) => Math.round(value * 10) / 10;
  const packedNodes = ({ nodes }: Snapshot): number =>
    nodes.filter(({ pods }) =>
      [...pods.values()].some(({ pod }) => pod.spec.schedulerName === 'packing'),
    ).length;
  /** What every plan must take from, the first that differs; the last weighed by size. */
  const potentialOf = (cluster: Snapshot): readonly number[] => {
    const load = cluster.nodes.map(
      ({ requestedCpuMillis: cpu, requestedMemoryBytes: memory, allocatable }) =>
        [cpu ** 2 / allocatable.cpuMillis, memory ** 2 / allocatable.memoryBytes] as const,
    );
    const [cpu, memory] = ['cpuMillis', 'memoryBytes'].map((key) =>
      cluster.nodes.reduce((sum, { allocatable }) => sum + allocatable[key as 'cpuMillis'], 0),
    );
    const variance = load.reduce((sum, [a, b]) => sum + a / cpu! + b / memory!, 0);
    return [packedNodes(cluster), new Spread(cluster).sum, variance];
  };
  const isLess = (after: readonly number[], before: readonly number[]): boolean => {
    const at = after.findIndex((each, i) => Math.abs(each - (before[i] ?? 0)) > 1e-12);
    return at >= 0 && after[at]! < before[at]!;
  };

  it('says only what is true when it is played, keeps budgets, and comes to an end', () => {
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const cluster = build(drawn);
        for (let round = 0; ; round++) {
          expect(round).toBeLessThan(60);
          const before = deviationsOf(cluster.nodes);
          const potential = potentialOf(cluster);
          const plan = planned(cluster, { maxMoves: drawn.maxMoves });
          expect(planned(cluster, { maxMoves: drawn.maxMoves })).toEqual(plan);
          expect(plan.moves.length).toBeLessThanOrEqual(drawn.maxMoves);
          const taken = new Map<string, number>();
          for (const move of plan.moves) {
            const key = `${move.batch} ${move.budget ?? move.uid}`;
            taken.set(key, (taken.get(key) ?? 0) + 1);
            if (move.budget === undefined) continue;
            const app = move.budget.slice('default/'.length);
            const allowed = drawn.allowed[APPS.indexOf(app)] ?? 0;
            expect(taken.get(key)).toBeLessThanOrEqual(allowed);
          }
          for (const move of plan.moves) apply(cluster, move);
          const after = deviationsOf(cluster.nodes);
          expect(plan.gain.cpuDeviationPercent).toEqual({
            before: rounded(before.cpu),
            after: rounded(after.cpu),
          });
          if (plan.moves.length === 0) return;
          expect(isLess(potentialOf(cluster), potential)).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});
