import fc from 'fast-check';
import { podInfoOf } from '../pod-info';
import { Snapshot } from '../snapshot';
import { testNode, testPod } from '../testing';
import { Journal } from './journal';

const record = {} as never;
const pod = (i: number) => podInfoOf(testPod(`p-${i}`, { cpu: `${i + 1}` }));

/** Something that happens to a snapshot. */
const step = fc.oneof(
  fc.nat(3).map((i) => (s: Snapshot) => s.setNode(testNode(`n-${i}`))),
  fc.nat(3).map((i) => (s: Snapshot) => s.setNode(testNode(`n-${i}`, { cpu: '9' }))),
  fc.nat(3).map((i) => (s: Snapshot) => s.removeNode(`n-${i}`)),
  fc.tuple(fc.nat(5), fc.nat(3)).map(
    ([p, n]) =>
      (s: Snapshot) =>
        s.assume(pod(p), `n-${n}`),
  ),
  fc.nat(5).map((i) => (s: Snapshot) => void s.removePod(`uid-p-${i}`)),
  fc.tuple(fc.nat(5), fc.nat(3)).map(
    ([p, n]) =>
      (s: Snapshot) =>
        s.nominate(pod(p), `n-${n}`),
  ),
  fc.nat(5).map((i) => (s: Snapshot) => void s.endNomination(`uid-p-${i}`)),
);

const stateOf = ({ nodes }: Snapshot, nominatedOn: (name: string) => readonly { uid: string }[]) =>
  nodes
    .map(({ name, allocatable, pods, requestedCpuMillis }) => ({
      ...{ name, allocatable, requestedCpuMillis, pods: [...pods.keys()].sort() },
      nominated: nominatedOn(name).map(({ uid }) => uid),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

const picture = (s: Snapshot) => stateOf(s, (name) => s.nominatedOn(name));

it('gives the state in which each decision was taken, however much was forgotten', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (steps, max) => {
      const snapshot = new Snapshot();
      const journal = new Journal(snapshot, max);
      const taken: unknown[] = [];
      steps.forEach((happens, i) => {
        happens(snapshot);
        if (i % 3 > 0) return;
        taken.push(picture(snapshot));
        journal.note({ kind: 'decision', info: pod(0), record });
      });
      const found: unknown[] = [];
      for (const each of journal.last(4)) if (each !== undefined) found.push(picture(each.cluster));
      expect(found).toEqual(taken.slice(taken.length - found.length));
      expect(found.length).toBeLessThanOrEqual(4);
      if (max === 9 && steps.length < 9) expect(found.length).toBe(Math.min(4, taken.length));
    }),
  );
});

it('takes no note of heartbeats', () => {
  const snapshot = new Snapshot();
  const notes: string[] = [];
  snapshot.onChange = ({ kind }) => notes.push(kind);
  snapshot.setNode(testNode('n'));
  const { status, ...node } = testNode('n');
  snapshot.setNode({ ...node, status: { ...status, conditions: [] } });
  expect(notes).toEqual(['node']);
});
