import fc from 'fast-check';
import type { Pod, PodDisruptionBudget } from '../../../api/types';
import { decide } from '../decide';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE, withoutPreemption } from '../profile';
import { Snapshot } from '../snapshot';
import { testNode, testPod } from '../testing';
import { preemptForGroup, type GroupMember } from './group-preemptor';
import { preemptionOf } from './make-room';
import { placeTogether } from './place-together';

interface Small {
  readonly cpu: number;
  readonly priority: number;
}

const memberOf = ({ cpu, priority }: Small, i: number): GroupMember => {
  const pod = testPod(`m${i}`, { cpu: `${cpu}`, priority });
  return { pod, info: podInfoOf(pod) };
};

const search = (members: readonly GroupMember[], neededCount: number, snapshot: Snapshot) =>
  preemptForGroup(
    members,
    {
      ...{ key: 'default/g', minMember: neededCount, neededCount, timeoutMs: 0, wasWhole: false },
      members: members.map(({ pod }) => pod),
    },
    new Map(),
    {
      ...{ snapshot, seed: 1, roomOn: (copy) => copy, profileOf: () => DEFAULT_PROFILE },
      resolve: ({ info }) => info,
    },
  );

const victimsOf = (found: ReturnType<typeof search>) =>
  found.kind === 'found' ? found.places.flatMap(({ victims }) => victims) : [];

it('ends as few as it can, and only for a group that then fits, whatever the cluster', () => {
  const small = fc.record({ cpu: fc.integer({ min: 1, max: 4 }), priority: fc.nat(3) });
  let foundCount = 0;
  fc.assert(
    fc.property(
      fc.array(fc.array(small, { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      fc.array(small, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (nodes, wishes, needed) => {
        const snapshot = new Snapshot();
        nodes.forEach((pods, n) => {
          snapshot.setNode(testNode(`n${n}`, { cpu: '4' }));
          let leftCpu = 4;
          pods.forEach(({ cpu, priority }, i) => {
            leftCpu -= cpu;
            if (leftCpu < 0) return;
            const pod = testPod(`p${n}-${i}`, { cpu: `${cpu}`, priority, nodeName: `n${n}` });
            snapshot.setPod(pod);
          });
        });
        const members = wishes.map(memberOf);
        const before = snapshot.nodes.map(({ pods }) => [...pods.keys()]);
        const found = search(members, needed, snapshot);
        expect(snapshot.nodes.map(({ pods }) => [...pods.keys()])).toEqual(before);
        expect(snapshot.assumedCount).toBe(0);
        if (found.kind !== 'found') return;
        foundCount++;
        expect(found.places.length).toBe(needed);
        for (const { member, victims } of found.places)
          for (const victim of victims) expect(victim.priority).toBeLessThan(member.info.priority);
        const gone = new Map(found.places.flatMap(({ victims }) => victims.map((v) => [v.uid, v])));
        for (const { name, pods, allocatable } of snapshot.nodes) {
          const wanted = found.places
            .filter(({ nodeName }) => nodeName === name)
            .reduce((sum, { member }) => sum + member.info.requests.cpuMillis, 0);
          const kept = [...pods.values()]
            .filter(({ uid }) => !gone.has(uid))
            .reduce((sum, { requests }) => sum + requests.cpuMillis, 0);
          const freeCpu = allocatable.cpuMillis - kept - wanted;
          expect(freeCpu).toBeGreaterThanOrEqual(0);
          for (const { uid, requests } of pods.values())
            if (gone.has(uid)) expect(requests.cpuMillis).toBeGreaterThan(freeCpu);
        }
      },
    ),
    { numRuns: 500 },
  );
  expect(foundCount).toBeGreaterThan(20);
});

it('finds somebody to end wherever all members are alike and evicting everybody would do', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom(1, 2, 4),
      (taken, needed, cpu) => {
        const snapshot = new Snapshot();
        taken.forEach((count, n) => {
          snapshot.setNode(testNode(`n${n}`, { cpu: '4' }));
          for (let i = 0; i < count; i++)
            snapshot.setPod(testPod(`p${n}-${i}`, { cpu: '1', nodeName: `n${n}` }));
        });
        const members = Array.from({ length: needed }, (_, i) => memberOf({ cpu, priority: 5 }, i));
        const copy = snapshot.copy();
        const { isWhole } = placeTogether(members, needed, copy, ({ info }) =>
          decide(info, copy, 1, withoutPreemption(DEFAULT_PROFILE)),
        );
        if (isWhole) return;
        const hasEvictable = taken.some((count) => count > 0);
        const couldFit = taken.length * Math.floor(4 / cpu) >= needed;
        const found = search(members, needed, snapshot);
        expect(found.kind).toBe(!hasEvictable ? 'off' : couldFit ? 'found' : 'none');
      },
    ),
  );
});

const labelled = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: { app: 'kept' } },
});

it('takes no more pods of a budget than it allows, over all members, where there are others', () => {
  const budget: PodDisruptionBudget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'kept' } } },
    status: { currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1, expectedPods: 2 },
  };
  const snapshot = new Snapshot({ budgetsIn: () => [budget] });
  for (const name of ['n1', 'n2', 'n3']) snapshot.setNode(testNode(name, { cpu: '2' }));
  for (const [name, nodeName] of [
    ['kept-1', 'n1'],
    ['kept-2', 'n2'],
  ] as const)
    snapshot.setPod(labelled(testPod(name, { cpu: '2', nodeName, priority: 1 })));
  snapshot.setPod(testPod('other', { cpu: '2', nodeName: 'n3', priority: 5 }));
  const members = [0, 1].map((i) => memberOf({ cpu: 2, priority: 10 }, i));
  const found = search(members, 2, snapshot);
  const names = victimsOf(found).map(({ pod }) => pod.metadata.name);
  expect(names.toSorted()).toEqual([expect.stringMatching(/^kept-[12]$/), 'other']);
  const violations = found.kind === 'found' ? found.places.map(preemptionOf) : [];
  expect(violations.map((each) => each?.violations)).toEqual([0, 0]);
  expect(budget.status?.disruptionsAllowed).toBe(1);
});

it('ends none of its own group, and none for members that may not evict', () => {
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n1', { cpu: '2' }));
  const own = memberOf({ cpu: 2, priority: 1 }, 0);
  snapshot.setPod({ ...own.pod, spec: { ...own.pod.spec, nodeName: 'n1' } });
  const wants = memberOf({ cpu: 2, priority: 10 }, 1);
  const gang = { key: 'default/g', minMember: 2, neededCount: 1, timeoutMs: 0, wasWhole: false };
  const deps = {
    ...{ snapshot, seed: 1, roomOn: (copy: Snapshot) => copy, profileOf: () => DEFAULT_PROFILE },
    resolve: ({ info }: GroupMember) => info,
  };
  const members = [own.pod, wants.pod];
  expect(preemptForGroup([wants], { ...gang, members }, new Map(), deps).kind).toBe('none');
  const never = testPod('never', { cpu: '2', priority: 10, preemptionPolicy: 'Never' });
  const shy = [{ pod: never, info: podInfoOf(never) }];
  expect(search(shy, 1, snapshot).kind).toBe('off');
});
