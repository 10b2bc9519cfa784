import type { SchedulingDecision } from '../../api/decisions';
import type { PodGroup, PodGroupPhase } from '../../api/pod-groups';
import type { Pod } from '../../api/types';
import { explainGroup, renderGroup } from './group';

const STYLE = { color: false, width: 100 };

const group = (phase: PodGroupPhase): PodGroup => ({
  apiVersion: 'scheduling.x-k8s.io/v1alpha1',
  kind: 'PodGroup',
  metadata: { name: 'train', namespace: 'default' },
  spec: { minMember: 3 },
  status: { phase },
});
const pod = (name: string, nodeName?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: name },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  status: { phase: 'Pending' },
});
const decision = (
  podUID: string,
  status: Partial<SchedulingDecision['status']>,
): SchedulingDecision => ({
  apiVersion: 'scheduling.dhow.dev/v1',
  kind: 'SchedulingDecision',
  metadata: { name: podUID },
  spec: { podName: podUID, podUID, attempt: 1, time: '', trigger: '' },
  status: {
    ...{ outcome: 'Unschedulable', nodesConsidered: 2, nodesFeasible: 0, reasons: {}, top: [] },
    ...{ message: '', latencyMicros: 1 },
    ...status,
  },
});
const waiting = { attempts: 1, nodes: [], waitingFor: ['room for 2 pods', 'a new node'] };

it('tells who is placed, who is missing and why, and until when', () => {
  const decisions = [
    decision('a', { outcome: 'Scheduled', nodeName: 'n1', nodesFeasible: 1 }),
    decision('b', {
      refusals: [{ reasons: ['Insufficient cpu'], count: 2 }],
      suggestion: 'add a node with 2 cpu',
    }),
  ];
  const explained = explainGroup(group('Scheduling'), [pod('a', 'n1'), pod('b')], decisions, {
    ...waiting,
    groupEndsAt: '2026-11-30T02:41:24.123456Z',
  });
  expect(explained.status).toMatchObject({ members: 2, placed: 1, wasWhole: false });
  expect(renderGroup(explained, STYLE)).toBe(
    `default/train is Scheduling: 1 of the 3 pods that it needs have a node
  1 pod not made yet
  at 2026-11-30 02:41:24 those that are placed give their room back, unless it is whole by then
  waits for room for 2 pods, or a new node

  POD   NODE   FIT   WHY
  b     -      0/2   2 Insufficient cpu
  a     n1     1/2   the only node that fits
  smallest change that would help: add a node with 2 cpu
`,
  );
});

it.each<[PodGroupPhase, readonly Pod[], string | undefined]>([
  ['Pending', [pod('a')], 'it waits without a limit: nothing is held for a part of it'],
  ['Unknown', [pod('a', 'n1')], 'it has been whole: those that are placed stay'],
  ['Scheduling', [pod('a', 'n1')], 'those that are placed give their room back in the end'],
  ['Running', [pod('a', 'n1'), pod('b', 'n1'), pod('c', 'n1')], undefined],
])('that is %s tells what becomes of it', (phase, pods, fate) => {
  const [, ...lines] = renderGroup(explainGroup(group(phase), pods, []), STYLE).split('\n');
  const told = lines.filter((line) => /whole|limit|room back/.test(line));
  expect(told).toEqual(fate === undefined ? [] : [expect.stringContaining(fate)]);
});

it('shows so many pods, and counts the others', () => {
  const pods = Array.from({ length: 60 }, (_, i) => pod(`p-${i}`));
  const text = renderGroup(explainGroup(group('Scheduling'), pods, []), STYLE);
  expect(text).toContain('  and 10 more pods\n');
});
