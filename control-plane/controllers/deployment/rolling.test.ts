import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../../../api/types';
import {
  availableOf,
  newSetSize,
  rollingLimits,
  scaleProportionally,
  shrinkOldSets,
  sizeOf,
} from './rolling';

const deployment = (
  replicas: number,
  maxSurge: number | string = '25%',
  maxUnavailable: number | string = '25%',
): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', uid: 'd' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  },
  status: {},
});

const set = (name: string, replicas: number, available = replicas): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name, namespace: 'default', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { replicas, selector: {} },
  status: { replicas, availableReplicas: available },
});

it.each([
  [10, '25%', '25%', 3, 2],
  [1, '25%', '25%', 1, 0],
  [3, 0, 0, 0, 1],
  [4, 1, '50%', 1, 2],
])('of %i replicas, surge %s and unavailable %s', (replicas, surge, unavailable, s, u) => {
  expect(rollingLimits(deployment(replicas, surge, unavailable))).toEqual({
    maxSurge: s,
    maxUnavailable: u,
  });
});

it('shrinks pods that are not healthy before healthy ones', () => {
  const resizes = shrinkOldSets(deployment(4, 1, 0), set('new', 1), [
    set('sick', 2, 0),
    set('well', 2, 2),
  ]);
  expect(resizes.map(({ replicaSet, replicas }) => [replicaSet.metadata.name, replicas])).toEqual([
    ['sick', 1],
  ]);
});

it('adds no pod while an old set still has those that it was told to give up', () => {
  const old = set('old', 1);
  const slow = { ...old, status: { ...old.status, replicas: 2 } };
  expect(newSetSize(deployment(4, 1, 1), 3, [slow])).toBe(3);
  expect(newSetSize(deployment(4, 1, 1), 3, [old])).toBe(4);
});

it('rolls any deployment to its new set within the surge and the minimum', () => {
  const size = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(size, fc.nat(4), fc.nat(4), fc.nat(12), (desired, surge, unavailable, first) => {
      const target = deployment(desired, surge, unavailable);
      const { maxSurge, maxUnavailable } = rollingLimits(target);
      let fresh = set('new', 0);
      let old = [
        set('old-1', Math.min(first, desired)),
        set('old-2', Math.max(0, desired - first)),
      ];
      for (let step = 0; step < 100; step++) {
        const next = newSetSize(target, sizeOf([fresh]), old);
        if (next !== sizeOf([fresh])) fresh = set('new', next);
        else {
          const resizes = shrinkOldSets(target, fresh, old);
          old = old.map((each) => {
            const resize = resizes.find(({ replicaSet }) => replicaSet === each);
            return resize === undefined ? each : set(each.metadata.name, resize.replicas);
          });
        }
        const total = sizeOf([fresh, ...old]);
        expect(total).toBeLessThanOrEqual(desired + maxSurge);
        expect(total).toBeGreaterThanOrEqual(desired - maxUnavailable);
      }
      expect(sizeOf([fresh])).toBe(desired);
      expect(sizeOf(old)).toBe(0);
    }),
  );
});

it('never adds beyond the surge nor takes an available pod too many, whatever pods do', () => {
  const sizes = fc.tuple(fc.nat(8), fc.nat(8), fc.nat(8));
  const steps = fc.array(fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.nat(10),
      fc.nat(4),
      fc.nat(4),
      sizes,
      steps,
      (desired, surge, gap, first, luck) => {
        const target = deployment(desired, surge, gap);
        const { maxSurge, maxUnavailable } = rollingLimits(target);
        const minAvailable = desired - maxUnavailable;
        let fresh = set('new', Math.min(first[0], desired));
        let old = [set('old-1', first[1]), set('old-2', first[2])];
        for (const [a, b, c] of luck) {
          fresh = withAvailable(fresh, a);
          old = old.map((each, i) => withAvailable(each, i === 0 ? b : c));
          const before = sizeOf([fresh, ...old]);
          const next = newSetSize(target, sizeOf([fresh]), old);
          expect(next).toBeGreaterThanOrEqual(sizeOf([fresh]));
          if (next > sizeOf([fresh])) {
            expect(before + next - sizeOf([fresh])).toBeLessThanOrEqual(desired + maxSurge);
            fresh = set('new', next, fresh.status.availableReplicas);
            continue;
          }
          const resizes = shrinkOldSets(target, fresh, old);
          const after = old.map((each) => {
            const resize = resizes.find(({ replicaSet }) => replicaSet === each);
            return resize === undefined ? each : shrunk(each, resize.replicas);
          });
          const availableBefore = availableOf([fresh, ...old]);
          const availableAfter = availableOf([fresh, ...after]);
          expect(availableAfter).toBeGreaterThanOrEqual(Math.min(availableBefore, minAvailable));
          old = after;
        }
      },
    ),
  );
});

it('finishes once pods become available, from whatever state', () => {
  const sizes = fc.tuple(fc.nat(8), fc.nat(8), fc.nat(8), fc.nat(8), fc.nat(8));
  fc.assert(
    fc.property(fc.nat(10), fc.nat(4), fc.nat(4), sizes, (desired, surge, gap, [n, a, b, x, y]) => {
      const target = deployment(desired, surge, gap);
      let fresh = set('new', Math.min(n, desired));
      let old = [set('old-1', a, Math.min(a, x)), set('old-2', b, Math.min(b, y))];
      for (let step = 0; step < 60; step++) {
        const next = newSetSize(target, sizeOf([fresh]), old);
        const resizes = next > sizeOf([fresh]) ? [] : shrinkOldSets(target, fresh, old);
        fresh = set('new', next);
        old = old.map((each) => {
          const resize = resizes.find(({ replicaSet }) => replicaSet === each);
          return resize === undefined ? each : shrunk(each, resize.replicas);
        });
      }
      expect([sizeOf([fresh]), sizeOf(old)]).toEqual([desired, 0]);
    }),
  );
});

/** Some of its pods are available: `percent` of them. */
const withAvailable = (from: ReplicaSet, percent: number): ReplicaSet =>
  set(from.metadata.name, sizeOf([from]), Math.floor((sizeOf([from]) * percent) / 100));

/** Pods that are not available go first, as the replica set controller has it. */
const shrunk = (from: ReplicaSet, replicas: number): ReplicaSet =>
  set(from.metadata.name, replicas, Math.min(replicas, availableOf([from])));

it('scales live sets in proportion and lands on the allowed total', () => {
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 4 }),
      (desired, sizes) => {
        const live = sizes.map((size, i) => set(`s${i}`, size));
        const target = deployment(desired, 2, 0);
        const resizes = scaleProportionally(target, live, () => sizeOf(live));
        const total = live.reduce(
          (sum, each) =>
            sum +
            (resizes.find(({ replicaSet }) => replicaSet === each)?.replicas ?? sizeOf([each])),
          0,
        );
        expect(total).toBe(desired === 0 ? 0 : desired + 2);
      },
    ),
  );
});
