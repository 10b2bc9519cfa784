import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createPodBench, testContainer, testPod, type PodBench } from './testing';

const HOUR_MS = 3_600_000;

let directory: string;
let bench: PodBench;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-clock-'));
  bench = createPodBench({ directory });
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const web = () => bench.status().containerStatuses?.find(({ name }) => name === 'web');
const isBackingOff = () => web()?.state?.waiting?.reason === 'CrashLoopBackOff';

describe.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])('when somebody sets the clock an hour %s', (_title, byMs) => {
  it('restarts a failed container after its back-off, not sooner or later', async () => {
    await bench.run(testPod({ spec: { containers: [testContainer({ command: ['false'] })] } }));
    await bench.until(isBackingOff);
    expect(web()?.restartCount).toBe(1);
    const sinceMs = bench.clock.monotonicMs();
    bench.clock.setBy(byMs);
    bench.manager.objectsChanged();
    await bench.until(() => (web()?.restartCount ?? 0) > 1, 15_000);
    expect(bench.clock.monotonicMs() - sinceMs).toBeGreaterThanOrEqual(9_000);
  });

  it('tries a missing image again after its back-off', async () => {
    await bench.run(testPod({ spec: { containers: [testContainer({ image: 'late:1' })] } }));
    await bench.until(() => web()?.state?.waiting?.reason === 'ImagePullBackOff');
    bench.clock.setBy(byMs);
    bench.images.publish('late:1');
    await bench.until(() => web()?.state?.running !== undefined, 15_000);
  });

  it('tries a container that could not be made again soon', async () => {
    const configMapRef = { name: 'late' };
    const container = testContainer({ envFrom: [{ configMapRef }] });
    await bench.run(testPod({ spec: { containers: [container] } }));
    await bench.until(() => web()?.state?.waiting?.reason === 'CreateContainerConfigError');
    const toldCount = () => bench.events().filter((text) => text.startsWith('Failed: ')).length;
    const before = toldCount();
    bench.clock.setBy(byMs);
    await bench.until(() => toldCount() > before, 15_000);
  });

  it('ends a pod at its deadline', async () => {
    await bench.run(testPod({ spec: { activeDeadlineSeconds: 30 } }));
    await bench.until(() => web()?.state?.running !== undefined);
    const sinceMs = bench.clock.monotonicMs();
    bench.clock.setBy(byMs);
    await bench.until(() => bench.status().reason === 'DeadlineExceeded', 35_000);
    expect(bench.clock.monotonicMs() - sinceMs).toBeGreaterThanOrEqual(25_000);
  });
});
