import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Event, Pod, PodStatus } from '../../api/types';
import { renderWhy, type KnownExplanation } from './why';
import { lastEventAbout } from './evidence';
import { resizeTroublesOf, troublesOf } from './trouble';
import type { KnownTrouble } from './known-trouble';

const STYLE = { color: false, width: 100 };
const T0 = '2026-11-25T02:40:00Z';
const T1 = '2026-11-25T02:41:24Z';

type ContainerStatus = NonNullable<PodStatus['containerStatuses']>[number];

const main = (more: Partial<ContainerStatus>): ContainerStatus => ({
  name: 'main',
  image: 'web:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});

const waiting = (reason: string, message?: string) =>
  main({ state: { waiting: { reason, ...(message === undefined ? {} : { message }) } } });

const ended = (reason: string, exitCode: number, message?: string) => ({
  terminated: {
    reason,
    exitCode,
    startedAt: T0,
    finishedAt: T1,
    ...(message === undefined ? {} : { message }),
  },
});

const UNREADY = { type: 'Ready', status: 'False', lastTransitionTime: T0 } as const;

const podWith = (
  status: Partial<PodStatus>,
  spec: Partial<Pod['spec']> = {},
  metadata: Partial<Pod['metadata']> = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u-1', ...metadata },
  spec: {
    nodeName: 'node-1',
    restartPolicy: 'Always',
    containers: [{ name: 'main', image: 'web:1', resources: { limits: { memory: '64Mi' } } }],
    ...spec,
  },
  status: { phase: 'Pending', startTime: T0, conditions: [UNREADY], ...status },
});

const withMain = (status: ContainerStatus, spec: Partial<Pod['spec']> = {}) =>
  podWith({ containerStatuses: [status] }, spec);

const init = { initContainers: [{ name: 'setup', image: 'setup:1' }] };
const probe = { httpGet: { path: '/', port: 80 } };
const set = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name: 'web-1',
  uid: 'r',
  controller: true,
};

const SCENES: readonly (readonly [string, Pod])[] = [
  ['missing image', withMain(waiting('ErrImagePull', 'web:1: not found at https://r.example'))],
  ['image back-off', withMain(waiting('ImagePullBackOff', 'Back-off pulling image "web:1"'))],
  ['image never pulled', withMain(waiting('ErrImageNeverPull', 'Container image "web:1" is not'))],
  ['image name', withMain(waiting('InvalidImageName', 'couldn\'t parse "web:1"'))],
  ['missing config', withMain(waiting('CreateContainerConfigError', 'configmap "s" not found'))],
  ['being made', withMain(waiting('ContainerCreating'))],
  [
    'wrong command',
    withMain(main({ restartCount: 1, state: ended('StartError', 128, 'exec: "nope": not found') })),
  ],
  [
    'crash loop',
    withMain(
      main({
        restartCount: 3,
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting' } },
        lastState: ended('Error', 3, 'no settings\n'),
      }),
    ),
  ],
  [
    'nothing to do',
    withMain(
      main({
        restartCount: 2,
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting' } },
        lastState: ended('Completed', 0),
      }),
    ),
  ],
  [
    'out of memory',
    withMain(
      main({
        restartCount: 3,
        ready: true,
        state: { running: { startedAt: T1 } },
        lastState: ended('OOMKilled', 137),
      }),
    ),
  ],
  [
    'not ready',
    withMain(main({ started: true, state: { running: { startedAt: T0 } } }), {
      containers: [{ name: 'main', image: 'web:1', readinessProbe: probe }],
    }),
  ],
  [
    'not started',
    withMain(main({ started: false, state: { running: { startedAt: T0 } } }), {
      containers: [{ name: 'main', image: 'web:1', startupProbe: probe }],
    }),
  ],
  [
    'init container',
    podWith(
      {
        initContainerStatuses: [
          { ...main({ state: { running: { startedAt: T1 } } }), name: 'setup' },
        ],
        containerStatuses: [waiting('PodInitializing')],
      },
      init,
    ),
  ],
  [
    'failing init container',
    podWith(
      {
        initContainerStatuses: [
          {
            ...main({
              restartCount: 2,
              state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } },
              lastState: ended('Error', 1),
            }),
            name: 'setup',
          },
        ],
        containerStatuses: [waiting('PodInitializing')],
      },
      init,
    ),
  ],
  [
    'being deleted',
    podWith(
      { containerStatuses: [main({ ready: true, state: { running: { startedAt: T0 } } })] },
      {},
      { deletionTimestamp: T1, deletionGracePeriodSeconds: 30n as never },
    ),
  ],
  [
    'held by finalizers',
    podWith(
      { containerStatuses: [main({ state: ended('Completed', 0) })] },
      {},
      { deletionTimestamp: T1, deletionGracePeriodSeconds: 0, finalizers: ['example.com/keep'] },
    ),
  ],
  [
    'evicted',
    podWith(
      {
        phase: 'Failed',
        reason: 'Evicted',
        message: 'The node was low on resource: memory.',
        containerStatuses: [main({ state: ended('Error', 137) })],
      },
      {},
      { ownerReferences: [set] },
    ),
  ],
  [
    'rejected',
    podWith({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: "Node didn't have enough resource: cpu",
      conditions: [],
    }),
  ],
  [
    'failed for good',
    podWith(
      { phase: 'Failed', containerStatuses: [main({ state: ended('Error', 2) })] },
      { restartPolicy: 'Never' },
    ),
  ],
  [
    'readiness gate',
    podWith({
      phase: 'Running',
      containerStatuses: [main({ ready: true, state: { running: { startedAt: T0 } } })],
      conditions: [{ ...UNREADY, reason: 'ReadinessGatesNotReady', message: 'no gate' }],
    }),
  ],
  [
    'silent node',
    podWith({
      phase: 'Running',
      containerStatuses: [main({ ready: true, state: { running: { startedAt: T0 } } })],
    }),
  ],
  [
    'no word',
    podWith({
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: T0 }],
    }),
  ],
];

const explanationWith = (troubles: readonly KnownTrouble[]) =>
  ({
    apiVersion: 'scheduling.dhow.dev/v1',
    kind: 'PodExplanation',
    metadata: { name: 'web', namespace: 'default' },
    spec: { podName: 'web' },
    status: { nodeName: 'node-1', attempts: 0, nodes: [], troubles },
  }) satisfies KnownExplanation;

const GOLDEN = join(__dirname, 'golden', 'troubles.txt');

it('tells of every state which container, since when, how it ended and what is next', () => {
  const text = SCENES.map(
    ([title, pod]) => `# ${title}\n${renderWhy(explanationWith(troublesOf(pod)), STYLE)}`,
  ).join('\n');
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, text);
  expect(text).toBe(readFileSync(GOLDEN, 'utf8'));
});

it.each<[string, Pod]>([
  [
    'runs and is ready',
    podWith({
      phase: 'Running',
      containerStatuses: [main({ ready: true, state: { running: { startedAt: T0 } } })],
      conditions: [{ type: 'Ready', status: 'True' }],
    }),
  ],
  ['ran to its end', podWith({ phase: 'Succeeded' }, { restartPolicy: 'Never' })],
  [
    'has one container that has done its work',
    podWith(
      {
        phase: 'Running',
        containerStatuses: [main({ state: ended('Completed', 0) })],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
      { restartPolicy: 'OnFailure' },
    ),
  ],
])('has nothing to tell of a pod that %s', (_title, pod) => {
  expect(troublesOf(pod)).toEqual([]);
  expect(renderWhy(explanationWith([]), STYLE)).toContain('default/web is on node-1\n');
});

it('shows the last event and line, without what could drive a terminal, and bounded', () => {
  const [trouble] = troublesOf(withMain(waiting('ErrImagePull', 'm\u001b[2J')));
  const lastEvent = { reason: 'Failed', message: 'x'.repeat(9000), count: 4, time: T1 };
  const lastLine = 'panic: \u001b]0;title\u0007';
  const text = renderWhy(explanationWith([{ ...trouble!, lastEvent, lastLine }]), STYLE);
  expect(text).toContain('last event: Failed (x4) at 2026-11-25 02:41:24:');
  expect(text).toContain('last line: panic: ?]0;title?');
  expect(text).not.toContain('\u001b');
  expect(text.length).toBeLessThan(2000);
});

it('counts containers beyond the first ten', () => {
  const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
  const pod = podWith(
    { containerStatuses: names.map((name) => ({ ...waiting('ErrImagePull'), name })) },
    { containers: names.map((name) => ({ name, image: 'web:1' })) },
  );
  const text = renderWhy(explanationWith(troublesOf(pod)), STYLE);
  expect(text).toContain('and 2 more containers in trouble');
});

describe('the last event', () => {
  const event = (reason: string, more: Partial<Event>, fieldPath?: string): Event => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: reason, namespace: 'default' },
    involvedObject: { kind: 'Pod', name: 'web', ...(fieldPath === undefined ? {} : { fieldPath }) },
    reason,
    message: `${reason} happened\n`,
    ...more,
  });
  const events = [
    event('Late', { type: 'Warning', lastTimestamp: T1, count: 3 }, 'spec.containers{main}'),
    event('Early', { type: 'Warning', lastTimestamp: T0 }, 'spec.containers{main}'),
    event('Pulled', { type: 'Normal', lastTimestamp: T1 }, 'spec.containers{other}'),
    event('Setup', { type: 'Warning', lastTimestamp: T1 }, 'spec.initContainers{main}'),
    event('FailedMount', { type: 'Warning', lastTimestamp: T0 }),
    event('Scheduled', { type: 'Normal', lastTimestamp: T1 }),
  ];

  it.each([
    ['of a container', { container: 'main', reason: 'x' }, 'Late'],
    [
      'of an init container of that name',
      { container: 'main', isInit: true, reason: 'x' },
      'Setup',
    ],
    [
      'of the pod, where the container has no warning',
      { container: 'other', reason: 'x' },
      'FailedMount',
    ],
    ['of the pod as a whole', { reason: 'x' }, 'FailedMount'],
  ])('is the latest warning %s', (_title, trouble, reason) => {
    expect(lastEventAbout(events, trouble)?.reason).toBe(reason);
  });

  it('has its text, count and time', () => {
    expect(lastEventAbout(events, { container: 'main', reason: 'x' })).toEqual({
      reason: 'Late',
      message: 'Late happened',
      count: 3,
      time: T1,
    });
    expect(lastEventAbout([], { reason: 'x' })).toBeUndefined();
  });
});

it('tells of a resize that waits, and of one that cannot be brought into force', () => {
  const condition = (type: string, reason: string, message: string) => ({
    ...{ type, status: 'True', reason, message, lastTransitionTime: T1 },
  });
  const pod = podWith({
    phase: 'Running',
    conditions: [
      { type: 'Ready', status: 'True' },
      condition('PodResizePending', 'Deferred', 'no room'),
      condition('PodResizeInProgress', 'Error', 'too much is used'),
    ],
  });
  expect(troublesOf(pod)).toEqual([]);
  expect(resizeTroublesOf(pod)).toEqual([
    {
      ...{ reason: 'ResizeDeferred', message: 'no room', since: T1 },
      next: 'it is granted once other pods leave as much: dhow describe node node-1',
    },
    {
      ...{ reason: 'ResizeError', message: 'too much is used', since: T1 },
      next: 'it is tried again until it can be done',
    },
  ]);
  const going = { type: 'PodResizeInProgress', status: 'True' };
  expect(resizeTroublesOf(podWith({ conditions: [going] }))).toEqual([]);
});
