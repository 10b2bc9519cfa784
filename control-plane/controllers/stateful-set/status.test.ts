import type { Pod, StatefulSet } from '../../../api/types';
import { statefulSetStatus, type ObservedSet } from './status';

const set = (spec: object = {}, status: object = {}): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default', uid: 'd', generation: 4 },
  spec: { serviceName: 'db', selector: {}, template: {}, replicas: 2, ...spec },
  status: { replicas: 0, ...status },
});

const pod = (uid: string, revision: string, isReady = true, isLeaving = false): Pod =>
  ({
    metadata: {
      uid,
      labels: { 'controller-revision-hash': revision },
      ...(isLeaving ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    status: {
      phase: isReady ? 'Running' : 'Pending',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  }) as unknown as Pod;

const seen = (pods: readonly Pod[], more: Partial<ObservedSet> = {}): ObservedSet => ({
  pods,
  revisions: { current: 'old', update: 'new' },
  available: new Set(pods.map(({ metadata }) => metadata.uid ?? '')),
  collisionCount: 0,
  trouble: undefined,
  now: '2026-01-01T00:00:00Z',
  ...more,
});

it('counts pods by what they are and what they were made from', () => {
  const pods = [pod('a', 'old'), pod('b', 'new'), pod('c', 'new', false)];
  expect(statefulSetStatus(set(), seen(pods, { available: new Set(['a', 'c']) }))).toEqual({
    ...{ replicas: 3, readyReplicas: 2, availableReplicas: 1, collisionCount: 0 },
    ...{ currentReplicas: 1, currentRevision: 'old', observedGeneration: 4 },
    ...{ updatedReplicas: 2, updateRevision: 'new' },
  });
});

it('counts a pod that leaves among the replicas, and to no revision', () => {
  expect(statefulSetStatus(set(), seen([pod('a', 'new', true, true)]))).toMatchObject({
    ...{ replicas: 1, readyReplicas: 1 },
  });
  expect(statefulSetStatus(set(), seen([pod('a', 'new', true, true)]))).not.toHaveProperty(
    'updatedReplicas',
  );
});

it('ends an update when every pod is of it and ready, and not with OnDelete', () => {
  const pods = [pod('a', 'new'), pod('b', 'new')];
  const over = { currentRevision: 'new', currentReplicas: 2 };
  expect(statefulSetStatus(set(), seen(pods))).toMatchObject(over);
  for (const some of [[pod('a', 'new')], [pod('a', 'new'), pod('b', 'new', false)]])
    expect(statefulSetStatus(set(), seen(some)).currentRevision).toBe('old');
  const onDelete = set({ updateStrategy: { type: 'OnDelete' } });
  expect(statefulSetStatus(onDelete, seen(pods)).currentRevision).toBe('old');
});

it('says why it is not getting on, since when, and no more once it is', () => {
  const trouble = { reason: 'FailedCreate', message: 'no room' };
  const { conditions } = statefulSetStatus(set(), seen([], { trouble }));
  expect(conditions).toEqual([
    { type: 'ReplicaFailure', status: 'True', lastTransitionTime: seen([]).now, ...trouble },
  ]);
  const later = { trouble: { ...trouble, message: 'still' }, now: '2026-01-01T01:00:00Z' };
  expect(statefulSetStatus(set({}, { conditions }), seen([], later)).conditions).toMatchObject([
    { message: 'still', lastTransitionTime: seen([]).now },
  ]);
  expect(statefulSetStatus(set({}, { conditions }), seen([])).conditions).toBeUndefined();
});
