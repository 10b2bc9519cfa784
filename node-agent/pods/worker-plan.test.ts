import fc from 'fast-check';

import type { Pod } from '../../api/types';
import type { ObservedContainer } from '../inventory/observe';
import { graceOf, isFinalRefusal, nextToEnd, untilNext } from './worker-plan';

const podOf = (seconds: number, isStatic = false) =>
  ({
    metadata: {
      name: 'p',
      ...(isStatic ? { annotations: { 'kubernetes.io/config.source': 'file' } } : {}),
    },
    spec: { terminationGracePeriodSeconds: seconds, containers: [{ name: 'a' }, { name: 'b' }] },
  }) as unknown as Pod;

const runOf = (name: string, isAlive: boolean) =>
  ({
    id: `${name}-0`,
    name,
    state: { status: isAlive ? 'running' : 'exited' },
  }) as ObservedContainer;

it.each([
  ['its own', { pod: podOf(30), isRemoved: false, graceMaxMs: Infinity }, 30_000],
  ['a shorter one', { pod: podOf(30), isRemoved: false, graceMaxMs: 500 }, 500],
  ['little, deleted by force', { pod: podOf(30), isRemoved: true, graceMaxMs: Infinity }, 2_000],
  ['its own, of a file', { pod: podOf(30, true), isRemoved: true, graceMaxMs: Infinity }, 30_000],
])('gives a pod %s grace', (_, given, graceMs) => {
  expect(graceOf(given)).toBe(graceMs);
});

it('ends main containers before sidecars, and those from the last to the first', () => {
  const namesOf = (alive: readonly string[]) =>
    nextToEnd(
      podOf(1),
      ['s', 't', 'a', 'b'].map((name) => runOf(name, alive.includes(name))),
    ).map(({ name }) => name);
  expect(namesOf(['s', 't', 'a', 'b'])).toEqual(['a', 'b']);
  expect(namesOf(['s', 'b'])).toEqual(['b']);
  expect(namesOf(['s', 't'])).toEqual(['t', 's']);
  expect(namesOf([])).toEqual([]);
});

it('waits with a refusal only for labels that may be late, and not for long', () => {
  const times = { refusedSinceMs: 100, nowMs: 150, retryMs: 100 };
  const refusal = { reason: 'NodeAffinity', message: '' };
  expect(isFinalRefusal(refusal, times)).toBe(true);
  expect(isFinalRefusal({ ...refusal, mayBeStale: true }, times)).toBe(false);
  expect(isFinalRefusal({ ...refusal, mayBeStale: true }, { ...times, nowMs: 200 })).toBe(true);
});

it('sleeps until the first of the times to come, and past none', () => {
  const time = fc.option(fc.nat(1_000), { nil: undefined });
  fc.assert(
    fc.property(fc.array(time), fc.nat(1_000), (times, nowMs) => {
      const idleMs = untilNext([...times, nowMs + 500], nowMs);
      expect(idleMs).toBeGreaterThan(0);
      expect(idleMs).toBeLessThanOrEqual(500);
      const passed = times.filter((at) => at !== undefined && at > nowMs && at < nowMs + idleMs);
      expect(passed).toEqual([]);
    }),
  );
});
