import type { Pod } from '../../../api/types';
import { formatAge } from './ages';
import { summarizePod } from './pods';

it.each([
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [125_000, '2m5s'],
  [599_000, '9m59s'],
  [600_000, '10m'],
  [179 * 60_000, '179m'],
  [180 * 60_000, '3h'],
  [(7 * 60 + 30) * 60_000, '7h30m'],
  [8 * 3_600_000, '8h'],
  [47 * 3_600_000, '47h'],
  [50 * 3_600_000, '2d2h'],
  [8 * 86_400_000, '8d'],
  [729 * 86_400_000, '729d'],
  [730 * 86_400_000, '2y'],
  [(2 * 365 + 10) * 86_400_000, '2y10d'],
  [9 * 365 * 86_400_000, '9y'],
  [-5000, '<invalid>'],
])('%d ms is %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

const container = (name: string, state: object, more: object = {}) => ({
  name,
  image: 'x',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
  ...more,
});
const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
const waiting = (reason: string) => ({ waiting: { reason } });
const ended = (exitCode: number, reason?: string, signal?: number) => ({
  terminated: { exitCode, ...(reason && { reason }), ...(signal && { signal }) },
});
const up = { ready: true, started: true };

const pod = (status: object, metadata: object = {}, spec: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...metadata },
  spec: { containers: [{ name: 'a', image: 'x' }], ...spec },
  status: { phase: 'Running', ...status },
});

const withInit = {
  initContainers: [{ name: 'i' }, { name: 'j' }],
  containers: [{ name: 'a' }],
};
const withSidecar = {
  initContainers: [{ name: 'i', restartPolicy: 'Always' }],
  containers: [{ name: 'a' }],
};

it.each<[string, string, Pod]>([
  ['1/1', 'Running', pod({ containerStatuses: [container('a', running, up)] })],
  ['0/1', 'Pending', pod({ phase: 'Pending' })],
  [
    '0/1',
    'ContainerCreating',
    pod({ containerStatuses: [container('a', waiting('ContainerCreating'))] }),
  ],
  [
    '0/1',
    'CrashLoopBackOff',
    pod({ containerStatuses: [container('a', waiting('CrashLoopBackOff'))] }),
  ],
  [
    '0/1',
    'Completed',
    pod({ phase: 'Succeeded', containerStatuses: [container('a', ended(0, 'Completed'))] }),
  ],
  ['0/1', 'OOMKilled', pod({ containerStatuses: [container('a', ended(137, 'OOMKilled'))] })],
  ['0/1', 'ExitCode:3', pod({ containerStatuses: [container('a', ended(3))] })],
  ['0/1', 'Signal:9', pod({ containerStatuses: [container('a', ended(137, '', 9))] })],
  ['0/1', 'Evicted', pod({ phase: 'Failed', reason: 'Evicted' })],
  [
    '1/1',
    'Terminating',
    pod({ containerStatuses: [container('a', running, up)] }, { deletionTimestamp: 'x' }),
  ],
  [
    '0/1',
    'Completed',
    pod(
      { phase: 'Succeeded', containerStatuses: [container('a', ended(0, 'Completed'))] },
      { deletionTimestamp: 'x' },
    ),
  ],
  ['0/1', 'Unknown', pod({ reason: 'NodeLost' }, { deletionTimestamp: 'x' })],
  [
    '0/1',
    'SchedulingGated',
    pod({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
    }),
  ],
  [
    '0/1',
    'Init:0/2',
    pod(
      {
        phase: 'Pending',
        initContainerStatuses: [
          container('i', running),
          container('j', waiting('PodInitializing')),
        ],
      },
      {},
      withInit,
    ),
  ],
  [
    '0/1',
    'Init:1/2',
    pod(
      {
        phase: 'Pending',
        initContainerStatuses: [container('i', ended(0)), container('j', running)],
      },
      {},
      withInit,
    ),
  ],
  [
    '0/1',
    'Init:ErrImagePull',
    pod(
      { phase: 'Pending', initContainerStatuses: [container('i', waiting('ErrImagePull'))] },
      {},
      withInit,
    ),
  ],
  [
    '0/1',
    'Init:ExitCode:1',
    pod({ phase: 'Pending', initContainerStatuses: [container('i', ended(1))] }, {}, withInit),
  ],
  [
    '2/2',
    'Running',
    pod(
      {
        initContainerStatuses: [container('i', running, up)],
        containerStatuses: [container('a', running, up)],
      },
      {},
      withSidecar,
    ),
  ],
])('%s %s', (ready, reason, given) => {
  expect(summarizePod(given)).toMatchObject({ ready, reason });
});

it('says when the last restart was', () => {
  const at = (finishedAt: string) => ({
    lastState: { terminated: { finishedAt } },
    restartCount: 2,
  });
  const summary = summarizePod(
    pod({
      containerStatuses: [
        container('a', running, at('2026-01-01T00:00:00Z')),
        container('b', running, at('2026-01-01T01:00:00Z')),
      ],
    }),
  );
  expect(summary).toMatchObject({ restarts: 4, lastRestart: '2026-01-01T01:00:00Z' });
});
