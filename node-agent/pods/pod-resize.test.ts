import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Container, Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import type { ResizeRefusal } from '../plan/resize';
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
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-resize-'));
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const start = (options: Partial<PodBenchOptions> = {}): PodBench =>
  (bench = createPodBench({ directory, ...options }));

const MIB = 2 ** 20;
const of = (cpu: string, memory: string) => ({
  limits: { cpu, memory },
  requests: { cpu, memory },
});
const podOf = (generation: number, resources: object, more: Partial<Container> = {}): Pod =>
  testPod({
    metadata: { generation },
    spec: { containers: [testContainer({ resources, ...more })] },
  });
const told = () => bench.status().containerStatuses?.[0];
const conditionOf = (type: string) => bench.status().conditions?.find((each) => each.type === type);
const isRunning = () => told()?.state?.running !== undefined;
const has = (cpu: string) => () => told()?.resources?.limits?.['cpu'] === cpu;
const inForce = () => {
  const id = told()?.containerID?.replace('dhow://', '') ?? '';
  return {
    container: bench.runtime.resourcesOf(id),
    pod: bench.runtime.sandboxResources.get('uid-1'),
  };
};

it('resizes a running container and its pod without a restart, and tells of it', async () => {
  start();
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  expect(told()).toMatchObject({
    allocatedResources: { cpu: '500m', memory: '64Mi' },
    resources: of('500m', '64Mi'),
  });
  await bench.run(podOf(2, of('1', '128Mi')));
  await bench.until(has('1'));
  expect(told()).toMatchObject({
    restartCount: 0,
    allocatedResources: { cpu: '1', memory: '128Mi' },
    resources: of('1', '128Mi'),
  });
  const figures = { cpuShares: 1024, cpuQuotaMicros: 100_000, memoryLimitBytes: 128 * MIB };
  expect(inForce()).toMatchObject({ container: figures, pod: figures });
  expect(conditionOf('PodResizeInProgress')).toBeUndefined();
  expect(bench.status()).toMatchObject({ observedGeneration: 2 });
  const summary = `{"containers":[{"name":"web","resources":{"limits":{"cpu":"1","memory":"128Mi"},"requests":{"cpu":"1","memory":"128Mi"}}}],"generation":2}`;
  expect(bench.events()).toEqual(
    expect.arrayContaining([
      `ResizeStarted: Pod resize started: ${summary}`,
      `ResizeCompleted: Pod resize completed: ${summary}`,
    ]),
  );
});

it('makes the pod wide enough before its containers grow, and narrow only after they shrank', async () => {
  start();
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  bench.runtime.calls.length = 0;
  await bench.run(podOf(2, of('1', '64Mi')));
  await bench.until(has('1'));
  const order = bench.runtime.calls.map((call) => call.split(' ')[0]);
  expect(order).toEqual(['updateSandbox', 'updateResources', 'updateSandbox']);
});

it('restarts a container whose policy asks for it, with what it was granted', async () => {
  start();
  const more = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
  await bench.run(podOf(1, of('500m', '64Mi'), more));
  await bench.until(isRunning);
  await bench.run(podOf(2, of('500m', '128Mi'), more));
  await bench.until(() => told()?.restartCount === 1 && isRunning());
  expect(told()?.resources).toEqual(of('500m', '128Mi'));
  await bench.until(() => conditionOf('PodResizeInProgress') === undefined);
  expect(inForce()).toMatchObject({
    container: { memoryLimitBytes: 128 * MIB },
    pod: { memoryLimitBytes: 128 * MIB },
  });
  expect(bench.events()).toContain('Killing: Container web resize requires restart');
  await bench.run(podOf(3, of('1', '128Mi'), more));
  await bench.until(has('1'));
  expect(told()?.restartCount).toBe(1);
});

it('keeps what a pod has while its resize waits, and grants it when there is room', async () => {
  const message =
    "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000";
  let refusal: ResizeRefusal | undefined = { reason: 'Deferred', message };
  start({ refuseResize: () => refusal });
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  await bench.run(podOf(2, of('1', '64Mi')));
  await bench.until(() => conditionOf('PodResizePending') !== undefined);
  expect(conditionOf('PodResizePending')).toMatchObject({
    ...{ status: 'True', reason: 'Deferred', message, observedGeneration: 2 },
  });
  expect(told()?.resources).toEqual(of('500m', '64Mi'));
  expect(bench.manager.active()[0]?.spec.containers[0]?.resources).toEqual(of('500m', '64Mi'));
  refusal = undefined;
  await bench.until(has('1'));
  expect(conditionOf('PodResizePending')).toBeUndefined();
  expect(bench.events().filter((event) => event.startsWith('ResizeDeferred'))).toHaveLength(1);
});

it('forgets a resize that is taken back before it was granted', async () => {
  const message = "Node didn't have enough capacity: cpu, requested: 9000, capacity: 2000";
  start({
    refuseResize: ({ spec }) =>
      spec.containers[0]?.resources?.limits?.['cpu'] === '9'
        ? { reason: 'Infeasible', message }
        : undefined,
  });
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  await bench.run(podOf(2, of('9', '64Mi')));
  await bench.until(() => conditionOf('PodResizePending')?.reason === 'Infeasible');
  await bench.run(podOf(3, of('500m', '64Mi')));
  await bench.until(() => conditionOf('PodResizePending') === undefined);
  expect(told()?.resources).toEqual(of('500m', '64Mi'));
});

it('lowers no memory limit below what is used, says so, and does it once less is used', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  let memoryBytes = 100 * MIB;
  const runtime = new FakeContainerRuntime({ clock, statsOf: () => ({ memoryBytes }) });
  start({ clock, runtime });
  await bench.run(podOf(1, of('500m', '128Mi')));
  await bench.until(isRunning);
  await bench.run(podOf(2, of('500m', '64Mi')));
  await bench.until(() => conditionOf('PodResizeInProgress')?.reason === 'Error');
  expect(conditionOf('PodResizeInProgress')?.message).toBe(
    'cannot decrease memory limits: [attempting to set pod memory limit (67108864) below current ' +
      'usage (104857600), attempting to set container "web" memory limit (67108864) below current ' +
      'usage (104857600)]',
  );
  expect(inForce().container).toMatchObject({ memoryLimitBytes: 128 * MIB });
  expect(told()).toMatchObject({
    allocatedResources: { memory: '64Mi' },
    resources: { limits: { memory: '128Mi' } },
  });
  memoryBytes = 32 * MIB;
  await bench.until(() => conditionOf('PodResizeInProgress') === undefined);
  expect(inForce()).toMatchObject({
    container: { memoryLimitBytes: 64 * MIB },
    pod: { memoryLimitBytes: 64 * MIB },
  });
});

it.each(['updateSandbox', 'updateResources'] as const)(
  'ends what an agent began that died at %s',
  async (method) => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const runtime = new FakeContainerRuntime({ clock });
    start({ clock, runtime });
    await bench.run(podOf(1, of('500m', '64Mi')));
    await bench.until(isRunning);
    const status = bench.status();
    runtime.failNext(method, new Error('gone'));
    await bench.run(podOf(2, of('1', '128Mi')));
    await bench.until(() => conditionOf('PodResizeInProgress')?.reason === 'Error');
    await bench.stop();
    start({ clock, runtime });
    await bench.run({ ...podOf(2, of('1', '128Mi')), status });
    await bench.until(has('1'));
    expect(told()?.restartCount).toBe(0);
    expect(inForce()).toMatchObject({
      container: { memoryLimitBytes: 128 * MIB },
      pod: { memoryLimitBytes: 128 * MIB },
    });
  },
);

it('asks again for what changed while no agent was there', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const runtime = new FakeContainerRuntime({ clock });
  start({ clock, runtime });
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  const status = bench.status();
  await bench.stop();
  const message = "Node didn't have enough resource";
  start({ clock, runtime, refuseResize: () => ({ reason: 'Deferred', message }) });
  await bench.run({ ...podOf(2, of('2', '64Mi')), status });
  await bench.until(() => conditionOf('PodResizePending') !== undefined);
  expect(told()?.resources).toEqual(of('500m', '64Mi'));
});

it('leaves no note of a pod that is gone', async () => {
  start();
  await bench.run(podOf(1, of('500m', '64Mi')));
  await bench.until(isRunning);
  await bench.run(podOf(2, of('1', '64Mi')));
  await bench.until(has('1'));
  const note = join(directory, 'allocations', 'uid-1.json');
  expect(existsSync(note)).toBe(true);
  await bench.run();
  await bench.until(() => !existsSync(note));
});

it('gives room that comes free to who comes first, whoever looks first', async () => {
  let roomMillis = 0;
  const grownTo = (pod: Pod) => Number(pod.spec.containers[0]?.resources?.limits?.['cpu'] ?? 0);
  const deferred: ResizeRefusal = { reason: 'Deferred', message: 'no room' };
  start({
    refuseResize: (pod) => {
      if (grownTo(pod) > 1 && roomMillis < 1000) return deferred;
      if (grownTo(pod) > 1) roomMillis -= 1000;
      return undefined;
    },
  });
  const pod = (name: string, cpu: string, priority: number, limits = { cpu, memory: '64Mi' }) =>
    testPod({
      metadata: { name, uid: name, generation: Number(cpu) },
      spec: {
        priority,
        containers: [testContainer({ resources: { limits, requests: { cpu, memory: '64Mi' } } })],
      },
    });
  const burstable = { cpu: '2', memory: '65Mi' };
  const all = (cpu: string) => [
    pod('low', cpu, 0),
    pod('burst', cpu, 5, cpu === '1' ? { cpu, memory: '65Mi' } : burstable),
    pod('high', cpu, 5),
  ];
  const granted = () =>
    ['low', 'burst', 'high'].filter(
      (uid) => bench.status(uid).containerStatuses?.[0]?.allocatedResources?.['cpu'] === '2',
    );
  await bench.run(...all('1'));
  await bench.until(() =>
    ['low', 'burst', 'high'].every(
      (uid) => bench.status(uid).containerStatuses?.[0]?.state?.running !== undefined,
    ),
  );
  await bench.run(...all('2'));
  await bench.until(
    () => bench.status('low').conditions?.some(({ reason }) => reason === 'Deferred') === true,
  );
  for (const expected of [['high'], ['burst', 'high'], ['low', 'burst', 'high']]) {
    roomMillis = 1000;
    bench.manager.worker('low')?.wake();
    await bench.until(() => granted().length === expected.length);
    expect(granted()).toEqual(expected);
  }
});

it('starts a container again that an agent before this one ended to resize it', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const runtime = new FakeContainerRuntime({ clock });
  const never = { restartPolicy: 'Never' as const };
  const more = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };
  const pod = (generation: number, cpu: string): Pod => {
    const plain = podOf(generation, of(cpu, '64Mi'), more);
    return { ...plain, spec: { ...plain.spec, ...never } };
  };
  start({ clock, runtime });
  await bench.run(pod(1, '500m'));
  await bench.until(isRunning);
  // Its end is on its way, and nobody is there to see it.
  runtime.hang('startContainer', () => true);
  await bench.run(pod(2, '1'));
  await bench.until(() => runtime.containers().some(({ status }) => status === 'exited'));
  const status = bench.status();
  await bench.stop();
  const [ended] = runtime.containers().filter(({ status: each }) => each === 'exited');
  for (const { id, status: each } of runtime.containers())
    if (each !== 'exited') await runtime.removeContainer(id);
  runtime.hang('startContainer', () => false);
  expect(ended).toBeDefined();
  start({ clock, runtime });
  await bench.run({ ...pod(2, '1'), status });
  await bench.until(() => isRunning() && has('1')());
  expect(bench.status().phase).toBe('Running');
});
