import fc from 'fast-check';
import { isPodActive } from '../../api/pods';
import type { Pod } from '../../api/types';
import { planReplicas, UNASSIGNED_MAX, waitOf } from './replica-set-plan';

const pod = (
  name: string,
  more: Partial<{ phase: string; nodeName: string; ready: boolean; cost: string }> = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: name,
    annotations:
      more.cost === undefined ? {} : { 'controller.kubernetes.io/pod-deletion-cost': more.cost },
  },
  spec: {
    containers: [],
    ...(more.nodeName === undefined ? {} : { nodeName: more.nodeName }),
  },
  status: {
    phase: more.phase ?? 'Running',
    conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
  },
});

it.each([
  ['creates what is missing', 2, [pod('a', { nodeName: 'n1' })], 1, []],
  ['does nothing when all is there', 1, [pod('a', { nodeName: 'n1' })], 0, []],
  ['gives up the unbound pod first', 1, [pod('a'), pod('b', { nodeName: 'n1' })], 0, ['a']],
  [
    'gives up the pod that is not ready first',
    1,
    [pod('a', { nodeName: 'n1' }), pod('b', { nodeName: 'n2', ready: false })],
    0,
    ['b'],
  ],
  [
    'gives up the pod first whose deletion costs least',
    2,
    [
      pod('a', { nodeName: 'n1', cost: '10' }),
      pod('b', { nodeName: 'n2', cost: '-5' }),
      pod('c', { nodeName: 'n2' }),
    ],
    0,
    ['b'],
  ],
  [
    'thins out the crowded node first',
    2,
    [pod('a', { nodeName: 'n1' }), pod('b', { nodeName: 'n2' }), pod('c', { nodeName: 'n2' })],
    0,
    ['b'],
  ],
])('%s', (_title, replicas, owned, createCount, removed) => {
  const plan = planReplicas(replicas, owned);
  expect(plan.createCount).toBe(createCount);
  expect(plan.remove.map((p) => p.metadata.name)).toEqual(removed);
});

it('lets no more than a thousand pods wait for a node, and says so', () => {
  const waiting = Array.from({ length: UNASSIGNED_MAX - 1 }, (_, i) => pod(`w-${i}`));
  const placed = Array.from({ length: 50 }, (_, i) => pod(`p-${i}`, { nodeName: 'n1' }));
  expect(planReplicas(2 ** 31 - 1, placed).createCount).toBe(UNASSIGNED_MAX);
  expect(planReplicas(2 ** 31 - 1, [...placed, ...waiting]).createCount).toBe(1);
  expect(waitOf(2 ** 31 - 1, waiting)).toBeUndefined();
  const full = [...placed, ...waiting, pod('last')];
  expect(planReplicas(2 ** 31 - 1, full).createCount).toBe(0);
  expect(waitOf(2 ** 31 - 1, full)?.message).toContain('1000 pods wait for a node');
  expect(waitOf(full.length, full)).toBeUndefined();
});

it('lands on the desired count from any state, and removes each pod once', () => {
  const arbitraryPods = fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 3 }),
      nodeName: fc.constantFrom('n1', 'n2', 'n3'),
      ready: fc.boolean(),
    }),
    { selector: ({ name }) => name, maxLength: 20 },
  );
  fc.assert(
    fc.property(fc.nat(20), arbitraryPods, (replicas, drafts) => {
      const owned = drafts.map(({ name, ...more }) => pod(name, more)).filter(isPodActive);
      const plan = planReplicas(replicas, owned);
      expect(owned.length + plan.createCount - plan.remove.length).toBe(replicas);
      expect(new Set(plan.remove).size).toBe(plan.remove.length);
    }),
  );
});
