import type { DeepReadonly, Pod } from '../../../api/types';
import type * as batch from 'kubernetes-types/batch/v1';
import type { Wanted } from './wanted';

/** What the first rule that a failed pod meets does about it. */
export interface FailureVerdict {
  /** Does the failure count toward the job's limits? */
  readonly isCounted: boolean;
  readonly failsIndex: boolean;
  /** Why the whole job fails by it. */
  readonly jobFailure?: string;
}

/** Upstream's pod_failure_policy.go: the first rule that matches decides; without one it counts. */
export const failureVerdictOf = (policy: Wanted['failurePolicy'], pod: Pod): FailureVerdict => {
  for (const [index, rule] of itemsOf(policy?.rules).entries()) {
    const match = rule.onExitCodes === undefined ? byCondition(rule, pod) : byExitCode(rule, pod);
    if (match === undefined) continue;
    const { action } = rule;
    if (action === 'Ignore') return { isCounted: false, failsIndex: false };
    if (action === 'FailIndex') return { isCounted: true, failsIndex: true };
    if (action === 'FailJob') {
      const jobFailure = `${match} matching FailJob rule at index ${index}`;
      return { isCounted: true, failsIndex: false, jobFailure };
    }
    return COUNTED;
  }
  return COUNTED;
};

const COUNTED: FailureVerdict = { isCounted: true, failsIndex: false };

type Rule = DeepReadonly<batch.PodFailurePolicyRule>;

/** Null where it is missing, whatever the declared type says. */
const itemsOf = <T>(list: readonly T[] | null | undefined): readonly T[] => list ?? [];

const byExitCode = ({ onExitCodes }: Rule, pod: Pod): string | undefined => {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status;
  for (const { name, state } of [...containerStatuses, ...initContainerStatuses]) {
    const code = state?.terminated?.exitCode ?? 0;
    const isMeant = (onExitCodes?.containerName ?? name) === name;
    if (code === 0 || !isMeant) continue;
    const isListed = itemsOf(onExitCodes?.values).includes(code);
    if (isListed === (onExitCodes?.operator === 'In'))
      return `Container ${name} for pod ${placeOf(pod)} failed with exit code ${code}`;
  }
  return undefined;
};

const byCondition = ({ onPodConditions }: Rule, pod: Pod): string | undefined => {
  const patterns = itemsOf(onPodConditions as Rule['onPodConditions'] | null);
  const found = (pod.status.conditions ?? []).find((condition) =>
    patterns.some(({ type, status }) => condition.type === type && condition.status === status),
  );
  return found === undefined ? undefined : `Pod ${placeOf(pod)} has condition ${found.type}`;
};

const placeOf = ({ metadata }: Pod): string => `${metadata.namespace ?? ''}/${metadata.name}`;
