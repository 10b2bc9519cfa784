import type { DaemonSet, Deployment, StatefulSet } from '../../api/types';
import { daemonSetState, deploymentState, statefulSetState } from './rollout-state';

const deployment = (status: object, generation = 1): Deployment =>
  ({
    metadata: { name: 'web', generation },
    spec: { replicas: 3 },
    status: { observedGeneration: 1, ...status },
  }) as unknown as Deployment;

it.each([
  [{}, 'going-on', '0 out of 3 new replicas have been updated...'],
  [{ replicas: 4, updatedReplicas: 3 }, 'going-on', '1 old replicas are pending termination...'],
  [
    { replicas: 3, updatedReplicas: 3, availableReplicas: 1 },
    'going-on',
    '1 of 3 updated replicas are available...',
  ],
  [
    { replicas: 3, updatedReplicas: 3, availableReplicas: 3 },
    'done',
    'deployment "web" successfully rolled out',
  ],
  [
    { conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }] },
    'failed',
    'deployment "web" exceeded its progress deadline',
  ],
])('tells of %j that it is %s', (status, is, text) => {
  const state = deploymentState(deployment(status));
  expect(state.is).toBe(is);
  expect(state.text).toContain(text);
});

it('waits until the controller has seen the change', () => {
  expect(deploymentState(deployment({ updatedReplicas: 3 }, 2)).text).toBe(
    'Waiting for deployment spec update to be observed...',
  );
});

it.each([
  [{ observedGeneration: 1 }, 'going-on', '0 out of 3 new pods have been updated...'],
  [
    { observedGeneration: 1, updatedNumberScheduled: 3, numberAvailable: 2 },
    'going-on',
    'Waiting for daemon set "agent" rollout to finish: 2 of 3 updated pods are available...',
  ],
  [
    { observedGeneration: 1, updatedNumberScheduled: 3, numberAvailable: 3 },
    'done',
    'daemon set "agent" successfully rolled out',
  ],
  [{}, 'going-on', 'Waiting for daemon set spec update to be observed...'],
])('tells of a daemon set with %j that it is %s', (status, is, text) => {
  const state = daemonSetState({
    metadata: { name: 'agent', generation: 1 },
    status: { desiredNumberScheduled: 3, ...status },
  } as unknown as DaemonSet);
  expect(state.is).toBe(is);
  expect(state.text).toContain(text);
});

const seen = { observedGeneration: 1 };

it.each([
  [{}, undefined, 'going-on', 'Waiting for statefulset spec update to be observed...'],
  [{ ...seen, readyReplicas: 1 }, undefined, 'going-on', 'Waiting for 2 pods to be ready...'],
  [
    { ...seen, readyReplicas: 3, updatedReplicas: 1 },
    1,
    'going-on',
    'Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...',
  ],
  [
    { ...seen, readyReplicas: 3, updatedReplicas: 3 },
    0,
    'done',
    'partitioned roll out complete: 3 new pods have been updated...',
  ],
  [
    { ...seen, readyReplicas: 3, updatedReplicas: 1, currentRevision: 'a', updateRevision: 'b' },
    undefined,
    'going-on',
    'waiting for statefulset rolling update to complete 1 pods at revision b...',
  ],
  [
    { ...seen, readyReplicas: 3, currentReplicas: 3, currentRevision: 'b', updateRevision: 'b' },
    undefined,
    'done',
    'statefulset rolling update complete 3 pods at revision b...',
  ],
])(
  'tells of a stateful set with %j and partition %s that it is %s',
  (status, partition, is, text) => {
    const rollingUpdate = partition === undefined ? {} : { rollingUpdate: { partition } };
    const state = statefulSetState({
      metadata: { name: 'db', generation: 1 },
      spec: { replicas: 3, updateStrategy: { type: 'RollingUpdate', ...rollingUpdate } },
      status,
    } as unknown as StatefulSet);
    expect(state).toEqual({ is, text });
  },
);
