import type { SchedulingDecision } from '../../api/decisions';
import type { Pod } from '../../api/types';
import { placementGroupsOf, placementLines } from './pod-placements';

const pod = (name: string, nodeName?: string): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: name } },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  status: {},
});

const decision = (
  name: string,
  status: Partial<SchedulingDecision['status']>,
  attempt = 1,
): SchedulingDecision => ({
  ...{ apiVersion: 'v1', kind: 'SchedulingDecision', metadata: { name: `${name}-${attempt}` } },
  spec: { podName: name, podUID: name, attempt, time: '', trigger: '' },
  status: {
    ...{ outcome: 'Scheduled', nodesConsidered: 3, nodesFeasible: 2, reasons: {}, top: [] },
    ...{ message: '', latencyMicros: 1 },
    ...status,
  },
});

const there = (nodeName: string, margin: number) => ({
  ...{ nodeName, margin, decidedBy: 'NodeResourcesFit' },
  top: [nodeName, 'n9'].map((node) => ({ node, total: 1, scores: {} })),
});

it('groups pods by the answer, those that wait first', () => {
  const refused = {
    ...({ outcome: 'Unschedulable', nodesFeasible: 0, suggestion: 'add a node' } as const),
    refusals: [{ reasons: ['Insufficient cpu'], count: 3 }],
  };
  const groups = placementGroupsOf(
    [pod('a', 'n1'), pod('b', 'n1'), pod('c', 'n2'), pod('d'), pod('e'), pod('f', 'n1')],
    [
      decision('a', there('n1', 4)),
      decision('b', { outcome: 'Unschedulable' }),
      decision('b', there('n1', 7), 2),
      decision('c', there('n2', 0)),
      decision('d', refused),
    ],
  );
  expect(groups).toEqual([
    expect.objectContaining({ count: 1, pod: 'd', why: '3 Insufficient cpu', nodesFeasible: 0 }),
    { count: 1, pod: 'e', why: 'not tried yet' },
    expect.objectContaining({ count: 2, nodeName: 'n1', why: 'NodeResourcesFit decided' }),
    expect.objectContaining({ count: 1, nodeName: 'n2', why: 'tie with n9' }),
    { count: 1, pod: 'f', nodeName: 'n1', why: 'no record of its placement' },
  ]);
  expect(placementLines(groups, { color: false, width: 80 })).toEqual([
    '',
    '  PODS   NODE   FIT   WHY',
    '  1      -      0/3   3 Insufficient cpu',
    '  1      -      -     not tried yet',
    '  2      n1     2/3   NodeResourcesFit decided',
    '  1      n2     2/3   tie with n9',
    '  1      n1     -     no record of its placement',
    '  smallest change that would help: add a node',
  ]);
});

it('says once for all pods of an owner what would help, by the latest attempt', () => {
  const owned = (name: string, owner: string): Pod => {
    const { metadata, ...rest } = pod(name);
    const { apiVersion, kind } = { apiVersion: 'apps/v1', kind: 'ReplicaSet' };
    const ownerReferences = [{ apiVersion, kind, name: owner, uid: owner, controller: true }];
    return { ...rest, metadata: { ...metadata, ownerReferences } };
  };
  const refused = (name: string, time: string, count: number, suggestion: string) => {
    const reasons = ['Insufficient cpu'];
    const status = {
      outcome: 'Unschedulable',
      refusals: [{ reasons, count }],
      suggestion,
    } as const;
    const made = decision(name, status);
    return { ...made, spec: { ...made.spec, time } };
  };
  const groups = placementGroupsOf(
    [owned('a', 'web'), owned('b', 'web'), owned('c', 'web'), owned('d', 'db')],
    [
      refused('a', '2026-01-01T00:00:01Z', 3, 'lower cpu to 3'),
      refused('b', '2026-01-01T00:00:02Z', 3, 'lower cpu to 2'),
      refused('c', '2026-01-01T00:00:03Z', 2, 'lower cpu to 1'),
      refused('d', '2026-01-01T00:00:02Z', 1, 'add a node'),
    ],
  );
  expect(groups).toMatchObject([
    { count: 2, owner: 'ReplicaSet/web', suggestion: 'lower cpu to 2' },
    { count: 1, owner: 'ReplicaSet/web', suggestion: 'lower cpu to 1' },
    { count: 1, owner: 'ReplicaSet/db', suggestion: 'add a node' },
  ]);
  const lines = placementLines(groups, { color: false, width: 80 });
  expect(lines.filter((line) => line.includes('change that would help'))).toEqual([
    '  smallest change that would help: lower cpu to 1',
    '  smallest change that would help: add a node',
  ]);
});
