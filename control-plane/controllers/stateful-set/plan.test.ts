import fc from 'fast-check';
import type { Pod, StatefulSet } from '../../../api/types';
import { maxUnavailableOf, planStatefulSet, type Member, type StatefulPlan } from './plan';

type State = 'starting' | 'ready' | 'available' | 'failed' | 'leaving';

const set = (spec: object = {}): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default', uid: 'd' },
  spec: { serviceName: 'db', selector: {}, template: {}, replicas: 3, ...spec },
  status: { replicas: 0 },
});

const rolling = (more: object = {}) => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, ...more } },
});
const PARALLEL = { podManagementPolicy: 'Parallel' };

const member = (ordinal: number, state: State = 'available', revision = 'new'): Member => {
  const isReady = state === 'ready' || state === 'available' || state === 'leaving';
  const pod = {
    metadata: { name: `db-${ordinal}`, uid: `${ordinal}` },
    spec: { nodeName: 'n', containers: [] },
    status: {
      phase: isReady ? 'Running' : state === 'failed' ? 'Failed' : 'Pending',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  } as unknown as Pod;
  return {
    ...{ pod, ordinal, revision },
    isLeaving: state === 'leaving',
    isAvailable: state === 'available' || state === 'leaving',
  };
};

const plan = (of: StatefulSet, members: readonly Member[]): StatefulPlan =>
  planStatefulSet(of, members, { current: 'old', update: 'new' });

/** `+2 new`, `-1 outdated` */
const told = ({ create, remove }: StatefulPlan): readonly string[] => [
  ...create.map(({ ordinal, revision }) => `+${ordinal} ${revision}`),
  ...remove.map(({ member: { ordinal }, why }) => `-${ordinal} ${why}`),
];

const steps = (spec: object, ...members: readonly Member[]) => told(plan(set(spec), members));

describe('a set that is made in order', () => {
  it.each<[string, readonly Member[], readonly string[]]>([
    ['begins with the first', [], ['+0 new']],
    ['waits for one that starts', [member(0, 'starting')], []],
    ['waits for one to last', [member(0, 'ready')], []],
    ['goes on after one that is available', [member(0)], ['+1 new']],
    ['fills a gap first', [member(0), member(2)], ['+1 new']],
    ['waits for one that leaves', [member(0), member(1, 'leaving')], []],
    ['makes one that failed again', [member(0, 'failed'), member(1)], ['-0 ended']],
    ['has enough', [0, 1, 2].map((n) => member(n)), []],
    ['gives up the highest', [0, 1, 2, 3, 4].map((n) => member(n)), ['-4 condemned']],
    ['lets it go first', [member(0), member(1), member(2), member(3), member(4, 'leaving')], []],
    [
      'gives up nothing while one is not available',
      [member(0), member(1, 'starting'), member(2), member(3)],
      [],
    ],
  ])('%s', (_what, members, wanted) => {
    expect(steps({}, ...members)).toEqual(wanted);
  });

  it('begins at ordinals.start, and gives up what is below', () => {
    expect(steps({ ordinals: { start: 5 } })).toEqual(['+5 new']);
    const members = [0, 5, 6, 7].map((n) => member(n));
    expect(steps({ ordinals: { start: 5 } }, ...members)).toEqual(['-0 condemned']);
  });

  it('scales down pods that never became ready', () => {
    const members = [member(0), member(1, 'starting'), member(2, 'starting')];
    expect(steps({ replicas: 1 }, ...members)).toEqual(['-2 condemned']);
  });
});

describe('an update in order', () => {
  const old = (...states: readonly State[]) => states.map((state, n) => member(n, state, 'old'));

  it('replaces the highest ordinal that is of another revision', () => {
    expect(steps(rolling(), ...old('available', 'available', 'available'))).toEqual([
      '-2 outdated',
    ]);
    const members = [...old('available', 'available'), member(2)];
    expect(steps(rolling(), ...members)).toEqual(['-1 outdated']);
    expect(steps(rolling(), ...old('available', 'available'))).toEqual(['+2 new']);
  });

  it('waits for the pod that was replaced', () => {
    expect(steps(rolling(), ...old('available', 'available'), member(2, 'ready'))).toEqual([]);
  });

  it('leaves pods below the partition, and makes them again as they were', () => {
    const members = [...old('available', 'available'), member(2)];
    expect(steps(rolling({ partition: 2 }), ...members)).toEqual([]);
    expect(steps(rolling({ partition: 2 }), member(0, 'available', 'old'), member(2))).toEqual([
      '+1 old',
    ]);
    const shifted = { ...rolling({ partition: 1 }), ordinals: { start: 4 } };
    expect(steps(shifted)).toEqual(['+4 old']);
    expect(steps(shifted, member(4, 'available', 'old'))).toEqual(['+5 new']);
  });

  it('replaces as many at a time as maxUnavailable lets it', () => {
    const members = old('available', 'available', 'available');
    expect(steps(rolling({ maxUnavailable: 2 }), ...members)).toEqual([
      '-2 outdated',
      '-1 outdated',
    ]);
  });

  it('deletes nothing by itself with OnDelete', () => {
    const onDelete = { updateStrategy: { type: 'OnDelete' } };
    expect(steps(onDelete, ...old('available', 'available', 'starting'))).toEqual([]);
    expect(steps(onDelete, ...old('available', 'available'))).toEqual(['+2 new']);
  });

  it('replaces a pod that never became ready once the template is mended', () => {
    const stuck = [...old('available', 'available'), member(2, 'starting', 'broken')];
    expect(steps(rolling(), ...stuck)).toEqual(['-2 broken']);
    expect(steps(rolling(), member(0, 'starting', 'broken'))).toEqual(['-0 broken']);
    expect(steps(rolling({ partition: 1 }), member(0, 'starting', 'broken'))).toEqual([]);
  });
});

describe('a parallel set', () => {
  it('makes all at once, and gives up all at once', () => {
    expect(steps(PARALLEL)).toEqual(['+0 new', '+1 new', '+2 new']);
    const members = [member(0, 'failed'), member(1, 'starting'), member(3), member(4, 'starting')];
    expect(steps(PARALLEL, ...members)).toEqual([
      ...['+2 new', '-0 ended', '-4 condemned', '-3 condemned'],
    ]);
  });

  it('updates within maxUnavailable, and what is not ready besides', () => {
    const members = [
      ...[0, 1, 2].map((n) => member(n, 'available', 'old')),
      member(3, 'starting', 'broken'),
    ];
    const spec = { ...PARALLEL, replicas: 4 };
    expect(steps({ ...spec, ...rolling() }, ...members)).toEqual(['-3 broken']);
    expect(steps({ ...spec, ...rolling({ maxUnavailable: '50%' }) }, ...members)).toEqual([
      ...['-3 broken', '-2 outdated'],
    ]);
  });

  it('asks for no more pods than may wait for a node, however many it is to have', () => {
    expect(plan(set({ ...PARALLEL, replicas: 2 ** 31 - 1 }), []).create).toHaveLength(1000);
  });
});

it.each([
  [undefined, 3, 1],
  [2, 3, 2],
  ['50%', 5, 2],
  ['10%', 5, 1],
  ['100%', 5, 5],
])('of maxUnavailable %j and %i pods takes %i', (maxUnavailable, replicas, count) => {
  expect(maxUnavailableOf(set({ replicas, ...rolling({ maxUnavailable }) }))).toBe(count);
});

const SPECS = fc.record({
  podManagementPolicy: fc.constantFrom('OrderedReady', 'Parallel'),
  replicas: fc.nat(6),
  ordinals: fc.record({ start: fc.nat(3) }),
  partition: fc.nat(4),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
});
const STATES = fc.constantFrom<State>('starting', 'ready', 'available', 'failed', 'leaving');
const MEMBERS = fc
  .uniqueArray(fc.tuple(fc.nat(9), STATES, fc.constantFrom('old', 'new', 'broken')), {
    selector: ([ordinal]) => ordinal,
  })
  .map((all) => all.map(([ordinal, state, revision]) => member(ordinal, state, revision)));

const setOf = ({
  partition,
  maxUnavailable,
  ...spec
}: typeof SPECS extends fc.Arbitrary<infer T> ? T : never) =>
  set({ ...spec, ...rolling({ partition, maxUnavailable }) });

it('never makes a second pod of an ordinal, nor takes an available one too many, from any state', () => {
  fc.assert(
    fc.property(SPECS, MEMBERS, (spec, members) => {
      const target = setOf(spec);
      const { create, remove } = plan(target, members);
      const taken = new Set(members.map(({ ordinal }) => ordinal));
      for (const { ordinal } of create) expect(taken.has(ordinal)).toBe(false);
      const end = spec.ordinals.start + spec.replicas;
      for (const { ordinal } of create) {
        expect(ordinal).toBeGreaterThanOrEqual(spec.ordinals.start);
        expect(ordinal).toBeLessThan(end);
      }
      for (const { member: each } of remove) expect(each.isLeaving).toBe(false);
      const up = members.filter(({ isLeaving, isAvailable }) => isAvailable && !isLeaving);
      const lost = remove.filter(({ why }) => why === 'outdated').map((each) => each.member);
      const wanted = up.filter(({ ordinal }) => ordinal >= spec.ordinals.start && ordinal < end);
      const left = wanted.filter((each) => !lost.includes(each)).length;
      const least = Math.min(wanted.length, spec.replicas - spec.maxUnavailable);
      expect(left).toBeGreaterThanOrEqual(least);
      if (spec.podManagementPolicy === 'Parallel') return;
      expect(create.length + (remove.length > 0 ? 1 : 0)).toBeLessThanOrEqual(1);
      for (const { ordinal } of create)
        for (let lower = spec.ordinals.start; lower < ordinal; lower++)
          expect(up.map((each) => each.ordinal)).toContain(lower);
    }),
  );
});

it('lands on exactly the wanted pods once pods become ready, from any state', () => {
  fc.assert(
    fc.property(SPECS, MEMBERS, (spec, first) => {
      const target = setOf(spec);
      let members: readonly Member[] = first;
      for (let step = 0; step < 200; step++) {
        const { create, remove } = plan(target, members);
        const gone = new Set(remove.map((each) => each.member));
        members = [
          ...members
            .filter((each) => !gone.has(each) && !each.isLeaving)
            // What is broken stays so until it is replaced.
            .map((each) =>
              isStuck(each) ? each : member(each.ordinal, 'available', each.revision),
            ),
          ...create.map(({ ordinal, revision }) => member(ordinal, 'starting', revision)),
        ];
      }
      const { start } = spec.ordinals;
      const below = start + Math.min(spec.partition, spec.replicas);
      const hasStuck = members.some((each) => isStuck(each) && each.ordinal < below);
      if (hasStuck) return;
      expect(members.map(({ ordinal }) => ordinal).sort((a, b) => a - b)).toEqual(
        Array.from({ length: spec.replicas }, (_, n) => start + n),
      );
      for (const { ordinal, revision } of members)
        if (ordinal >= start + spec.partition) expect(revision).toBe('new');
    }),
  );
});

/** Of a template that can never become ready. */
const isStuck = ({ revision, pod }: Member): boolean =>
  revision === 'broken' && pod.status.phase === 'Pending';
