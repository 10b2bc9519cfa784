import type { PlannedPlacement } from '../../api/placement-plans';
import { POD_GROUP_LABEL, type PodGroup } from '../../api/pod-groups';
import type { Pod } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { SnapshotPlacements } from './placements';
import type { KnownGroups } from './plans/planned-gangs';
import { podInfoOf, type PodInfo } from './pod-info';
import { Journal } from './replay/journal';
import { Snapshot } from './snapshot';
import { testNode, testPod } from './testing';

const snapshotOf = (...nodes: readonly ReturnType<typeof testNode>[]): Snapshot => {
  const snapshot = new Snapshot();
  for (const node of nodes) snapshot.setNode(node);
  return snapshot;
};

const NODES = [
  testNode('n1', { cpu: '2' }),
  testNode('n2', { cpu: '8' }),
  testNode('n3', { cpu: '8', taints: [{ key: 'maint', effect: 'NoSchedule' }] }),
];

const SYNCED = [{ hasSynced: true }];
const EMPTY = { list: () => [] };
const captured = {
  ...{ namespaces: EMPTY, budgets: EMPTY, claims: EMPTY, dhowVersion: '0.0.0' },
};
const SIGNAL = new AbortController().signal;

const placementsOf = (
  snapshot: Snapshot,
  sources = SYNCED,
  waiting: readonly PodInfo[] = [],
  gangs: KnownGroups = { group: () => undefined, membersOf: () => [] },
): SnapshotPlacements =>
  new SnapshotPlacements({
    gangs,
    ...{ snapshot, sources, queue: { waiting: () => waiting }, clock: systemClock, seed: 1 },
    ...{ journal: new Journal(new Snapshot()), captured },
  });

it('counts the nodes that would take the pod, and what the others have against it', () => {
  const placements = placementsOf(snapshotOf(...NODES));
  expect(placements.review(testPod('new', { cpu: '4' }))).toEqual({
    nodesConsidered: 3,
    nodesFeasible: 1,
    refusals: [
      { reasons: ['Insufficient cpu'], count: 1 },
      { reasons: ['node(s) had untolerated taint(s)'], count: 1 },
    ],
  });
});

it('says what would help where no node takes it, and who else would have to act', () => {
  const placements = placementsOf(snapshotOf(...NODES));
  const pod = testPod('new', { cpu: '9' });
  const spec = { ...pod.spec, schedulerName: 'other', schedulingGates: [{ name: 'a/b' }] };
  const review = placements.review({ ...pod, spec });
  expect(review).toMatchObject({ nodesFeasible: 0, schedulerName: 'other', gates: ['a/b'] });
  expect(review.suggestion).toContain('lower the cpu request');
});

it('leaves no trace: what was reviewed takes no room', () => {
  const snapshot = snapshotOf(testNode('n1', { cpu: '2' }));
  const placements = placementsOf(snapshot);
  for (let i = 0; i < 3; i++)
    expect(placements.review(testPod('new', { cpu: '2' })).nodesFeasible).toBe(1);
  snapshot.assume(podInfoOf(testPod('there', { cpu: '1' })), 'n1');
  expect(placements.review(testPod('new', { cpu: '2' })).nodesFeasible).toBe(0);
});

it('does not answer from what it has not read yet', () => {
  const sources = [{ hasSynced: true }, { hasSynced: false }];
  const placements = placementsOf(new Snapshot(), sources);
  expect(() => placements.review(testPod('new'))).toThrow('has not read nodes and pods yet');
});

describe('a plan', () => {
  const ownedBy = (kind: string, pod: Pod): Pod => ({
    ...pod,
    metadata: {
      ...pod.metadata,
      ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'set', uid: 'set', controller: true }],
    },
  });
  const on = (nodeName: string, pod: Pod): Pod => ({ ...pod, spec: { ...pod.spec, nodeName } });
  const planned = (...pods: readonly Pod[]) =>
    pods.map((pod) => ({ pod, owner: 'Deployment/web' }));

  it('takes pods one after another, each with those before it there, and leaves no trace', async () => {
    const snapshot = snapshotOf(testNode('n1', { cpu: '2' }), testNode('n2', { cpu: '2' }));
    const pods = planned(...['a', 'b', 'c'].map((name) => testPod(name, { cpu: '2' })));
    const plan = await placementsOf(snapshot).plan({ pods }, SIGNAL);
    expect(plan.placements.map(({ pod, outcome }) => [pod, outcome])).toEqual([
      ['default/a', 'Scheduled'],
      ['default/b', 'Scheduled'],
      ['default/c', 'Unschedulable'],
    ]);
    expect(new Set(plan.placements.map(({ nodeName }) => nodeName))).toEqual(
      new Set(['n1', 'n2', undefined]),
    );
    expect(plan.placements[2]).toMatchObject({
      ...{ cause: 'Planned', owner: 'Deployment/web', nodesConsidered: 2, nodesFeasible: 0 },
      refusals: [{ reasons: ['Insufficient cpu'], count: 2 }],
      suggestion: expect.stringContaining('cpu') as string,
    });
    expect(plan.nodes).toMatchObject([
      { node: 'n1', before: { pods: 0, cpu: '0' }, after: { pods: 1, cpu: '2' } },
      { node: 'n2', before: { pods: 0, cpu: '0' }, after: { pods: 1, cpu: '2' } },
    ]);
    expect(snapshot.nodes.map(({ pods: there }) => there.size)).toEqual([0, 0]);
  });

  it('gives the important theirs first, and says who would have to go', async () => {
    const snapshot = snapshotOf(testNode('n1', { cpu: '2' }));
    snapshot.setPod(on('n1', ownedBy('ReplicaSet', testPod('low', { cpu: '2' }))));
    const pods = planned(
      testPod('same', { cpu: '1' }),
      testPod('high', { cpu: '2', priority: 100 }),
    );
    const { placements } = await placementsOf(snapshot).plan({ pods }, SIGNAL);
    expect(placements).toMatchObject([
      { pod: 'default/high', outcome: 'Scheduled', nodeName: 'n1', evicts: ['default/low'] },
      { pod: 'default/same', outcome: 'Unschedulable' },
      { pod: 'default/low', cause: 'Evicted', from: 'n1', outcome: 'Unschedulable' },
    ]);
    expect(snapshot.pod('uid-low')).toBeDefined();
  });

  it('says of pods of a drained node what keeps them from the others, not that it is drained', async () => {
    const taints = [{ key: 'maint', effect: 'NoSchedule' }] as const;
    const snapshot = snapshotOf(testNode('n1', { cpu: '4' }), testNode('n2', { taints }));
    snapshot.setPod(on('n1', ownedBy('ReplicaSet', testPod('web', { cpu: '1' }))));
    const { placements } = await placementsOf(snapshot).plan({ pods: [], drain: ['n1'] }, SIGNAL);
    expect(placements).toMatchObject([
      {
        ...{ pod: 'default/web', outcome: 'Unschedulable', nodesConsidered: 2 },
        refusals: [
          { reasons: ['node(s) had untolerated taint(s)'], count: 1 },
          { reasons: ['node(s) to be drained'], count: 1 },
        ],
        suggestion: 'remove taint maint:NoSchedule from n2',
      },
    ]);
    // That it may come back would be the smallest change of all, and no answer.
    const alone = await placementsOf(snapshot).plan({ pods: [], drain: ['n1', 'n2'] }, SIGNAL);
    expect(alone.placements[0]?.suggestion).toBe('add a node with 1 cpu to allocate');
  });

  describe('with a PodGroup', () => {
    const member = (pod: Pod): Pod => ({
      ...pod,
      metadata: { ...pod.metadata, labels: { [POD_GROUP_LABEL]: 'g' } },
    });
    const groupOf = (minMember: number): PodGroup => ({
      ...{ apiVersion: 'scheduling.x-k8s.io/v1alpha1', kind: 'PodGroup' },
      metadata: { name: 'g', namespace: 'default', uid: 'uid-g' },
      spec: { minMember },
    });
    const members = (cpu: string, ...names: readonly string[]) =>
      planned(...names.map((name) => member(testPod(name, { cpu, priority: 100 }))));
    const outcomes = (placements: readonly PlannedPlacement[]) =>
      placements.map(({ pod, outcome, nodeName }) => [pod, outcome, nodeName]);

    it('places it whole, or nothing of it, and says who is missing', async () => {
      const snapshot = snapshotOf(testNode('n1', { cpu: '2' }), testNode('n2', { cpu: '2' }));
      const placements = placementsOf(snapshot);
      const pods = [...members('2', 'a', 'b', 'c'), ...planned(testPod('other', { cpu: '2' }))];
      const held = await placements.plan({ pods, groups: [groupOf(3)] }, SIGNAL);
      expect(outcomes(held.placements)).toEqual([
        ['default/a', 'Unschedulable', undefined],
        ['default/b', 'Unschedulable', undefined],
        ['default/c', 'Unschedulable', undefined],
        // What it would have taken is there for others.
        ['default/other', 'Scheduled', expect.any(String)],
      ]);
      expect(held.placements[0]?.message).toContain(
        'PodGroup default/g: 2 of the 3 members that it lacks fit at once; default/c: 0/2 nodes',
      );
      expect(held.groups).toEqual([
        {
          ...{ group: 'default/g', minMember: 3, neededCount: 3, waitingCount: 3 },
          ...{ isWhole: false, fittingCount: 2, missing: ['default/c'] },
        },
      ]);
      const whole = await placements.plan({ pods, groups: [groupOf(2)] }, SIGNAL);
      expect(whole.placements.map(({ outcome }) => outcome)).toEqual([
        ...['Scheduled', 'Scheduled', 'Unschedulable', 'Unschedulable'],
      ]);
      expect(whole.groups).toMatchObject([{ isWhole: true, missing: [] }]);
      const lacking = await placements.plan({ pods, groups: [groupOf(4)] }, SIGNAL);
      expect(lacking.groups).toMatchObject([{ isWhole: false, waitingCount: 3, neededCount: 4 }]);
      expect(lacking.placements[0]?.message).toContain(
        'cannot find enough sibling pods, current pods number: 3, minMember of group: 4',
      );
    });

    it('evicts for it as a whole, or nobody', async () => {
      const snapshot = snapshotOf(testNode('n1', { cpu: '2' }), testNode('n2', { cpu: '2' }));
      for (const [name, nodeName] of [
        ['x', 'n1'],
        ['y', 'n2'],
      ] as const)
        snapshot.setPod(on(nodeName, ownedBy('ReplicaSet', testPod(name, { cpu: '2' }))));
      const placements = placementsOf(snapshot);
      const plan = await placements.plan(
        { pods: members('2', 'a', 'b'), groups: [groupOf(2)] },
        SIGNAL,
      );
      expect(plan.placements.map(({ pod, outcome }) => [pod, outcome])).toEqual([
        ['default/a', 'Scheduled'],
        ['default/b', 'Scheduled'],
        ['default/x', 'Unschedulable'],
        ['default/y', 'Unschedulable'],
      ]);
      for (const { evicts, nodeName } of plan.placements.slice(0, 2))
        expect(evicts).toEqual([nodeName === 'n1' ? 'default/x' : 'default/y']);
      const none = await placements.plan(
        { pods: members('2', 'a', 'b', 'c'), groups: [groupOf(3)] },
        SIGNAL,
      );
      expect(none.placements.map(({ outcome, evicts }) => [outcome, evicts])).toEqual(
        Array.from({ length: 3 }, () => ['Unschedulable', undefined]),
      );
      expect(snapshot.pod('uid-x')).toBeDefined();
    });

    it('counts those that are there, and those that wait for others of it', async () => {
      const snapshot = snapshotOf(testNode('n1', { cpu: '4' }));
      const there = on('n1', member(testPod('there', { cpu: '1' })));
      const waits = member(testPod('waits', { cpu: '1' }));
      snapshot.setPod(there);
      const gangs = { group: () => groupOf(3), membersOf: () => [there, waits] };
      const placements = placementsOf(snapshot, SYNCED, [podInfoOf(waits)], gangs);
      const plan = await placements.plan({ pods: members('1', 'new') }, SIGNAL);
      expect(plan.groups).toMatchObject([{ neededCount: 2, waitingCount: 2, isWhole: true }]);
      expect(plan.placements).toMatchObject([
        { pod: 'default/new', cause: 'Planned', outcome: 'Scheduled' },
        { pod: 'default/waits', cause: 'Waiting', outcome: 'Scheduled' },
      ]);
      const alone = await placements.plan({ pods: [], groups: [groupOf(4)] }, SIGNAL);
      expect(alone.groups).toMatchObject([{ neededCount: 3, waitingCount: 1, isWhole: false }]);
    });
  });

  it('empties a drained node, but for what belongs to it, and tells what nobody makes anew', async () => {
    const snapshot = snapshotOf(testNode('n1'), testNode('n2'));
    snapshot.setPod(on('n1', ownedBy('ReplicaSet', testPod('web'))));
    snapshot.setPod(on('n1', ownedBy('DaemonSet', testPod('daemon'))));
    snapshot.setPod(on('n1', testPod('bare')));
    const plan = await placementsOf(snapshot).plan({ pods: [], drain: ['n1'] }, SIGNAL);
    expect(plan.placements).toMatchObject([
      { pod: 'default/web', cause: 'Moved', from: 'n1', outcome: 'Scheduled', nodeName: 'n2' },
      { pod: 'default/bare', cause: 'Moved', from: 'n1', outcome: 'Lost' },
    ]);
    expect(plan.nodes).toMatchObject([
      { node: 'n1', change: 'Drained', before: { pods: 3 }, after: { pods: 1 } },
      { node: 'n2', before: { pods: 0 }, after: { pods: 1 } },
    ]);
    const nowhere = placementsOf(snapshot).plan({ pods: [], without: ['n1', 'n3'] }, SIGNAL);
    await expect(nowhere).rejects.toThrow('nodes "n3" not found');
  });

  it('lets those that wait have a node that is added', async () => {
    const snapshot = snapshotOf(testNode('n1', { cpu: '1' }));
    const waiting = [
      podInfoOf(testPod('big', { cpu: '4' })),
      podInfoOf(testPod('huge', { cpu: '9' })),
    ];
    const plan = { pods: [], addNodes: [testNode('new', { cpu: '4' })] };
    const { placements } = await placementsOf(snapshot, SYNCED, waiting).plan(plan, SIGNAL);
    expect(placements).toMatchObject([
      { pod: 'default/big', cause: 'Waiting', outcome: 'Scheduled', nodeName: 'new' },
      { pod: 'default/huge', cause: 'Waiting', outcome: 'Unschedulable' },
    ]);
  });

  it('counts the room that is left for more', async () => {
    const snapshot = snapshotOf(testNode('n1', { cpu: '4' }), testNode('n2', { cpu: '3' }));
    const pod = testPod('web', { cpu: '2' });
    const { more } = await placementsOf(snapshot).plan(
      { pods: planned(pod), more: { pod, owner: 'Deployment/web' } },
      SIGNAL,
    );
    expect(more).toMatchObject({
      ...{ owner: 'Deployment/web', count: 2, isAtLimit: false },
      refusals: [{ reasons: ['Insufficient cpu'], count: 2 }],
    });
  });

  it('takes off first what the planned pods replace', async () => {
    const snapshot = snapshotOf(testNode('n1', { cpu: '2' }));
    snapshot.setPod(on('n1', ownedBy('ReplicaSet', testPod('old', { cpu: '2' }))));
    const pods = planned(testPod('new', { cpu: '2' }));
    const question = { pods, replacedOwners: new Set(['set']) };
    const plan = await placementsOf(snapshot).plan(question, SIGNAL);
    expect(plan).toMatchObject({ replaced: 1, placements: [{ nodeName: 'n1' }] });
  });

  it('says what would not be tried', async () => {
    const pods = planned(
      testPod('gated', { schedulingGates: [{ name: 'a/b' }] }),
      testPod('theirs', { schedulerName: 'other' }),
    );
    const { placements } = await placementsOf(snapshotOf(...NODES)).plan({ pods }, SIGNAL);
    expect(placements).toMatchObject([
      { outcome: 'Held', message: 'held back by a/b' },
      { outcome: 'Held', message: 'only the scheduler other, which it names, would place it' },
    ]);
  });

  it('reads nothing of pods beyond those that it tries', async () => {
    const gated = testPod('gated', { schedulingGates: [{ name: 'a/b' }] });
    const pod = testPod('late');
    const read = jest.fn(() => pod.spec.containers);
    const spec = Object.defineProperty({ ...pod.spec }, 'containers', { get: read });
    const late = { ...pod, spec };
    const pods = planned(...Array<Pod>(2000).fill(gated), late, late);
    const plan = await placementsOf(snapshotOf(...NODES)).plan({ pods }, SIGNAL);
    expect([plan.placements.length, plan.omitted]).toEqual([2000, 2]);
    expect(read).not.toHaveBeenCalled();
  });

  it('shares the turns of the event loop with other plans', async () => {
    let [turn, timeMs, isOver] = [0, 0, false];
    const count = () => {
      turn++;
      if (!isOver) setImmediate(count);
    };
    count();
    const tried: number[] = [];
    const placements = new SnapshotPlacements({
      ...{ snapshot: snapshotOf(...NODES), sources: SYNCED, queue: { waiting: () => [] }, seed: 1 },
      ...{ journal: new Journal(new Snapshot()), captured },
      // Each step takes longer than a turn.
      clock: { ...systemClock, monotonicMs: () => (timeMs += 100) },
      volumes: {
        resolve: (info) => {
          tried.push(turn);
          return info;
        },
      },
    });
    const pods = planned(...['a', 'b', 'c'].map((name) => testPod(name)));
    const plans = Array.from({ length: 4 }, () => placements.plan({ pods }, SIGNAL));
    const all = await Promise.all(plans).finally(() => (isOver = true));
    const outcomes = all.flatMap(({ placements: each }) => each);
    expect([outcomes.length, tried.length, new Set(tried).size]).toEqual([12, 12, 12]);
  });

  it('copies the cluster for a few at a time, and for nobody who has gone', async () => {
    const snapshot = snapshotOf(...NODES);
    let timeMs = 0;
    const placements = new SnapshotPlacements({
      ...{ snapshot, sources: SYNCED, queue: { waiting: () => [] }, seed: 1 },
      ...{ journal: new Journal(new Snapshot()), captured },
      // Each step takes longer than a turn.
      clock: { ...systemClock, monotonicMs: () => (timeMs += 100) },
    });
    let [copies, over] = [0, 0];
    let most = 0;
    const copy = snapshot.copy.bind(snapshot);
    snapshot.copy = () => {
      copies++;
      most = Math.max(most, copies - over);
      return copy();
    };
    const leaving = new AbortController();
    const ask = (signal: AbortSignal) =>
      placements.plan({ pods: planned(testPod('a'), testPod('b')) }, signal).then(
        () => `planned ${over++}`,
        () => 'gone',
      );
    const asked = [
      ...Array.from({ length: 10 }, () => ask(SIGNAL)),
      ...Array.from({ length: 10 }, () => ask(leaving.signal)),
    ];
    leaving.abort();
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((each) => each === 'gone')).toHaveLength(10);
    expect([copies, over]).toEqual([10, 10]);
    // One that has ended is counted a moment later.
    expect(most).toBeLessThanOrEqual(4 + 1);
  });
});
