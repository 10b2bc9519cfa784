import type { Job, Pod } from '../../../api/types';
import { failureVerdictOf } from './failure-policy';
import { IndexSet } from './index-set';
import { observe } from './observe';
import { successOf } from './success-policy';
import { failedPod, jobWith, podWith } from './testing';
import { verdictOf } from './verdict';
import { wantedOf } from './wanted';

const verdict = (job: Job, pods: readonly Pod[], isPastDeadline = false) => {
  const wanted = wantedOf(job);
  return verdictOf(
    job,
    wanted,
    observe(job, wanted, pods, () => false),
    isPastDeadline,
  );
};

const policy = (...rules: readonly object[]) => ({ podFailurePolicy: { rules } });

const decide = (rules: readonly object[], pod: Pod) =>
  failureVerdictOf(jobWith(policy(...rules)).spec?.podFailurePolicy, pod);

it('fails beyond its limit of failures, not at it', () => {
  const job = jobWith({ backoffLimit: 1 });
  expect(verdict(job, [failedPod('a', 1)])).toBeUndefined();
  expect(verdict(job, [failedPod('a', 1), failedPod('b', 1)])).toMatchObject({
    ...{ type: 'FailureTarget', reason: 'BackoffLimitExceeded' },
  });
});

it('names the policy first, then the limit, then the deadline', () => {
  const job = jobWith({
    ...policy({ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }),
    backoffLimit: 0,
  });
  const failed = (code: number) => verdict(job, [failedPod('a', code)], true)?.reason;
  expect(failed(42)).toBe('PodFailurePolicy');
  expect(failed(1)).toBe('BackoffLimitExceeded');
  expect(verdict(job, [], true)?.reason).toBe('DeadlineExceeded');
});

it('stays with what it has said', () => {
  const said = { type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded', message: 'm' };
  expect(verdict(jobWith({}, { conditions: [said] }), [])).toMatchObject(said);
  const met = { ...said, type: 'SuccessCriteriaMet', reason: 'SuccessPolicy' };
  const failures = [failedPod('a', 1), failedPod('b', 1)];
  expect(verdict(jobWith({ backoffLimit: 0 }, { conditions: [met] }), failures)).toMatchObject(met);
});

describe('the first rule that matches decides', () => {
  const byCode = (action: string, operator: string, values: readonly number[], more = {}) => ({
    ...{ action, onExitCodes: { operator, values, ...more } },
  });
  const COUNTED = { isCounted: true, failsIndex: false };

  it.each([
    [[byCode('Ignore', 'In', [3, 5])], 3, { isCounted: false, failsIndex: false }],
    [[byCode('Ignore', 'In', [3, 5])], 4, COUNTED],
    [[byCode('Ignore', 'NotIn', [3, 5])], 4, { isCounted: false, failsIndex: false }],
    [[byCode('FailIndex', 'In', [3])], 3, { isCounted: true, failsIndex: true }],
    [[byCode('Count', 'In', [3]), byCode('Ignore', 'In', [3])], 3, COUNTED],
    [[byCode('Ignore', 'In', [3], { containerName: 'other' })], 3, COUNTED],
  ])('%j on exit code %i', (rules, code, expected) => {
    expect(decide(rules, failedPod('a', code))).toEqual(expected);
  });

  it('on the exit code of an init container, and on conditions', () => {
    const state = { terminated: { exitCode: 9 } };
    const status = { initContainerStatuses: [{ name: 'init', state }] };
    const byInit = decide(
      [byCode('FailJob', 'In', [9])],
      podWith('a', { phase: 'Failed', status }),
    );
    expect(byInit.jobFailure).toBe(
      'Container init for pod default/a failed with exit code 9 matching FailJob rule at index 0',
    );
    const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];
    const rule = { action: 'FailJob', onPodConditions };
    const disrupted = { conditions: [{ type: 'DisruptionTarget', status: 'True' }] };
    const pod = podWith('a', { phase: 'Failed', status: disrupted });
    expect(decide([byCode('Ignore', 'In', [1]), rule], pod).jobFailure).toBe(
      'Pod default/a has condition DisruptionTarget matching FailJob rule at index 1',
    );
  });
});

it('is enough when a rule for successes is met', () => {
  const wanted = (...rules: readonly object[]) =>
    wantedOf(jobWith({ completions: 10, completionMode: 'Indexed', successPolicy: { rules } }));
  const done = IndexSet.of([1, 2, 5]);
  expect(successOf(wanted({ succeededIndexes: '1,2' }), done)).toBe('Matched rules at index 0');
  expect(successOf(wanted({ succeededIndexes: '1-3' }), done)).toBeUndefined();
  expect(successOf(wanted({ succeededIndexes: '1-3', succeededCount: 2 }), done)).toBe(
    'Matched rules at index 0',
  );
  expect(successOf(wanted({ succeededIndexes: 'x' }, { succeededCount: 3 }), done)).toBe(
    'Matched rules at index 1',
  );
  expect(successOf(wanted({ succeededCount: 4 }), done)).toBeUndefined();
  expect(successOf(wanted({ succeededCount: 0 }), IndexSet.EMPTY)).toBeUndefined();
});
