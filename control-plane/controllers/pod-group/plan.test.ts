import { POD_GROUP_LABEL, type PodGroup, type PodGroupPhase } from '../../../api/pod-groups';
import type { Pod } from '../../../api/types';
import { podGroupStatus } from './plan';

const NOW = '2030-01-01T00:00:00Z';
const pod = (phase: string, nodeName?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'p',
    namespace: 'ns',
    labels: { [POD_GROUP_LABEL]: 'g' },
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'train', uid: 'u' }],
  },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  status: { phase },
});
const group = (phase?: PodGroupPhase): PodGroup => ({
  apiVersion: 'scheduling.x-k8s.io/v1alpha1',
  kind: 'PodGroup',
  metadata: { name: 'g', namespace: 'ns' },
  spec: { minMember: 2 },
  ...(phase === undefined ? {} : { status: { phase } }),
});
const waits = pod('Pending');
const placed = pod('Pending', 'n');
const runs = pod('Running', 'n');
const done = pod('Succeeded', 'n');
const failed = pod('Failed', 'n');

it.each([
  [undefined, [], 'Pending'],
  [undefined, [waits], 'Pending'],
  [undefined, [waits, waits], 'Scheduling'],
  ['Scheduling', [placed, waits], 'Scheduling'],
  ['Scheduling', [placed, placed], 'Scheduled'],
  ['Scheduled', [placed, runs], 'Scheduled'],
  ['Scheduled', [runs, runs], 'Running'],
  ['Running', [runs, waits], 'Unknown'],
  ['Running', [runs], 'Unknown'],
  ['Unknown', [runs, placed], 'Scheduled'],
  ['Unknown', [], 'Pending'],
  ['Running', [runs, failed], 'Failed'],
  ['Running', [done, runs], 'Running'],
  ['Running', [done, done], 'Finished'],
  ['Finished', [], 'Finished'],
] as const)('was %s, and is another with these pods', (before, pods, phase) =>
  expect(podGroupStatus(group(before), pods, NOW).phase).toBe(phase),
);

it('counts its pods, names who owns them, and since when it is being placed', () => {
  expect(podGroupStatus(group('Scheduled'), [runs, done, failed, runs], NOW)).toEqual({
    phase: 'Failed',
    occupiedBy: 'ns/train',
    running: 2,
    succeeded: 1,
    failed: 1,
    scheduleStartTime: NOW,
  });
  expect(podGroupStatus(group(), [], NOW)).toEqual({ phase: 'Pending', scheduleStartTime: null });
});
