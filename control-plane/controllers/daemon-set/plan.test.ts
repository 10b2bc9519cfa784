import fc from 'fast-check';
import { isPodReady, isTerminal } from '../../../api/pods';
import type { DaemonSet, Pod } from '../../../api/types';
import {
  daemonSetStatus,
  planDaemons,
  updateLimits,
  type DaemonNode,
  type DaemonPlan,
  type DaemonView,
} from './plan';

interface Model {
  readonly name: string;
  readonly hash: string;
  readonly isReady: boolean;
  readonly phase?: string;
  readonly isGoing?: boolean;
  readonly isBound?: boolean;
  readonly bornMs?: number;
}

const podOf = ({ name, hash, isReady, ...more }: Model, nodeName: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name, namespace: 'default', uid: name },
    labels: { 'controller-revision-hash': hash },
    creationTimestamp: new Date(more.bornMs ?? 0).toISOString(),
    ...(more.isGoing === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { containers: [], ...(more.isBound === false ? {} : { nodeName }) },
  status: {
    phase: more.phase ?? 'Running',
    conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
  },
});

const strategyOf = (rollingUpdate: object | null): DaemonSet['spec']['updateStrategy'] =>
  rollingUpdate === null ? { type: 'OnDelete' } : { type: 'RollingUpdate', rollingUpdate };

const setOf = (rollingUpdate: object | null): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'default', generation: 2 },
  spec: {
    selector: {},
    template: {},
    ...{ updateStrategy: strategyOf(rollingUpdate) },
  } as DaemonSet['spec'],
  status: {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  },
});

const node = (
  name: string,
  pods: readonly Model[],
  more: Partial<DaemonNode> = {},
): DaemonNode => ({
  ...{ name, isThere: true, shouldRun: true, mayStay: true },
  pods: pods.map((pod) => podOf(pod, name)),
  ...more,
});

const viewOf = (
  nodes: readonly DaemonNode[],
  rollingUpdate: object | null = { maxUnavailable: 1 },
  more: Partial<DaemonView> = {},
): DaemonView => ({
  ...{ set: setOf(rollingUpdate), hash: 'new', nodes },
  isLeaving: ({ metadata }) => metadata.deletionTimestamp !== undefined,
  isAvailable: isPodReady,
  mayRetry: () => true,
  ...more,
});

const told = ({ create, remove, held }: DaemonPlan) => ({
  create,
  remove: remove.map(({ pod, why }) => `${pod.metadata.name} ${why}`),
  held,
});

const fresh = (name: string, more: Partial<Model> = {}): Model => ({
  ...{ name, hash: 'new', isReady: true },
  ...more,
});
const old = (name: string, more: Partial<Model> = {}): Model => ({
  ...{ name, hash: 'old', isReady: true },
  ...more,
});

describe('on each node', () => {
  it.each<[string, DaemonNode, object]>([
    ['makes what lacks', node('a', []), { create: ['a'] }],
    ['makes nothing where nothing belongs', node('a', [], { shouldRun: false }), {}],
    ['leaves what may stay', node('a', [fresh('p')], { shouldRun: false }), {}],
    [
      'takes away what may not',
      node('a', [fresh('p')], { shouldRun: false, mayStay: false }),
      { remove: ['p unwanted'] },
    ],
    ['waits for what goes', node('a', [fresh('p', { isGoing: true })]), {}],
    [
      'keeps the one that has its node, then the oldest',
      node('a', [
        fresh('p', { isBound: false }),
        fresh('q', { bornMs: 2 }),
        fresh('r', { bornMs: 1 }),
      ]),
      { remove: ['q unwanted', 'p unwanted'] },
    ],
    [
      'clears away what failed',
      node('a', [fresh('p', { phase: 'Failed' })]),
      { remove: ['p failed'] },
    ],
    [
      'and what came to an end',
      node('a', [fresh('p', { phase: 'Succeeded' })]),
      { remove: ['p succeeded'] },
    ],
    [
      'clears away what waits for a node that is gone',
      node('a', [fresh('p', { isBound: false }), fresh('q')], {
        ...{ isThere: false, shouldRun: false, mayStay: false },
      }),
      { remove: ['p unwanted'] },
    ],
  ])('%s', (_title, each, expected) => {
    expect(told(planDaemons(viewOf([each])))).toEqual({
      ...{ create: [], remove: [], held: [] },
      ...expected,
    });
  });

  it('lets a pod that failed stay for a while, and makes none beside it even if it surges', () => {
    const nodes = [node('a', [fresh('p', { phase: 'Failed' })])];
    const more = { mayRetry: () => false };
    for (const limits of [{ maxUnavailable: 1 }, { maxUnavailable: 0, maxSurge: 1 }])
      expect(told(planDaemons(viewOf(nodes, limits, more)))).toEqual({
        ...{ create: [], remove: [], held: ['a'] },
      });
  });
});

it.each<[string | number, string | number, number, number, number]>([
  [1, 0, 10, 1, 0],
  ['10%', 0, 11, 2, 0],
  ['100%', 0, 3, 3, 0],
  [0, '10%', 11, 0, 2],
  ['0%', '0%', 5, 1, 0],
])('of %s unavailable and %s more on %i nodes: %i, %i', (unavailable, more, count, u, s) => {
  const nodes = Array.from({ length: count }, (_, i) => node(`n${i}`, []));
  const { set } = viewOf(nodes, { maxUnavailable: unavailable, maxSurge: more });
  expect(updateLimits({ set, nodes })).toEqual({ maxUnavailable: u, maxSurge: s });
});

it('leaves old pods to whoever deletes them, when it is told to', () => {
  const nodes = [node('a', [old('p', { isReady: false })]), node('b', [old('q')])];
  expect(told(planDaemons(viewOf(nodes, null)))).toEqual({ create: [], remove: [], held: [] });
});

it('replaces at once what serves nobody', () => {
  const nodes = [node('a', [old('p', { isReady: false })]), node('b', [old('q')])];
  expect(told(planDaemons(viewOf(nodes))).remove).toEqual(['p outdated']);
});

it('stays on nodes that it is to leave until enough others serve', () => {
  const left = { shouldRun: false };
  const surge = { maxUnavailable: 0, maxSurge: 1 };
  const still = [node('a', [old('p')], left), node('b', [fresh('q', { isReady: false })])];
  expect(told(planDaemons(viewOf(still, surge))).remove).toEqual([]);
  const done = [node('a', [old('p')], left), node('b', [fresh('q')])];
  expect(told(planDaemons(viewOf(done, surge))).remove).toEqual(['p outdated']);
});

it('counts as upstream does', () => {
  const nodes = [
    node('a', [fresh('p')]),
    node('b', [old('q'), fresh('r', { isReady: false, bornMs: 1 })]),
    node('c', []),
    node('d', [fresh('s')], { shouldRun: false }),
    node('e', [fresh('t')], { isThere: false, shouldRun: false }),
  ];
  expect(daemonSetStatus(viewOf(nodes), 1)).toEqual({
    ...{ desiredNumberScheduled: 3, currentNumberScheduled: 2, numberMisscheduled: 1 },
    ...{ numberReady: 2, updatedNumberScheduled: 1, numberAvailable: 2, numberUnavailable: 1 },
    ...{ observedGeneration: 2, collisionCount: 1 },
  });
});

describe('rolls any set to its new template', () => {
  const model = fc.record({
    hash: fc.constantFrom('old', 'older', 'new'),
    isReady: fc.boolean(),
    isBound: fc.boolean(),
    bornMs: fc.nat({ max: 5 }),
    phase: fc.constantFrom('Running', 'Running', 'Running', 'Failed', 'Succeeded'),
    isGoing: fc.constantFrom(false, false, false, true),
  });
  const start = fc.array(
    fc.record({
      pods: fc.array(model, { maxLength: 3 }),
      placement: fc.constantFrom('wanted', 'wanted', 'wanted', 'tolerated', 'unwanted', 'gone'),
    }),
    { minLength: 1, maxLength: 7 },
  );
  const limits = fc.oneof(
    fc.integer({ min: 1, max: 4 }).map((maxUnavailable) => ({ maxUnavailable, maxSurge: 0 })),
    fc.integer({ min: 1, max: 4 }).map((maxSurge) => ({ maxUnavailable: 0, maxSurge })),
    fc.integer({ min: 1, max: 100 }).map((share) => ({ maxUnavailable: `${share}%`, maxSurge: 0 })),
    fc.integer({ min: 1, max: 100 }).map((share) => ({ maxUnavailable: 0, maxSurge: `${share}%` })),
  );

  it('within its limits at every step, from any state', () => {
    fc.assert(
      fc.property(start, limits, fc.infiniteStream(fc.boolean()), (states, rolling, coins) => {
        const toss = () => coins.next().value ?? true;
        let serial = 0;
        let nodes = states.map(({ pods, placement }, i) =>
          node(
            `n${i}`,
            pods.map((pod) => ({ ...pod, name: `p${serial++}` })),
            {
              isThere: placement !== 'gone',
              shouldRun: placement === 'wanted',
              mayStay: placement === 'wanted' || placement === 'tolerated',
            },
          ),
        );
        for (let step = 0; step < 200; step++) {
          const view = viewOf(nodes, rolling);
          const plan = planDaemons(view);
          checkLimits(view, plan);
          if (plan.create.length + plan.remove.length === 0 && isAtRest(nodes)) break;
          nodes = nodes.map((each) => played(each, plan, toss, step, () => `p${serial++}`));
        }
        for (const { shouldRun, mayStay, isThere, pods } of nodes) {
          if (shouldRun) expect(pods.map(({ metadata }) => metadata.labels)).toEqual([NEW]);
          else if (isThere && !mayStay) expect(pods).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const NEW = { 'controller-revision-hash': 'new' };

/** No pod that serves is taken for the update beyond what may be lacking, and no node gets a third. */
const checkLimits = (view: DaemonView, plan: DaemonPlan): void => {
  const { maxUnavailable, maxSurge } = updateLimits(view);
  const wanted = view.nodes.filter(({ shouldRun }) => shouldRun);
  const gone = new Set(plan.remove.filter(({ why }) => why === 'outdated').map(({ pod }) => pod));
  const serves = (pod: Pod) => view.isAvailable(pod) && !view.isLeaving(pod);
  const lacking = (without: ReadonlySet<Pod>) =>
    wanted.filter(({ pods }) => !pods.some((pod) => serves(pod) && !without.has(pod))).length;
  const before = lacking(new Set());
  const allowed = maxSurge > 0 ? 0 : maxUnavailable;
  expect(lacking(gone)).toBeLessThanOrEqual(Math.max(before, allowed));
  expect(new Set(plan.create).size).toBe(plan.create.length);
  for (const name of plan.create) {
    const { pods } = view.nodes.find((each) => each.name === name)!;
    expect(
      pods.filter((pod) => !view.isLeaving(pod) && !isTerminal(pod)).length,
    ).toBeLessThanOrEqual(maxSurge > 0 ? 1 : 0);
  }
};

const isAtRest = (nodes: readonly DaemonNode[]): boolean =>
  nodes.every(({ pods }) =>
    pods.every((pod) => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined),
  );

/** A node after a while: what was asked of it is done, and pods become ready when they like. */
const played = (
  each: DaemonNode,
  plan: DaemonPlan,
  toss: () => boolean,
  nowMs: number,
  nextName: () => string,
): DaemonNode => {
  const removed = new Set(plan.remove.map(({ pod }) => pod));
  const left = each.pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined || toss())
    .map((pod) => {
      if (pod.metadata.deletionTimestamp !== undefined) return pod;
      const model: Model = {
        ...{
          name: pod.metadata.name,
          hash: pod.metadata.labels?.['controller-revision-hash'] ?? '',
        },
        ...{ isReady: isPodReady(pod) || toss(), isGoing: removed.has(pod) },
        ...{ phase: pod.status.phase ?? 'Running', isBound: true },
        bornMs: Date.parse(pod.metadata.creationTimestamp ?? ''),
      };
      return podOf(model, each.name);
    });
  const made = plan.create.includes(each.name)
    ? [
        podOf(
          {
            ...{ name: nextName(), hash: 'new', isReady: false, isBound: false },
            bornMs: nowMs + 10,
          },
          each.name,
        ),
      ]
    : [];
  // What is bound to a node that is gone goes with it.
  return { ...each, pods: each.isThere ? [...left, ...made] : [] };
};
