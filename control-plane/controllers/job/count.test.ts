import fc from 'fast-check';

import { uidOf, type Job, type Pod } from '../../../api/types';
import { countPods, type Counting } from './count';
import { IndexSet } from './index-set';
import { completionIndexOf } from './job-pod';
import { observe, type Observed } from './observe';
import { jobWith, podWith } from './testing';
import { wantedOf } from './wanted';

const NOW = '2030-01-01T00:00:00Z';

const look = (job: Job, pods: readonly Pod[]): Observed =>
  observe(job, wantedOf(job), pods, ({ metadata }) => metadata.deletionTimestamp !== undefined);

const count = (job: Job, pods: readonly Pod[]): Counting =>
  countPods(job, wantedOf(job), look(job, pods), { verdict: undefined, isPlanned: true }, NOW);

/** Steps of the world, and of a controller that may die after any of its writes. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('start' as const), index: fc.nat(4) }),
    fc.record({
      kind: fc.constant('end' as const),
      pod: fc.nat(20),
      phase: fc.constantFrom('Succeeded', 'Failed'),
    }),
    fc.record({ kind: fc.constant('delete' as const), pod: fc.nat(20) }),
    fc.record({ kind: fc.constant('count' as const), writes: fc.nat(6) }),
  ),
  { maxLength: 60 },
);

/** What is stored: a job, and its pods, of which a deleted one goes when its finalizer has gone. */
class Stored {
  pods: readonly Pod[] = [];
  /** By uid, how a pod ended that the job has to count. */
  readonly ends = new Map<string, string>();
  readonly indexOf = new Map<string, number>();
  private made = 0;

  constructor(public job: Job) {}

  start(index: number): void {
    const uid = `pod-${this.made++}`;
    this.indexOf.set(uid, index);
    this.pods = [...this.pods, podWith(uid, { index })];
  }

  end(at: number, phase: string): void {
    this.change(at, (pod) => {
      if (pod.status.phase !== 'Running') return pod;
      // One that is on its way out may be counted already.
      if (!this.ends.has(uidOf(pod))) this.ends.set(uidOf(pod), phase);
      return { ...pod, status: { phase: this.ends.get(uidOf(pod)) ?? phase } };
    });
  }

  delete(at: number): void {
    this.change(at, (pod) => {
      if (pod.status.phase === 'Running') this.ends.set(uidOf(pod), 'Failed');
      return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: NOW } };
    });
  }

  /** `writes` of them, then the controller is dead. */
  count(writes: number): void {
    const { status, release } = count(this.job, this.pods);
    if (writes === 0) return;
    this.job = { ...this.job, status };
    for (const pod of release.slice(0, writes - 1)) this.release(pod);
  }

  private release(released: Pod): void {
    const { finalizers: _, ...metadata } = released.metadata;
    this.pods = this.pods.flatMap((pod) => {
      if (pod !== released) return [pod];
      return metadata.deletionTimestamp === undefined ? [{ ...pod, metadata }] : [];
    });
  }

  private change(at: number, change: (pod: Pod) => Pod): void {
    const { length } = this.pods;
    this.pods = this.pods.map((pod, i) => (length > 0 && i === at % length ? change(pod) : pod));
  }
}

const run = (spec: object, taken: readonly Step[]): Stored => {
  const stored = new Stored(jobWith({ completions: 5, parallelism: 100, ...spec }));
  for (const step of taken) {
    if (step.kind === 'start') stored.start(step.index);
    else if (step.kind === 'end') stored.end(step.pod, step.phase);
    else if (step.kind === 'delete') stored.delete(step.pod);
    else stored.count(step.writes);
  }
  // A last one that nobody disturbs: it counts, lets go, and puts numbers in place of names.
  for (let i = 0; i < 3; i++) stored.count(Infinity);
  return stored;
};

type Step =
  typeof steps extends fc.Arbitrary<infer S>
    ? S extends readonly (infer Each)[]
      ? Each
      : never
    : never;

it('counts each pod once, wherever its controller dies', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      // No end: what would end the job is another test's.
      const { job, ends } = run({ completions: 1000 }, taken);
      const ended = (phase: string) => [...ends.values()].filter((each) => each === phase).length;
      expect(job.status?.succeeded ?? 0).toBe(ended('Succeeded'));
      expect(job.status?.failed ?? 0).toBe(ended('Failed'));
      expect(job.status?.uncountedTerminatedPods).toEqual({});
    }),
  );
});

it('counts each index once, wherever its controller dies', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const { job, ends, indexOf } = run({ completions: 1000, completionMode: 'Indexed' }, taken);
      const done = [...ends]
        .filter(([, phase]) => phase === 'Succeeded')
        .map(([uid]) => indexOf.get(uid) ?? -1);
      expect(job.status?.completedIndexes ?? '').toBe(String(IndexSet.of(done)));
      expect(job.status?.succeeded ?? 0).toBe(new Set(done).size);
    }),
  );
});

it('lets no pod go before its end is in the status', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (taken, isIndexed) => {
      const mode = isIndexed ? { completionMode: 'Indexed' } : {};
      const { job, pods } = run(mode, taken.slice(0, -1));
      const { status, release } = count(job, pods);
      const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
      const done = IndexSet.parse(status.completedIndexes ?? '', 5);
      for (const pod of release) {
        const isNoted = [...succeeded, ...failed].includes(uidOf(pod));
        expect(isNoted || done.has(completionIndexOf(pod, 5) ?? -1)).toBe(true);
      }
    }),
  );
});

it('ends the job only when nothing is left to count or to end', () => {
  const job = jobWith({ completions: 1, parallelism: 1 });
  const first = count(job, [podWith('a', { phase: 'Succeeded' })]);
  expect(first).toMatchObject({ end: undefined, release: [{ metadata: { uid: 'a' } }] });
  expect(first.status).toMatchObject({
    conditions: [{ type: 'SuccessCriteriaMet', reason: 'CompletionsReached' }],
    uncountedTerminatedPods: { succeeded: ['a'] },
  });
  const going = podWith('b', { isDeleted: true, isTracked: false });
  const done = podWith('a', { phase: 'Succeeded', isTracked: false });
  const second = count({ ...job, status: first.status }, [done, going]);
  expect(second).toMatchObject({ end: undefined, status: { succeeded: 1, terminating: 1 } });
  const third = count({ ...job, status: second.status }, [done]);
  expect(third).toMatchObject({ end: { type: 'Complete' }, status: { completionTime: NOW } });
});

it('notes at most 500 ends at a time', () => {
  const pods = Array.from({ length: 700 }, (_, i) => podWith(`p${i}`, { phase: 'Failed' }));
  const job = jobWith({ completions: 1000, parallelism: 700, backoffLimit: 1000 });
  const { status, release } = count(job, pods);
  expect(release).toHaveLength(500);
  expect(status.uncountedTerminatedPods?.failed).toHaveLength(500);
});
