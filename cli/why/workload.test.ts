import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../api/types';
import { explainWorkload, renderWorkload, type Workload } from './workload';

const STYLE = { color: false, width: 100 };
const T0 = '2026-11-25T02:40:00Z';
const T1 = '2026-11-25T02:41:24Z';

const workloadWith = (replicas: number, conditions: readonly object[] = []): Workload => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', uid: 'd' },
  spec: { replicas },
  status: { conditions: conditions as never },
});

const podOf = (
  owner: string,
  name: string,
  state: Pod['status'] & object,
  nodeName: string | undefined = 'node-1',
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true },
    ],
  },
  spec: {
    restartPolicy: 'Always',
    containers: [{ name: 'main', image: 'web:1' }],
    ...(nodeName === '' ? {} : { nodeName }),
  },
  status: state,
});

const READY: Pod['status'] = {
  phase: 'Running',
  containerStatuses: [
    {
      name: 'main',
      image: 'web:1',
      imageID: '',
      restartCount: 0,
      ready: true,
      state: { running: { startedAt: T0 } },
    },
  ],
  conditions: [{ type: 'Ready', status: 'True' }],
};

const waitingFor = (reason: string, message: string): Pod['status'] => ({
  phase: 'Pending',
  containerStatuses: [
    {
      name: 'main',
      image: 'web:1',
      imageID: '',
      restartCount: 0,
      ready: false,
      state: { waiting: { reason, message } },
    },
  ],
  conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: T1 }],
});

const UNPLACED: Pod['status'] = {
  phase: 'Pending',
  conditions: [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/3 nodes are available: 3 Insufficient cpu.',
      lastTransitionTime: T0,
    },
  ],
};

const expectGolden = (name: string, text: string): void => {
  const path = join(__dirname, 'golden', `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
};

it('says that all pods of a workload are ready', () => {
  const pods = [podOf('new', 'web-1', READY), podOf('new', 'web-2', READY)];
  const text = renderWorkload(explainWorkload(workloadWith(2), pods, 'new'), STYLE);
  expect(text).toBe('default/web: 2 of 2 pods ready\n');
});

it('sums up by reason, and ends a stalled rollout with the words of its own pods', () => {
  const conditions = [
    { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
    {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: 'ReplicaSet "new" has timed out progressing.',
      lastTransitionTime: T1,
    },
  ];
  const pods = [
    podOf('old', 'web-old-1', READY),
    podOf('old', 'web-old-2', waitingFor('ImagePullBackOff', 'Back-off pulling image "web:0"')),
    podOf('old', 'web-old-3', waitingFor('ImagePullBackOff', 'Back-off pulling image "web:0"')),
    podOf('new', 'web-new-1', waitingFor('CreateContainerConfigError', 'secret "s" not found')),
    podOf('new', 'web-new-2', UNPLACED, ''),
  ];
  const explanation = explainWorkload(workloadWith(4, conditions), pods, 'new');
  expect(explanation.status.troubles.map(({ count, reason, pod }) => [count, reason, pod])).toEqual(
    [
      [1, 'CreateContainerConfigError', 'web-new-1'],
      [1, 'Unschedulable', 'web-new-2'],
      [2, 'ImagePullBackOff', 'web-old-2'],
    ],
  );
  expect(explanation.status).toMatchObject({ pods: 5, ready: 1, conditions: [conditions[1]] });
  expectGolden('workload', renderWorkload(explanation, STYLE));
});

describe('of a job', () => {
  const job = (spec: object, status: object): Workload => ({
    ...workloadWith(0),
    ...{ kind: 'Job', spec, status },
  });
  const told = (workload: Workload, pods: readonly Pod[]) =>
    renderWorkload(explainWorkload(workload, pods, 'new'), STYLE);

  it('counts what is done, which is no trouble', () => {
    const done = podOf('new', 'j-1', { phase: 'Succeeded' });
    const complete = { type: 'Complete', status: 'True', reason: 'CompletionsReached' };
    const status = { succeeded: 3, conditions: [complete] };
    expect(told(job({ completions: 3 }, status), [done])).toBe(
      'default/web: 3 of 3 pods succeeded\n',
    );
    expect(told(job({ parallelism: 2 }, {}), [podOf('new', 'j-1', READY)])).toBe(
      'default/web: 0 of 2 pods succeeded\n  1 pod not made yet\n',
    );
  });

  it('says why it failed, or goes on no more', () => {
    const failed = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' };
    const over = job({}, { conditions: [{ ...failed, message: 'has reached the limit' }] });
    expect(told(over, [])).toContain('  Failed: BackoffLimitExceeded: has reached the limit\n');
    const held = {
      type: 'Suspended',
      status: 'True',
      reason: 'JobSuspended',
      message: 'Job suspended',
    };
    expect(told(job({}, { conditions: [held] }), [])).toContain('  Suspended: JobSuspended: Job');
  });
});

it('tells apart pods that wait for a node for other reasons', () => {
  const waits = (name: string, message: string) => {
    const status = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
    return podOf('new', name, { phase: 'Pending', conditions: [status] }, '');
  };
  const pods = [
    waits('web-1', '0/1 nodes are available: 1 Insufficient cpu.'),
    waits('web-2', '0/1 nodes are available: 1 node(s) were unschedulable.'),
    waits('web-3', '0/1 nodes are available: 1 node(s) were unschedulable.'),
  ];
  const { troubles } = explainWorkload(workloadWith(3), pods, 'new').status;
  expect(troubles.map(({ count, pod }) => [count, pod])).toEqual([
    [2, 'web-2'],
    [1, 'web-1'],
  ]);
});

it('says why no pods are made', () => {
  const conditions = [
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: 'pods "web-" is forbidden: error looking up service account default/nobody',
      lastTransitionTime: T1,
    },
  ];
  const explanation = explainWorkload(workloadWith(3, conditions), [], 'new');
  expectGolden('workload-no-pods', renderWorkload(explanation, STYLE));
});

it('stays short for thousands of pods with many reasons', () => {
  const pods = Array.from({ length: 5000 }, (_, i) =>
    podOf('new', `web-${i}`, waitingFor(`Reason${i % 50}`, 'x'.repeat(3000))),
  );
  const text = renderWorkload(explainWorkload(workloadWith(5000), pods, 'new'), STYLE);
  expect(text).toContain('default/web: 0 of 5000 pods ready');
  expect(text).toContain('and 4000 pods for 40 other reasons');
  expect(text.split('\n').length).toBeLessThan(50);
});

it('takes from the status of a daemon set how many pods there should be', () => {
  const set: Workload = {
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet' },
    metadata: { name: 'agent', namespace: 'default', uid: 'd' },
    status: { desiredNumberScheduled: 3 },
  };
  expect(renderWorkload(explainWorkload(set, [], 'd'), STYLE)).toMatch(
    /^default\/agent: 0 of 3 pods ready\n {2}3 pods not made yet\n/,
  );
});
