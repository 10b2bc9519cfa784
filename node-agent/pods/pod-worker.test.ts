import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ConfigMap } from '../../api/types';
import { FakeContainerRuntime } from '../../runtime/containers';
import { ManualClock } from '../../lib/clock';
import {
  createPodBench,
  testContainer,
  testPod,
  type PodBench,
  type PodBenchOptions,
} from './testing';

let directory: string;
let bench: PodBench;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-worker-'));
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const start = (options: Partial<PodBenchOptions> = {}): PodBench =>
  (bench = createPodBench({ directory, ...options }));

const until: PodBench['until'] = (reached, limitMs) => bench.until(reached, limitMs);

const containerOf = (name = 'web') =>
  [
    ...(bench.status().initContainerStatuses ?? []),
    ...(bench.status().containerStatuses ?? []),
  ].find((status) => status.name === name);
const isRunning =
  (name = 'web') =>
  () =>
    containerOf(name)?.state?.running !== undefined;
const currentId = () => containerOf()?.containerID?.replace('dhow://', '') ?? '';

it('runs a pod and tells its story in events', async () => {
  start();
  await bench.run(testPod());
  await until(isRunning());
  expect(bench.status()).toMatchObject({
    phase: 'Running',
    podIP: '10.42.0.2',
    hostIP: '192.0.2.1',
    qosClass: 'BestEffort',
    containerStatuses: [{ ready: true, started: true, restartCount: 0 }],
  });
  expect(bench.status().conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
    'PodReadyToStartContainers=True',
    'Initialized=True',
    'Ready=True',
    'ContainersReady=True',
  ]);
  expect(bench.events().map((text) => text.split(':')[0])).toEqual([
    'Pulling',
    'Pulled',
    'Created',
    'Started',
  ]);
});

it('restarts at once, then after 10, 20, 40 s', async () => {
  start();
  const pod = testPod({
    spec: { containers: [testContainer({ command: ['sh', '-c', 'sleep 1; exit 0'] })] },
  });
  await bench.run(pod);
  const waitsFor = (delay: string) => () =>
    containerOf()?.state?.waiting?.message ===
    `back-off ${delay} restarting failed container=web pod=web_default(uid-1)`;
  await until(() => containerOf()?.restartCount === 1);
  expect(bench.events().filter((text) => text.startsWith('BackOff'))).toEqual([]);
  await until(waitsFor('10s'));
  expect(containerOf()).toMatchObject({
    restartCount: 1,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { reason: 'Completed', exitCode: 0 } },
  });
  const startedAt: number[] = [];
  for (const count of [2, 3, 4]) {
    await until(() => containerOf()?.restartCount === count && isRunning()());
    startedAt.push(bench.clock.now());
  }
  const gaps = startedAt.slice(1).map((at, index) => Math.round((at - startedAt[index]!) / 1000));
  expect(gaps).toEqual([21, 41]);
  expect(bench.events()).toContain(
    'BackOff: Back-off restarting failed container web in pod web_default(uid-1)',
  );
});

it('tells exit codes, out of memory and a failed start apart', async () => {
  start();
  const pod = testPod({ spec: { restartPolicy: 'Never' } });
  await bench.run(pod);
  await until(isRunning());
  await bench.runtime.exitContainer(currentId(), 137, { oomKilled: false });
  await until(() => bench.status().phase === 'Failed');
  expect(containerOf()?.state?.terminated).toMatchObject({ reason: 'Error', exitCode: 137 });
  const other = testPod({ metadata: { uid: 'uid-2' }, spec: { restartPolicy: 'Never' } });
  await bench.run(pod, other);
  const second = () => bench.status('uid-2').containerStatuses?.[0];
  await until(() => second()?.state?.running !== undefined);
  const id = second()?.containerID?.replace('dhow://', '') ?? '';
  await bench.runtime.exitContainer(id, 137, { oomKilled: true });
  await until(() => bench.status('uid-2').phase === 'Failed');
  expect(second()?.state?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
});

it('reports a command that does not exist as StartError and backs off', async () => {
  start();
  await bench.run(testPod({ spec: { containers: [testContainer({ command: ['/nope'] })] } }));
  await until(() => containerOf()?.state?.waiting?.reason === 'CrashLoopBackOff');
  expect(containerOf()?.lastState?.terminated).toMatchObject({
    reason: 'StartError',
    exitCode: 128,
  });
});

it('runs init containers in order, keeps sidecars, and completes', async () => {
  start();
  const init = testContainer({ name: 'first', command: ['sh', '-c', 'sleep 2'] });
  const sidecar = testContainer({ name: 'side', restartPolicy: 'Always' });
  const main = testContainer({ command: ['sh', '-c', 'sleep 5'] });
  await bench.run(
    testPod({
      spec: { restartPolicy: 'OnFailure', initContainers: [init, sidecar], containers: [main] },
    }),
  );
  await until(isRunning('first'));
  expect(containerOf()?.state?.waiting?.reason).toBe('PodInitializing');
  expect(bench.status().phase).toBe('Pending');
  await until(isRunning());
  expect(isRunning('side')()).toBe(true);
  await until(() => bench.status().phase === 'Succeeded');
  await until(() => containerOf('side')?.state?.terminated !== undefined);
  // What is finished holds no address and no namespaces once the server knows.
  await until(() => bench.runtime.sandboxes().length === 0);
  expect(bench.network.attachments()).toEqual([]);
  expect(bench.status().phase).toBe('Succeeded');
});

it('fails the pod when an init container fails and nothing may restart', async () => {
  start();
  const init = testContainer({ name: 'first', command: ['false'] });
  await bench.run(testPod({ spec: { restartPolicy: 'Never', initContainers: [init] } }));
  await until(() => bench.status().phase === 'Failed');
  expect(containerOf('first')?.state?.terminated).toMatchObject({ exitCode: 1 });
  expect(containerOf()?.state?.waiting?.reason).toBe('PodInitializing');
});

it('kills what ignores SIGTERM when its grace is over, then vanishes', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  start({ clock, runtime: new FakeContainerRuntime({ clock, ignoresSigterm: () => true }) });
  await bench.run(testPod());
  await until(isRunning());
  const askedMs = clock.now();
  const deleted = testPod({
    metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 5 },
  });
  await bench.run(deleted);
  await until(() => bench.isTerminated());
  expect(clock.now() - askedMs).toBeGreaterThanOrEqual(5_000);
  expect(clock.now() - askedMs).toBeLessThan(8_000);
  expect(containerOf()?.state?.terminated).toMatchObject({ exitCode: 137, reason: 'Error' });
  expect(bench.runtime.sandboxes()).toEqual([]);
  await bench.run();
  await until(() => bench.manager.worker('uid-1') === undefined);
});

it('ends at once when the grace is shortened meanwhile', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  start({ clock, runtime: new FakeContainerRuntime({ clock, ignoresSigterm: () => true }) });
  await bench.run(testPod());
  await until(isRunning());
  const deleted = (seconds: number) =>
    testPod({
      metadata: {
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: seconds,
      },
    });
  await bench.run(deleted(600));
  await clock.advance(2_000);
  expect(bench.isTerminated()).toBe(false);
  await bench.run(deleted(0));
  await until(() => bench.isTerminated(), 3_000);
});

it('restarts a container whose liveness probe fails', async () => {
  let isHealthy = true;
  start({ probeAction: () => Promise.resolve({ succeeded: isHealthy, output: 'no answer' }) });
  const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 2 };
  await bench.run(testPod({ spec: { containers: [testContainer({ livenessProbe })] } }));
  await until(isRunning());
  isHealthy = false;
  await until(() => containerOf()?.lastState?.terminated !== undefined);
  isHealthy = true;
  await until(() => containerOf()?.restartCount === 1 && isRunning()());
  expect(bench.events()).toContain('Unhealthy: Liveness probe failed: no answer');
  expect(bench.events()).toContain(
    'Killing: Container web failed liveness probe, will be restarted',
  );
});

it('is ready only while its readiness probe says so', async () => {
  let isReady = false;
  start({ probeAction: () => Promise.resolve({ succeeded: isReady, output: '' }) });
  const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 1 };
  await bench.run(testPod({ spec: { containers: [testContainer({ readinessProbe })] } }));
  await until(isRunning());
  expect(containerOf()?.ready).toBe(false);
  isReady = true;
  await until(() => containerOf()?.ready === true);
  isReady = false;
  await until(() => containerOf()?.ready === false);
  expect(containerOf()?.restartCount).toBe(0);
});

describe('while a pod is being deleted', () => {
  const deletion = {
    deletionTimestamp: '2026-01-01T00:00:00Z',
    deletionGracePeriodSeconds: 60,
  };
  const probed = { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 1 };
  const stubborn = (probeAction: PodBenchOptions['probeAction']) => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const runtime = new FakeContainerRuntime({ clock, ignoresSigterm: () => true });
    start({ clock, runtime, ...(probeAction === undefined ? {} : { probeAction }) });
    return { clock, runtime };
  };
  const isPodReady = () =>
    bench.status().conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

  it('readiness goes on, also over a restart of the agent', async () => {
    let isReady = true;
    const action = () => Promise.resolve({ succeeded: isReady, output: 'draining' });
    const { clock, runtime } = stubborn(action);
    const spec = { containers: [testContainer({ readinessProbe: probed })] };
    await bench.run(testPod({ spec }));
    await until(isPodReady);
    await bench.run(testPod({ spec, metadata: deletion }));
    await clock.advance(3_000);
    expect(isPodReady()).toBe(true);
    isReady = false;
    await until(() => !isPodReady(), 3_000);
    expect(containerOf()?.state?.running).toBeDefined();
    const before = bench.status();
    await bench.stop();
    start({ clock, runtime, probeAction: action });
    await bench.run(testPod({ spec, metadata: deletion, status: before }));
    isReady = true;
    await until(isPodReady, 15_000);
    await until(() => bench.isTerminated(), 70_000);
    expect(isPodReady()).toBe(false);
  });

  it('stays ready without a readiness probe, until its containers end', async () => {
    const { clock } = stubborn(undefined);
    await bench.run(testPod());
    await until(isPodReady);
    await bench.run(testPod({ metadata: deletion }));
    await clock.advance(30_000);
    expect(isPodReady()).toBe(true);
    await until(() => bench.isTerminated(), 60_000);
    expect(isPodReady()).toBe(false);
  });

  it('liveness and startup stop', async () => {
    const asked: string[] = [];
    const { clock } = stubborn((_target, probe) => {
      asked.push(probe.exec?.command?.[0] ?? '');
      return Promise.resolve({ succeeded: false, output: '' });
    });
    const never = { periodSeconds: 1, failureThreshold: 1000 };
    const spec = {
      containers: [
        testContainer({ livenessProbe: { ...never, exec: { command: ['live'] } } }),
        testContainer({ name: 'two', startupProbe: { ...never, exec: { command: ['start'] } } }),
      ],
    };
    await bench.run(testPod({ spec }));
    await until(() => asked.includes('live') && asked.includes('start'));
    await bench.run(testPod({ spec, metadata: deletion }));
    await clock.advance(2_000);
    asked.length = 0;
    await clock.advance(20_000);
    expect(asked).toEqual([]);
    await until(() => bench.isTerminated(), 60_000);
  });
});

it('takes over running containers and their restart count from the runtime', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const runtime = new FakeContainerRuntime({ clock });
  start({ clock, runtime });
  await bench.run(testPod());
  await until(isRunning());
  const before = bench.status();
  await bench.stop();
  start({ clock, runtime });
  await bench.run(testPod({ status: before }));
  await until(isRunning());
  expect(bench.status()).toEqual(before);
  expect(runtime.calls.filter((call) => call.startsWith('createContainer'))).toHaveLength(1);
});

it('starts a lost container again and counts it, or gives it up when it may not restart', async () => {
  start();
  const status = (containerID: string) => ({
    phase: 'Running',
    startTime: '2026-01-01T00:00:00Z',
    containerStatuses: [
      {
        name: 'web',
        image: 'web:1',
        imageID: '',
        ready: true,
        restartCount: 2,
        containerID,
        state: { running: { startedAt: '2025-12-31T00:00:00Z' } },
      },
    ],
  });
  const again = testPod({ status: status('dhow://gone') });
  const never = testPod({
    metadata: { uid: 'uid-2' },
    spec: { restartPolicy: 'Never' },
    status: status('dhow://gone-too'),
  });
  await bench.run(again, never);
  await until(() => containerOf()?.restartCount === 3 && isRunning()());
  await until(() => bench.status('uid-2').phase === 'Failed');
  expect(bench.status('uid-2').containerStatuses?.[0]?.state?.terminated).toMatchObject({
    reason: 'ContainerStatusUnknown',
    exitCode: 137,
  });
});

it('fails a pod at its deadline', async () => {
  start();
  await bench.run(testPod({ spec: { activeDeadlineSeconds: 30 } }));
  await until(isRunning());
  await until(() => bench.status().phase === 'Failed');
  expect(bench.status()).toMatchObject({ reason: 'DeadlineExceeded' });
  await until(() => bench.runtime.sandboxes().length === 0);
});

it('refuses a pod that does not fit, without running anything', async () => {
  start({ admit: () => ({ reason: 'OutOfcpu', message: 'Pod was rejected' }) });
  await bench.run(testPod());
  await until(() => bench.status().phase === 'Failed');
  expect(bench.status()).toEqual({
    phase: 'Failed',
    reason: 'OutOfcpu',
    message: 'Pod was rejected',
    startTime: '2026-01-01T00:00:00Z',
    qosClass: 'BestEffort',
  });
  expect(bench.events()).toEqual(['OutOfcpu: Pod was rejected']);
  expect(bench.runtime.containers()).toEqual([]);
  // An agent that starts later shows it no other way.
  const before = bench.status();
  await bench.stop();
  start();
  await bench.run(testPod({ status: before }));
  await bench.clock.advance(30_000);
  await until(() => bench.isTerminated());
  expect(bench.status()).toEqual(before);
  await bench.run();
  await until(() => bench.manager.worker('uid-1') === undefined);
});

it('gives labels that may be late a moment before it refuses a pod', async () => {
  const refusal = { reason: 'NodeAffinity', message: 'no match', mayBeStale: true as const };
  let isRight = false;
  start({ admit: () => (isRight ? undefined : refusal) });
  await bench.run(testPod());
  await bench.clock.advance(1_000);
  expect(bench.status().phase).not.toBe('Failed');
  isRight = true;
  await until(isRunning());
  isRight = false;
  const other = testPod({ metadata: { name: 'other', uid: 'uid-2' } });
  await bench.run(testPod(), other);
  await until(() => bench.status('uid-2').phase === 'Failed', 10_000);
  expect(bench.status('uid-2').reason).toBe('NodeAffinity');
});

it('waits for a missing config map and goes on when it comes', async () => {
  const maps = new Map<string, ConfigMap>();
  start({ objects: { secret: () => undefined, configMap: (_ns, name) => maps.get(name) } });
  const volumes = [{ name: 'conf', configMap: { name: 'conf' } }];
  await bench.run(testPod({ spec: { volumes } }));
  await until(() => bench.events().some((text) => text.startsWith('FailedMount')));
  expect(bench.events()).toContain(
    'FailedMount: MountVolume.SetUp failed for volume "conf" : configmap "conf" not found',
  );
  expect(containerOf()?.state?.waiting?.reason).toBe('ContainerCreating');
  maps.set('conf', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'conf', namespace: 'default' },
    data: { key: 'value' },
  });
  bench.manager.objectsChanged();
  await until(isRunning());
});

it('backs off from an image that cannot be pulled, showing why', async () => {
  start();
  await bench.run(testPod({ spec: { containers: [testContainer({ image: 'missing:1' })] } }));
  await until(() => containerOf()?.state?.waiting?.reason === 'ErrImagePull');
  await until(() => containerOf()?.state?.waiting?.reason === 'ImagePullBackOff');
  expect(containerOf()?.state?.waiting?.message).toContain('not found');
  bench.images.publish('missing:1');
  await until(isRunning());
});

it('removes what belongs to no pod', async () => {
  start();
  await bench.run(testPod());
  await until(isRunning());
  await bench.stop();
  const { runtime, clock } = bench;
  start({ runtime, clock });
  const stop = new AbortController();
  const house = bench.manager.keepHouse(() => true, stop.signal);
  await until(() => runtime.sandboxes().length === 0);
  stop.abort();
  await house;
});

it('runs a pod with the longest names there are, and leaves nothing of it', async () => {
  const name = `${'a.b-0'.repeat(50)}abc`;
  const web = `w${'-'.repeat(61)}b`;
  const key = `${'_K.-'.repeat(63)}z`;
  const map: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: web },
    data: { [key]: 'value' },
  };
  start({ objects: { secret: () => undefined, configMap: () => map } });
  const spec = {
    containers: [testContainer({ name: web, volumeMounts: [{ name: web, mountPath: '/c' }] })],
    volumes: [{ name: web, configMap: { name } }],
  };
  await bench.run(testPod({ metadata: { name, namespace: web }, spec }));
  await until(isRunning(web));
  await bench.run();
  await until(() => bench.manager.worker('uid-1') === undefined);
  expect(await readdir(join(directory, 'logs'))).toEqual([]);
});
