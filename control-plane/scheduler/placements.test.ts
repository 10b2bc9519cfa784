import { SnapshotPlacements } from './placements';
import { podInfoOf } from './pod-info';
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

it('counts the nodes that would take the pod, and what the others have against it', () => {
  const placements = new SnapshotPlacements({ snapshot: snapshotOf(...NODES), sources: SYNCED });
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
  const placements = new SnapshotPlacements({ snapshot: snapshotOf(...NODES), sources: SYNCED });
  const pod = testPod('new', { cpu: '9' });
  const spec = { ...pod.spec, schedulerName: 'other', schedulingGates: [{ name: 'a/b' }] };
  const review = placements.review({ ...pod, spec });
  expect(review).toMatchObject({ nodesFeasible: 0, schedulerName: 'other', gates: ['a/b'] });
  expect(review.suggestion).toContain('lower the cpu request');
});

it('leaves no trace: what was reviewed takes no room', () => {
  const snapshot = snapshotOf(testNode('n1', { cpu: '2' }));
  const placements = new SnapshotPlacements({ snapshot, sources: SYNCED });
  for (let i = 0; i < 3; i++)
    expect(placements.review(testPod('new', { cpu: '2' })).nodesFeasible).toBe(1);
  snapshot.assume(podInfoOf(testPod('there', { cpu: '1' })), 'n1');
  expect(placements.review(testPod('new', { cpu: '2' })).nodesFeasible).toBe(0);
});

it('does not answer from what it has not read yet', () => {
  const sources = [{ hasSynced: true }, { hasSynced: false }];
  const placements = new SnapshotPlacements({ snapshot: new Snapshot(), sources });
  expect(() => placements.review(testPod('new'))).toThrow('has not read nodes and pods yet');
});
