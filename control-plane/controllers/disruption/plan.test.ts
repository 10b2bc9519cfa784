import fc from 'fast-check';
import type { Pod, PodDisruptionBudget } from '../../../api/types';
import { awaitedIn, budgetStatus, demandOf } from './plan';

const NOW = '2026-01-01T00:00:00Z';

interface Look {
  readonly isReady: boolean;
  readonly isGoing: boolean;
  readonly isEvicted: boolean;
}

const podOf = (look: Look, i: number): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name: `p${i}`, namespace: 'default', uid: `u${i}` },
    ...(look.isGoing ? { deletionTimestamp: NOW } : {}),
  },
  spec: { containers: [] },
  status: { conditions: [{ type: 'Ready', status: look.isReady ? 'True' : 'False' }] },
});

const budgetOf = (spec: object, status?: object): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default', generation: 3 },
  spec,
  ...(status === undefined ? {} : { status: status as NonNullable<PodDisruptionBudget['status']> }),
});

it.each<[object, number, number, number, number]>([
  [{ minAvailable: 2 }, 5, 9, 5, 2],
  [{ minAvailable: '50%' }, 5, 9, 9, 5],
  [{ minAvailable: '100%' }, 5, 9, 9, 9],
  [{ maxUnavailable: 2 }, 5, 9, 9, 7],
  [{ maxUnavailable: 20 }, 5, 9, 9, 0],
  [{ maxUnavailable: '30%' }, 5, 7, 7, 4],
  [{ maxUnavailable: '1%' }, 5, 1, 1, 0],
  [{ maxUnavailable: '0%' }, 5, 7, 7, 7],
  [{}, 5, 7, 0, 0],
])(
  '%j of %i pods that should be %i: %i expected, %i healthy',
  (spec, pods, scale, all, healthy) => {
    expect(demandOf(budgetOf(spec), pods, scale)).toEqual({
      expectedPods: all,
      desiredHealthy: healthy,
    });
  },
);

const looks = fc.array(
  fc.record({ isReady: fc.boolean(), isGoing: fc.boolean(), isEvicted: fc.boolean() }),
  { maxLength: 12 },
);

it('allows what is healthy beyond what must be, and never counts a pod whose eviction was allowed', () => {
  fc.assert(
    fc.property(
      looks,
      fc.oneof(
        fc.nat({ max: 14 }),
        fc.nat({ max: 100 }).map((share) => `${share}%`),
      ),
      fc.boolean(),
      fc.nat({ max: 20 }),
      (states, amount, isMin, scale) => {
        const pods = states.map(podOf);
        const disruptedPods = Object.fromEntries(
          states.flatMap(({ isEvicted }, i) => (isEvicted ? [[`p${i}`, NOW]] : [])),
        );
        const budget = budgetOf(isMin ? { minAvailable: amount } : { maxUnavailable: amount }, {
          disruptedPods: { ...disruptedPods, gone: NOW },
        });
        const demand = demandOf(budget, pods.length, scale);
        const awaited = awaitedIn(budget, pods);
        const status = budgetStatus(budget, pods, awaited, demand, NOW);
        const left = states.filter((each) => each.isReady && !each.isGoing && !each.isEvicted);
        expect(status.currentHealthy).toBe(left.length);
        expect(status.disruptionsAllowed).toBeGreaterThanOrEqual(0);
        expect(status.disruptionsAllowed).toBeLessThanOrEqual(left.length);
        if (status.disruptionsAllowed > 0)
          expect(left.length - status.disruptionsAllowed).toBe(demand.desiredHealthy);
        expect(status.conditions).toMatchObject([
          { type: 'DisruptionAllowed', status: status.disruptionsAllowed > 0 ? 'True' : 'False' },
        ]);
        expect(status.observedGeneration).toBe(3);
        const going = states.flatMap((each, i) =>
          each.isEvicted && !each.isGoing ? [`p${i}`] : [],
        );
        expect(Object.keys(status.disruptedPods ?? {})).toEqual(going);
        // Said once, it is not said again.
        const next = { ...budget, status };
        expect(
          budgetStatus(next, pods, awaitedIn(next, pods), demand, '2027-01-01T00:00:00Z'),
        ).toBe(status);
      },
    ),
  );
});

it('allows nothing while no pod is expected', () => {
  const budget = budgetOf({ minAvailable: 0 });
  const status = budgetStatus(budget, [], [], demandOf(budget, 0, 0), NOW);
  expect(status).toMatchObject({
    disruptionsAllowed: 0,
    conditions: [{ reason: 'InsufficientPods', message: '', lastTransitionTime: NOW }],
  });
});
