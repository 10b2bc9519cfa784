import type { Node, Pod, Taint } from '../../../api/types';
import { ManualClock } from '../../../lib/clock';
import { Stopwatches } from '../../../lib/stopwatches';
import { evictionAtMs, healthTaints, startOfTaint } from './plan';

const HOUR_MS = 3_600_000;

/** A clock whose wall time somebody sets, while time itself goes on. */
class SettableClock extends ManualClock {
  skewMs = 0;

  override now(): number {
    return super.now() + this.skewMs;
  }
}

const podOn = (clock: ManualClock, tolerationSeconds: number): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', uid: 'p' },
  spec: {
    containers: [],
    nodeName: 'n',
    tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }],
  },
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'True',
        lastTransitionTime: new Date(clock.now()).toISOString(),
      },
    ],
  },
});

const taintAt = (clock: ManualClock): Taint => ({
  key: 'k',
  effect: 'NoExecute',
  timeAdded: new Date(clock.now()).toISOString(),
});

it.each([
  ['stands', 0],
  ['is set an hour ahead', HOUR_MS],
  ['is set an hour back', -HOUR_MS],
])('lets a pod stay as long as it tolerates the taint: the clock %s', async (_title, skewMs) => {
  const clock = new SettableClock(Date.parse('2026-01-01T00:00:00Z'));
  const watches = new Stopwatches(clock);
  const [pod, taint] = [podOn(clock, 30), taintAt(clock)];
  const startMs = clock.monotonicMs();
  startOfTaint('n', taint, watches);
  expect(evictionAtMs(pod, [taint], watches)).toBe(startMs + 30_000);
  clock.skewMs = skewMs;
  await clock.advance(10_000);
  expect(evictionAtMs(pod, [taint], watches)).toBe(startMs + 30_000);
});

it.each([
  ['in the future', '9999-12-31T23:59:59Z'],
  ['that is none', 'yesterday'],
])('takes a time %s for now: never longer than tolerated', (_title, timeAdded) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const taint: Taint = { key: 'k', effect: 'NoExecute', timeAdded };
  const dueMs = evictionAtMs(podOn(clock, 30), [taint], new Stopwatches(clock));
  expect(dueMs).toBe(clock.monotonicMs() + 30_000);
});

it('evicts at once what does not tolerate, never what sets no limit', () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const watches = new Stopwatches(clock);
  const taint = taintAt(clock);
  expect(evictionAtMs(podOn(clock, 0), [taint], watches)).toBe(-Infinity);
  const pod = podOn(clock, 1);
  const patient = { ...pod, spec: { ...pod.spec, tolerations: [{ operator: 'Exists' }] } } as Pod;
  expect(evictionAtMs(patient, [taint], watches)).toBeUndefined();
});

const nodeWith = (
  conditions: Readonly<Record<string, string>>,
  taints: readonly Taint[],
): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n' },
  spec: { taints },
  status: {
    conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })),
  },
});

it('taints a node for what it is short of, and takes that off again', () => {
  const own: Taint = { key: 'dedicated', effect: 'NoSchedule' };
  const short = {
    Ready: 'True',
    MemoryPressure: 'True',
    DiskPressure: 'True',
    PIDPressure: 'True',
  };
  const taints = healthTaints(nodeWith(short, [own]), 'now') ?? [];
  expect(taints.map(({ key, effect }) => `${key}:${effect}`)).toEqual([
    'dedicated:NoSchedule',
    'node.kubernetes.io/memory-pressure:NoSchedule',
    'node.kubernetes.io/disk-pressure:NoSchedule',
    'node.kubernetes.io/pid-pressure:NoSchedule',
  ]);
  expect(healthTaints(nodeWith(short, taints), 'later')).toBeUndefined();
  const relieved = { Ready: 'True', MemoryPressure: 'False', DiskPressure: 'Unknown' };
  expect(healthTaints(nodeWith(relieved, taints), 'later')).toEqual([own]);
  const silent = { Ready: 'Unknown', MemoryPressure: 'Unknown' };
  expect(healthTaints(nodeWith(silent, [own]), 'now')?.map(({ key }) => key)).toEqual([
    'dedicated',
    ...['node.kubernetes.io/unreachable', 'node.kubernetes.io/unreachable'],
  ]);
});
