import type * as batch from 'kubernetes-types/batch/v1';
import { defaultTemplate } from './workloads';

/** As often as an integer of 32 bits can say: the limit of each index decides. */
const NO_LIMIT = 2_147_483_647;

/** Changes the job in place. */
export const defaultJob = ({ spec }: batch.Job): void => {
  if (spec === undefined) return;
  if (spec.parallelism === undefined) spec.completions ??= 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : NO_LIMIT;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??=
    spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  defaultPods(spec);
};

/** Changes the cron job in place. Its jobs get the defaults of jobs when they are made. */
export const defaultCronJob = ({ spec }: batch.CronJob): void => {
  if (spec === undefined) return;
  spec.concurrencyPolicy ??= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  defaultJobTemplate(spec);
};

/** Bodies may lack what their types promise. */
const defaultJobTemplate = ({ jobTemplate }: { jobTemplate?: batch.JobTemplateSpec }): void => {
  if (jobTemplate?.spec !== undefined) defaultPods(jobTemplate.spec);
};

const defaultPods = (spec: Partial<batch.JobSpec>): void => {
  for (const { onPodConditions } of rulesOf(spec.podFailurePolicy))
    for (const pattern of onPodConditions ?? []) (pattern as { status?: string }).status ??= 'True';
  defaultTemplate(spec);
};

const rulesOf = (
  policy: { rules?: batch.PodFailurePolicyRule[] | null } | undefined,
): readonly { onPodConditions?: batch.PodFailurePolicyOnPodConditionsPattern[] | null }[] =>
  policy?.rules ?? [];
