import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FakeContainerRuntime } from '../../runtime/containers';
import { ManualClock } from '../../lib/clock';
import { createPodBench, testContainer, testPod, type PodBench } from './testing';

let bench: PodBench;
let clock: ManualClock;
let runtime: FakeContainerRuntime;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hooks-'));
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  runtime = new FakeContainerRuntime({ clock, ignoresSigterm: () => true });
  bench = createPodBench({ directory, clock, runtime });
});

afterEach(async () => {
  await bench.stop();
  rmSync(directory, { recursive: true, force: true });
});

const command = (script: string) => ({ exec: { command: ['sh', '-c', script] } });
const callsOf = (method: string) => runtime.calls.filter((call) => call.startsWith(method));

it('ends a container whose postStart hook fails by preStop, SIGTERM and grace', async () => {
  const lifecycle = {
    postStart: command('echo a-secret; exit 3'),
    preStop: command('echo bye'),
  };
  const containers = [testContainer({ lifecycle })];
  await bench.run(testPod({ spec: { containers, terminationGracePeriodSeconds: 20 } }));
  await bench.until(() => callsOf('kill').length > 0);
  expect(callsOf('exec')[1]).toMatch(/echo bye/);
  expect(callsOf('kill')).toEqual([expect.stringMatching(/ 15$/)]);
  const termMs = clock.monotonicMs();
  await bench.until(() => callsOf('kill').length > 1);
  expect(callsOf('kill')[1]).toMatch(/ 9$/);
  expect(clock.monotonicMs() - termMs).toBeGreaterThan(18_000);
  expect(bench.events()).toContain('FailedPostStartHook: PostStartHook failed');
  expect(bench.events()).toContain('Killing: FailedPostStartHook');
  expect(bench.events().join()).not.toContain('a-secret');
  await bench.until(() => (bench.status().containerStatuses?.[0]?.restartCount ?? 0) > 0);
});

it('waits before SIGTERM as long as a sleep hook says', async () => {
  const lifecycle = { preStop: { sleep: { seconds: 7 } } };
  const pod = testPod({ spec: { containers: [testContainer({ lifecycle })] } });
  await bench.run(pod);
  await bench.until(() => bench.status().phase === 'Running');
  const beginMs = clock.monotonicMs();
  const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 30 };
  await bench.run({ ...pod, metadata });
  await bench.until(() => callsOf('kill').length > 0);
  expect(clock.monotonicMs() - beginMs).toBeGreaterThanOrEqual(7_000);
});

it('ends a container whose postStart hook is of no kind that there is, as upstream', async () => {
  const lifecycle = { postStart: { tcpSocket: { port: 80 } } };
  await bench.run(testPod({ spec: { containers: [testContainer({ lifecycle })] } }));
  await bench.until(() => callsOf('kill').length > 0);
  expect(bench.events()).toContain('FailedPostStartHook: PostStartHook failed');
});

it('deletes a pod whose postStart hook never ends', async () => {
  const lifecycle = { postStart: command('sleep 100000') };
  const pod = testPod({ spec: { containers: [testContainer({ lifecycle })] } });
  await bench.run(pod);
  await bench.until(() => callsOf('exec').length > 0);
  await bench.run();
  await bench.until(() => bench.manager.worker('uid-1') === undefined);
});

it('keeps what a failing preStop hook prints out of its event', async () => {
  const lifecycle = { preStop: command('echo a-secret; exit 1') };
  const pod = testPod({ spec: { containers: [testContainer({ lifecycle })] } });
  await bench.run(pod);
  await bench.until(() => bench.status().containerStatuses?.[0]?.state?.running !== undefined);
  const deletionTimestamp = '2026-01-01T00:00:30Z';
  const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: 5 };
  await bench.run({ ...pod, metadata });
  await bench.until(() => bench.events().includes('FailedPreStopHook: PreStopHook failed'));
  expect(bench.events().join()).not.toContain('a-secret');
});

it('kills once what the server no longer knows, however often it says so', async () => {
  const pod = testPod({ spec: { containers: [testContainer()] } });
  await bench.run(pod);
  await bench.until(() => bench.status().phase === 'Running');
  await bench.run();
  await bench.until(() => callsOf('kill').length > 0);
  for (let i = 0; i < 3; i++) await bench.run();
  await bench.until(() => runtime.containers().every(({ status }) => status === 'exited'));
  expect(callsOf('kill')).toEqual([expect.stringMatching(/ 15$/), expect.stringMatching(/ 9$/)]);
  expect(bench.events().filter((event) => event.startsWith('Killing'))).toHaveLength(1);
});
