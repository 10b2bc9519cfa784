import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import type { ObservedContainer } from '../inventory/observe';
import { PodPaths } from '../inventory/pod-paths';
import { terminationMessageOf } from '../containers/termination-message';
import { createPodBench, testContainer, testPod } from './testing';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ends-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const NEVER = { exec: { command: ['probe'] }, periodSeconds: 1, failureThreshold: 1 };

it.each(['livenessProbe', 'startupProbe'])(
  'gives a container whose %s fails the grace of that probe, not of the pod',
  async (name) => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const runtime = new FakeContainerRuntime({ clock, ignoresSigterm: () => true });
    const probeAction = () => Promise.resolve({ succeeded: false, output: '' });
    const bench = createPodBench({ directory, clock, runtime, probeAction });
    const kills = () => runtime.calls.filter((call) => call.startsWith('kill'));
    try {
      const probe = { ...NEVER, terminationGracePeriodSeconds: 3 };
      const containers = [testContainer({ [name]: probe })];
      await bench.run(testPod({ spec: { containers, terminationGracePeriodSeconds: 600 } }));
      await bench.until(() => kills().length > 0);
      const termMs = clock.monotonicMs();
      await bench.until(() => kills().length > 1);
      expect(kills()[1]).toMatch(/ 9$/);
      expect(clock.monotonicMs() - termMs).toBeLessThan(10_000);
    } finally {
      await bench.stop();
    }
  },
);

it.each([
  ['File', 1, undefined],
  ['FallbackToLogsOnError', 1, 'the last line\n'],
  ['FallbackToLogsOnError', 0, undefined],
])('takes the log for last words by the policy %s after exit code %i: %p', (policy, code, said) => {
  const paths = new PodPaths(directory, join(directory, 'run'));
  const container = testContainer({ terminationMessagePolicy: policy });
  const pod = testPod({ spec: { containers: [container] } });
  const log = paths.logPath(pod, 'web', 0);
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, '2026-01-01T00:00:00.000000000Z stdout F the last line\n');
  const run = {
    id: 'c',
    name: 'web',
    restartCount: 0,
    state: { status: 'exited', exit: { exitCode: code } },
  } as ObservedContainer;
  expect(terminationMessageOf(paths, pod, run)).toBe(said);
});
