import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PodSpec } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import { createPodBench, testContainer, testPod, type PodBench } from './testing';

const MI = 2 ** 20;

let directory: string;
let layersDir: string;
let bench: PodBench;
let stopping: AbortController;
let house: Promise<void>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-storage-'));
  layersDir = join(directory, 'layers');
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const runtime = new FakeContainerRuntime({ clock, layersDir, ignoresSigterm: () => true });
  bench = createPodBench({ directory, clock, runtime });
  stopping = new AbortController();
  house = bench.manager.keepHouse(() => false, stopping.signal);
});
afterEach(async () => {
  stopping.abort();
  await house;
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const limited = testContainer({ resources: { limits: { 'ephemeral-storage': '10Mi' } } });
const web = () => bench.status().containerStatuses?.[0];
const runPod = async (spec: Partial<PodSpec>) => {
  await bench.run(testPod({ spec: { terminationGracePeriodSeconds: 30, ...spec } }));
  await bench.until(() => web()?.state?.running !== undefined);
};
const write = (folder: string, bytes: number) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'file'), Buffer.alloc(bytes, 1));
};
const layer = () => join(layersDir, (web()?.containerID ?? '').replace('dhow://', ''));
const volume = (name: string) => join(directory, 'pods/uid-1/empty-dir', name);
const becomesEvicted = async (message: string) => {
  await bench.until(() => bench.status().phase === 'Failed');
  expect(bench.status()).toMatchObject({ reason: 'Evicted', message });
  expect(bench.events()).toContain(`Evicted: ${message}`);
};

const POD_MESSAGE =
  'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ';

it('evicts a pod for what its container writes to its root, within a second or two', async () => {
  await runPod({ containers: [limited] });
  write(layer(), 11 * MI);
  await bench.until(() => bench.status().reason === 'Evicted');
  const sinceMs = bench.clock.monotonicMs();
  await becomesEvicted(POD_MESSAGE);
  await bench.until(() => web()?.state?.terminated !== undefined);
  expect(bench.clock.monotonicMs() - sinceMs).toBeLessThan(5_000);
});

it('evicts a pod for its logs and for a volume without a limit of its own', async () => {
  await runPod({ containers: [limited], volumes: [{ name: 'v', emptyDir: {} }] });
  write(join(directory, 'logs/default_web_uid-1/web'), 6 * MI);
  write(volume('v'), 6 * MI);
  await becomesEvicted(POD_MESSAGE);
});

it('evicts a pod for one of its containers', async () => {
  const roomy = testContainer({
    name: 'roomy',
    resources: { limits: { 'ephemeral-storage': '1Gi' } },
  });
  await runPod({ containers: [limited, roomy] });
  write(layer(), 11 * MI);
  await becomesEvicted('Container web exceeded its local ephemeral storage limit "10Mi". ');
});

it('evicts a pod for a volume beyond its size limit', async () => {
  await runPod({ volumes: [{ name: 'v', emptyDir: { sizeLimit: '10Mi' } }] });
  write(volume('v'), 11 * MI);
  await becomesEvicted('Usage of EmptyDir volume "v" exceeds the limit "10Mi". ');
});

it('lets a pod be that stays within its limits', async () => {
  await runPod({ containers: [limited], volumes: [{ name: 'v', emptyDir: { sizeLimit: '5Mi' } }] });
  write(layer(), 4 * MI);
  write(volume('v'), 4 * MI);
  const sinceMs = bench.clock.monotonicMs();
  await bench.until(() => bench.clock.monotonicMs() - sinceMs > 30_000);
  expect(bench.status().phase).toBe('Running');
});
