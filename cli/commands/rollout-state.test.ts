import type { Deployment } from '../../api/types';
import { rolloutState } from './rollout-state';

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
  const state = rolloutState(deployment(status));
  expect(state.is).toBe(is);
  expect(state.text).toContain(text);
});

it('waits until the controller has seen the change', () => {
  expect(rolloutState(deployment({ updatedReplicas: 3 }, 2)).text).toBe(
    'Waiting for deployment spec update to be observed...',
  );
});
