import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Pod } from '../../api/types';
import { JobThread } from '../../lib/async/job-thread';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { FakeContainerRuntime } from '../../runtime/containers';
import { LABEL } from '../inventory/labels';
import { createPodBench, testContainer, testPod, type PodBench } from '../pods/testing';
import { measure, METER_HEAP_MAX_MB } from '../storage/meter';
import { storagePlacesOf } from '../storage/storage-places';
import { EvictionManager } from './eviction-manager';
import { PodUses } from './pod-uses';
import type { Observations } from './pressure';
import { parseThresholds, type ThresholdConfig } from './thresholds';

const GI = 2 ** 30;
const MI = 2 ** 20;

let directory: string;
let bench: PodBench;
let seen: Observations;
let observe: () => Observations;
let manager: EvictionManager;
let stopping: AbortController;
let running: Promise<void>;
let told: number;
let onReclaim: () => void;
/** Working sets by the name of the pod. */
const memory = new Map<string, number>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-eviction-'));
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const statsOf = ({ labels }: { readonly labels: Readonly<Record<string, string>> }) => ({
    memoryWorkingSetBytes: memory.get(labels[LABEL.podName] ?? '') ?? 0,
  });
  const ignoresSigterm = () => true;
  bench = createPodBench({
    directory,
    clock,
    runtime: new FakeContainerRuntime({ clock, statsOf, ignoresSigterm }),
  });
  seen = { 'memory.available': { available: GI, capacity: 4 * GI } };
  observe = () => seen;
  told = 0;
  onReclaim = () => undefined;
});
afterEach(async () => {
  stopping.abort();
  await running;
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const watch = (
  config: Partial<ThresholdConfig>,
  more: { readonly softGraceMaxMs?: number } = {},
) => {
  const { runtime, clock, deps } = bench;
  const meter = new JobThread({ path: undefined, run: measure, heapMaxMb: METER_HEAP_MAX_MB });
  const placesOf = (pod: Pod) => storagePlacesOf(pod, deps);
  manager = new EvictionManager({
    thresholds: parseThresholds({
      evictionHard: {},
      evictionSoft: {},
      evictionSoftGracePeriodMs: {},
      evictionMinimumReclaim: {},
      ...config,
    }),
    transitionMs: 60_000,
    softGraceMaxMs: 0,
    nodeName: 'n1',
    signals: {
      observe: () => Promise.resolve(observe()),
      hasImageDisk: () => Promise.resolve(false),
    },
    uses: new PodUses({ runtime, meter, placesOf, clock }),
    pods: () => bench.manager.activeWorkers(),
    reclaimDisk: async () => onReclaim(),
    events: deps.events,
    onChange: () => {
      told++;
    },
    clock,
    log: silentLog,
    ...more,
  });
  stopping = new AbortController();
  running = manager.run(stopping.signal);
};

const podNamed = (name: string, spec: Partial<Pod['spec']> = {}): Pod =>
  testPod({ metadata: { name, uid: name }, spec });
const runPods = async (...pods: readonly Pod[]) => {
  await bench.run(...pods);
  await bench.until(() =>
    pods.every(({ metadata }) => bench.status(metadata.uid).phase === 'Running'),
  );
};
const short = () => (seen = { 'memory.available': { available: 50 * MI, capacity: 4 * GI } });
const evicted = () =>
  ['a', 'b', 'c'].filter((uid) => bench.status(uid).reason === 'Evicted').join('');

it('evicts one pod after another, the greediest first, until there is enough', async () => {
  for (const [name, used] of [
    ['a', 10],
    ['b', 300],
    ['c', 30],
  ] as const)
    memory.set(name, used * MI);
  const critical = podNamed('c', { priority: 2_000_000_000 });
  await runPods(podNamed('a'), podNamed('b'), critical);
  watch({ evictionHard: { 'memory.available': '100Mi' } });
  await bench.until(() => bench.clock.monotonicMs() > 30_000);
  expect([evicted(), told]).toEqual(['', 0]);

  short();
  await bench.until(() => evicted() === 'b');
  const message =
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
    'Container web was using 300Mi, request is 0, has larger consumption of memory. ';
  expect(bench.status('b')).toMatchObject({ phase: 'Failed', reason: 'Evicted', message });
  expect(bench.status('b').conditions).toContainEqual(
    expect.objectContaining({
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'TerminationByKubelet',
      message,
    }),
  );
  expect(bench.events()).toEqual(
    expect.arrayContaining([
      'NodeHasInsufficientMemory: Node n1 status is now: NodeHasInsufficientMemory',
      'EvictionThresholdMet: Attempting to reclaim memory',
      `Evicted: ${message}`,
    ]),
  );
  // It ignores SIGTERM: the next look comes when it is gone.
  await bench.until(() => evicted() === 'ab');
  expect(bench.status('b').containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137);
  seen = { 'memory.available': { available: GI, capacity: 4 * GI } };
  await bench.until(() => manager.pressures.size === 0, 120_000);
  expect([evicted(), bench.status('c').phase, told]).toEqual(['ab', 'Running', 2]);
  expect(bench.events()).toContain(
    'NodeHasSufficientMemory: Node n1 status is now: NodeHasSufficientMemory',
  );
});

it('evicts no pod when the images that nobody uses were enough', async () => {
  await runPods(podNamed('a'));
  seen = { 'nodefs.available': { available: 5, capacity: 100 } };
  onReclaim = () => (seen = { 'nodefs.available': { available: 50, capacity: 100 } });
  watch({ evictionHard: { 'nodefs.available': '10%' } });
  await bench.until(() => manager.pressures.has('DiskPressure'));
  await bench.until(() => manager.pressures.size === 0, 120_000);
  expect(evicted()).toBe('');
});

it('evicts no second pod before what the first has written is gone', async () => {
  const volumes = [{ name: 'data', emptyDir: {} }];
  const [a, b] = [podNamed('a', { volumes }), podNamed('b', { volumes })];
  await runPods(a, b);
  const folders = [a, b].map((pod) => bench.deps.volumes.diskPath(pod, 'data') ?? '');
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const isFull = () => folders.every((folder) => existsSync(folder));
  observe = () => ({ 'nodefs.available': { available: isFull() ? 5 : 50, capacity: 100 } });
  watch({ evictionHard: { 'nodefs.available': '10%' } });
  await bench.until(() => evicted() !== '');
  await bench.until(() => manager.pressures.size === 0, 120_000);
  expect([evicted().length, isFull()]).toEqual([1, false]);
});

it('gives a pod its grace when a soft threshold is met', async () => {
  await runPods(podNamed('a', { terminationGracePeriodSeconds: 20 }));
  short();
  watch(
    {
      evictionSoft: { 'memory.available': '100Mi' },
      evictionSoftGracePeriodMs: { 'memory.available': 30_000 },
    },
    { softGraceMaxMs: 10_000 },
  );
  const beganMs = bench.clock.monotonicMs();
  await bench.until(() => bench.events().some((each) => each.startsWith('Evicted')), 120_000);
  const evictedMs = bench.clock.monotonicMs();
  expect(evictedMs - beganMs).toBeGreaterThanOrEqual(30_000);
  await bench.until(
    () => bench.status('a').containerStatuses?.[0]?.state?.terminated !== undefined,
  );
  const tookMs = bench.clock.monotonicMs() - evictedMs;
  expect(tookMs).toBeGreaterThanOrEqual(9_000);
  expect(tookMs).toBeLessThan(20_000);
});

it('lets in under pressure what asked for memory or is critical, and nothing when the disk is full', async () => {
  watch({ evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%' } });
  const burstable = podNamed('a', {
    containers: [testContainer({ resources: { requests: { memory: '1Mi' } } })],
  });
  const tolerant = podNamed('a', {
    tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }],
  });
  const critical = podNamed('a', { priority: 2_000_001_000 });
  expect(manager.refuse(podNamed('a'))).toBeUndefined();
  short();
  await bench.until(() => manager.pressures.size === 1);
  expect(manager.refuse(podNamed('a'))).toEqual({
    reason: 'Evicted',
    message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
  });
  expect([burstable, tolerant, critical].map((pod) => manager.refuse(pod))).toEqual([
    ...[undefined, undefined, undefined],
  ]);
  seen = { 'nodefs.available': { available: 5, capacity: 100 } };
  await bench.until(() => manager.pressures.size === 2);
  expect(manager.refuse(burstable)?.reason).toBe('Evicted');
  expect(manager.refuse(critical)).toBeUndefined();
});
