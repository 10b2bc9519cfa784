import type { ApiObject } from '../../api/types';
import { readinessOf, reasonLine } from './readiness';

const of = (kind: string, status: object, spec: object = {}, apiVersion = 'v1'): ApiObject =>
  ({ apiVersion, kind, metadata: { name: 'a' }, spec, status }) as ApiObject;

const condition = (type: string, status: string, reason = '') => ({ type, status, reason });

it.each([
  ['what has no status', of('ConfigMap', {}), '-', ''],
  [
    'a set of which one is ready',
    of('ReplicaSet', { replicas: 2, readyReplicas: 1 }, { replicas: 3 }),
    '1/3',
    '',
  ],
  [
    'a set whose pods are refused',
    of(
      'ReplicaSet',
      { conditions: [condition('ReplicaFailure', 'True', 'FailedCreate')] },
      { replicas: 1 },
    ),
    '0/1',
    'FailedCreate',
  ],
  [
    'a kind of a user',
    of('Widget', { conditions: [condition('Ready', 'Unknown', 'Waits')] }),
    'Unknown',
    'Waits',
  ],
  [
    'a pod without a node',
    of('Pod', { conditions: [condition('PodScheduled', 'False', 'Unschedulable')] }),
    'False',
    'Unschedulable',
  ],
  [
    'a pod that crashes',
    of(
      'Pod',
      {
        conditions: [condition('Ready', 'False', 'ContainersNotReady')],
        containerStatuses: [
          { name: 'c', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } },
        ],
      },
      { nodeName: 'n', containers: [{ name: 'c' }] },
    ),
    'False',
    'CrashLoopBackOff',
  ],
  [
    'a pod that runs',
    of('Pod', { conditions: [condition('Ready', 'True')] }, { nodeName: 'n', containers: [] }),
    'True',
    '',
  ],
  ['a status that is nonsense', of('Widget', { conditions: 7, replicas: 'x' }), '-', ''],
])('says of %s whether it is ready', (_what, object, ready, reason) => {
  expect(readinessOf(object)).toEqual({ ready, reason });
});

it('says in a line what keeps a pod from running', () => {
  const blamed = { ...condition('PodScheduled', 'False', 'Unschedulable'), message: 'no\n room ' };
  expect(reasonLine(of('Pod', { conditions: [blamed] }))).toBe('Unschedulable: no room');
  const long = { ...blamed, message: 'x'.repeat(500) };
  expect(reasonLine(of('Pod', { conditions: [long] }))).toHaveLength(161);
  expect(reasonLine(of('Pod', {}))).toBe('');
  expect(reasonLine(of('ConfigMap', {}))).toBe('');
});
