import { ManualClock } from '../../lib/clock';
import { seededRandom } from '../../lib/random';
import { FakeContainerRuntime } from '../../runtime/containers';
import { ProbeRunner, type ProbeListener } from './probe-runner';

const SILENT: ProbeListener = {
  onChange: () => undefined,
  onFailure: () => undefined,
  onUnhealthy: () => undefined,
};

/** Containers that started `agoMs` before; returns when each was probed first. */
const firstProbes = async (agoMs: number, count: number, initialDelaySeconds: number) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const beginMs = clock.now();
  const first = new Map<string, number>();
  const runner = new ProbeRunner({
    runtime: new FakeContainerRuntime({ clock }),
    clock,
    random: seededRandom(1),
    slackMs: 10_000,
    action: ({ containerId }) => {
      if (!first.has(containerId)) first.set(containerId, clock.now() - beginMs);
      return Promise.resolve({ succeeded: true, output: '' });
    },
  });
  for (let i = 0; i < count; i++) {
    const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 10, initialDelaySeconds };
    const container = { name: 'web', livenessProbe };
    const target = { containerId: `c${i}`, container, podIp: '', startedAtMs: beginMs - agoMs };
    runner.watch(target, { started: false, ready: false }, SILENT);
  }
  await clock.advance(400_000);
  for (let i = 0; i < count; i++) runner.unwatch(`c${i}`);
  return [...first.values()];
};

it('counts the initial delay from the start of the container', async () => {
  expect(await firstProbes(0, 1, 300)).toEqual([300_000]);
  expect(await firstProbes(120_000, 1, 300)).toEqual([180_000]);
});

it('spreads the first probes of containers that ran before', async () => {
  const delays = await firstProbes(3_600_000, 20, 300);
  expect(delays).toHaveLength(20);
  expect(new Set(delays).size).toBeGreaterThan(15);
  expect(Math.max(...delays)).toBeLessThan(10_000);
});

/** What a listener hears of a probe whose answers come one after another, with the seconds. */
const heard = async (
  probe: object,
  kind: 'readiness' | 'liveness',
  answers: readonly (boolean | undefined)[],
) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const beginMs = clock.now();
  const said: string[] = [];
  const note = (what: string) => said.push(`${what} ${(clock.now() - beginMs) / 1000}`);
  let next = 0;
  const runner = new ProbeRunner({
    runtime: new FakeContainerRuntime({ clock }),
    clock,
    random: seededRandom(1),
    slackMs: 1_000,
    action: () => {
      const succeeded = answers[Math.min(next++, answers.length - 1)];
      const unknown = { succeeded: false, output: '', isUnknown: true as const };
      return Promise.resolve(succeeded === undefined ? unknown : { succeeded, output: '' });
    },
  });
  const container = { name: 'web', [`${kind}Probe`]: { exec: { command: ['true'] }, ...probe } };
  const target = { containerId: 'c', container, podIp: '', startedAtMs: beginMs };
  runner.watch(
    target,
    { started: true, ready: false },
    { onChange: () => note('change'), onFailure: () => undefined, onUnhealthy: () => note('end') },
  );
  await clock.advance(60_000);
  runner.unwatch('c');
  return said;
};

it('believes a probe after as many answers as its thresholds say, asked in its period', async () => {
  const probe = { periodSeconds: 2, successThreshold: 3, failureThreshold: 2 };
  const answers = [true, true, true, false, true, false, false];
  expect(await heard(probe, 'readiness', answers)).toEqual(['change 4', 'change 12']);
  const thrice = { periodSeconds: 5, failureThreshold: 3 };
  expect(await heard(thrice, 'liveness', [false])).toEqual(['end 10']);
});

it('believes nothing of a probe that could not be tried', async () => {
  const probe = { periodSeconds: 1, failureThreshold: 2 };
  expect(await heard(probe, 'liveness', [undefined])).toEqual([]);
  expect(await heard(probe, 'readiness', [true, false, undefined, false, undefined])).toEqual([
    'change 0',
    'change 3',
  ]);
});
