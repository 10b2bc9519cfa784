import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import { createPodBench, testContainer, testPod, type PodBench } from './testing';

let bench: PodBench;
let clock: ManualClock;
let runtime: FakeContainerRuntime;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stuck-'));
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  runtime = new FakeContainerRuntime({ clock });
  bench = createPodBench({ directory, clock, runtime });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const podNamed = (name: string) => testPod({ metadata: { name, uid: `uid-${name}` } });
const stuckPods = Array.from({ length: 8 }, (_, index) => podNamed(`stuck-${index}`));
const ok = podNamed('ok');
const isStuck = (sandboxId: string) => sandboxId.includes('stuck');
const isRunning = (uid: string) => bench.status(uid).containerStatuses?.[0]?.state?.running;
const gone = (name: string) => bench.manager.worker(`uid-${name}`) === undefined;

/** Stops the agent's pods; says how long it took. */
const stopped = async (): Promise<number> => {
  const beganMs = clock.monotonicMs();
  let endedMs: number | undefined;
  const ended = bench.stop().then(() => (endedMs = clock.monotonicMs()));
  await bench.until(() => endedMs !== undefined);
  await ended;
  return endedMs! - beganMs;
};

it.each(['createSandbox', 'createContainer', 'startContainer'] as const)(
  'starts the next pod beside eight that are stuck in %s, deletes them and stops in time',
  async (method) => {
    runtime.hang(method, isStuck);
    await bench.run(...stuckPods);
    await clock.advance(1);
    await bench.run(...stuckPods, ok);
    await bench.until(() => isRunning('uid-ok') !== undefined, 10_000);
    // All but one go: the server says so, then forgets them.
    const [last = ok, ...others] = stuckPods;
    await bench.run(last, ok);
    await bench.until(() => others.every(({ metadata }) => gone(metadata.name)), 60_000);
    expect(isRunning('uid-ok')).toBeDefined();
    expect(await stopped()).toBeLessThanOrEqual(1_000);
  },
);

it('gives up a start that does not end, says so, and tries again', async () => {
  runtime.hang('startContainer', isStuck);
  await bench.run(podNamed('stuck-0'));
  await bench.until(
    () => bench.events().some((text) => text.includes('did not end within 120 s')),
    180_000,
  );
  const starts = () => runtime.calls.filter((call) => call.startsWith('startContainer')).length;
  await bench.until(() => starts() >= 2, 60_000);
  await stopped();
});

it.each(['kill', 'removeSandbox', 'removeContainer'] as const)(
  'stops in time while %s never returns, and tries again until then',
  async (method) => {
    await bench.run(podNamed('a'));
    await bench.until(() => isRunning('uid-a') !== undefined);
    runtime.hang(method, () => true);
    await bench.run();
    await clock.advance(300_000);
    const calls = runtime.calls.filter((call) => call.startsWith(method));
    expect(calls.length).toBeGreaterThanOrEqual(2);
    expect(await stopped()).toBeLessThanOrEqual(1_000);
  },
);

it('counts a probe that never returns as failed', async () => {
  runtime.hang('exec', () => true);
  const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 2 };
  await bench.run(testPod({ spec: { containers: [testContainer({ livenessProbe })] } }));
  await bench.until(() =>
    bench
      .events()
      .some((text) => /Liveness probe failed: the liveness probe did not end/.test(text)),
  );
  await bench.until(() => (bench.status().containerStatuses?.[0]?.restartCount ?? 0) > 0, 120_000);
  await stopped();
});
