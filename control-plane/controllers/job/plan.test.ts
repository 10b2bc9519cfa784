import fc from 'fast-check';

import { isPodActive } from '../../../api/pods';
import type { Job, Pod } from '../../../api/types';
import { completionIndexOf } from './job-pod';
import { observe } from './observe';
import { planPods, type FailureTimes, type PodPlan } from './plan';
import { podDraft } from './pod-draft';
import { failedPod, jobWith, podWith } from './testing';
import { wantedOf } from './wanted';

const AT_ONCE: FailureTimes = { jobWaitMs: 0, sinceFailureMs: () => Infinity };

const plan = (job: Job, pods: readonly Pod[], times = AT_ONCE): PodPlan => {
  const wanted = wantedOf(job);
  return planPods(
    wanted,
    observe(job, wanted, pods, (pod) => isDeleted(pod)),
    times,
  );
};

const isDeleted = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

const sketches = fc.array(
  fc.record({
    phase: fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed'),
    index: fc.option(fc.nat(7), { nil: undefined }),
    isDeleted: fc.boolean(),
    isTracked: fc.boolean(),
  }),
  { maxLength: 12 },
);
const specs = fc.record({
  parallelism: fc.nat(6),
  completions: fc.nat(7),
  completionMode: fc.constantFrom('Indexed', 'NonIndexed'),
  podReplacementPolicy: fc.constantFrom('Failed', 'TerminatingOrFailed'),
  suspend: fc.boolean(),
});

const podsOf = (found: readonly { readonly index: number | undefined }[]): readonly Pod[] =>
  found.map(({ index, ...sketch }, i) =>
    podWith(`p${i}`, { ...sketch, ...(index === undefined ? {} : { index }) }),
  );

it('never has more pods than are wanted, and none of an index twice', () => {
  fc.assert(
    fc.property(specs, sketches, (spec, found) => {
      const job = jobWith(spec);
      const pods = podsOf(found);
      const { remove, create } = plan(job, pods);
      const kept = pods.filter((pod) => isPodActive(pod) && !remove.includes(pod));
      expect(remove.length === 0 || create.length === 0).toBe(true);
      expect(remove.every(isPodActive)).toBe(true);
      if (create.length === 0) return;
      expect(kept.length + create.length).toBeLessThanOrEqual(spec.parallelism);
      expect(spec.suspend).toBe(false);
      if (spec.completionMode === 'NonIndexed') return;
      const indexes = [
        ...kept.map((pod) => completionIndexOf(pod, spec.completions)),
        ...create.map(({ index }) => index),
      ];
      expect(new Set(indexes).size).toBe(indexes.length);
    }),
  );
});

it('comes to rest: once done, there is nothing more to do', () => {
  fc.assert(
    fc.property(specs, sketches, (spec, found) => {
      const job = jobWith(spec);
      let pods = podsOf(found);
      for (let round = 0; round < 3; round++) {
        const { remove, create } = plan(job, pods);
        const made = create.map(({ index }, i) =>
          podWith(`new-${round}-${i}`, index === undefined ? {} : { index }),
        );
        pods = [...pods.filter((pod) => !remove.includes(pod)), ...made];
      }
      expect(plan(job, pods)).toMatchObject({ remove: [], create: [] });
    }),
  );
});

it('waits before it replaces what failed', () => {
  const job = jobWith({ parallelism: 1, completions: 1 });
  const times = { ...AT_ONCE, jobWaitMs: 7000 };
  expect(plan(job, [], times)).toEqual({ remove: [], create: [], retryInMs: 7000 });
});

it('does not fill the store with pods that wait for a node', () => {
  const job = jobWith({ parallelism: 2_000_000_000, completions: 2_000_000_000 });
  const pending = Array.from({ length: 900 }, (_, i) => podWith(`p${i}`, { phase: 'Pending' }));
  expect(plan(job, []).create).toHaveLength(500);
  expect(plan(job, pending).create).toHaveLength(100);
});

describe('where each index has its own limit', () => {
  const job = jobWith({
    ...{ completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 3 },
    podFailurePolicy: {
      rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [7] } }],
    },
  });
  const FAILURES = 'batch.kubernetes.io/job-index-failure-count';
  const IGNORED = 'batch.kubernetes.io/job-index-ignored-failure-count';
  const failed = failedPod('a', 1, { index: 1, annotations: { [FAILURES]: '1' } });

  it('each waits for itself, and the others start', () => {
    const times = { ...AT_ONCE, sinceFailureMs: () => 5000 };
    const { create, retryInMs } = plan(job, [failed], times);
    expect(create.map(({ index }) => index)).toEqual([0, 2]);
    expect(retryInMs).toBe(15_000);
  });

  it('a pod carries on the count of the one that it replaces', () => {
    const wanted = wantedOf(job);
    const draft = (replaced: Pod | undefined) =>
      podDraft(job, wanted, { index: 1, replaced }).metadata.annotations;
    expect(draft(undefined)).toMatchObject({ [FAILURES]: '0' });
    expect(draft(failed)).toMatchObject({ [FAILURES]: '2' });
    expect(draft(failedPod('b', 7, { index: 1 }))).toMatchObject({
      [FAILURES]: '0',
      [IGNORED]: '1',
    });
    expect(plan(job, [failed]).create[1]?.replaced).toBe(failed);
  });
});

it('cuts a long name so that the index stays in that of the pod', () => {
  const long = { ...jobWith({ completionMode: 'Indexed', completions: 20 }) };
  const job = { ...long, metadata: { ...long.metadata, name: 'x'.repeat(60) } };
  const { metadata } = podDraft(job, wantedOf(job), { index: 12, replaced: undefined });
  expect(metadata.generateName).toBe(`${'x'.repeat(54)}-12-`);
});
