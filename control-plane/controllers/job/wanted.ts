import type { Job } from '../../../api/types';

type JobSpec = NonNullable<Job['spec']>;

/** What a job asks for, with what defaulting has filled in. */
export interface Wanted {
  readonly parallelism: number;
  /** Undefined: one success, whenever it comes, is enough. */
  readonly completions: number | undefined;
  readonly isIndexed: boolean;
  readonly backoffLimit: number;
  readonly backoffLimitPerIndex: number | undefined;
  readonly maxFailedIndexes: number | undefined;
  readonly isSuspended: boolean;
  /** A pod is replaced once it has ended, not when it is only on its way out. */
  readonly replacesOnlyFailed: boolean;
  readonly failurePolicy: JobSpec['podFailurePolicy'];
  readonly successPolicy: JobSpec['successPolicy'];
  readonly activeDeadlineMs: number | undefined;
  /** Containers that fail start again in the same pod. */
  readonly restartsInPlace: boolean;
}

export const wantedOf = ({ spec }: Job): Wanted => ({
  parallelism: spec?.parallelism ?? 1,
  completions: spec?.completions,
  isIndexed: spec?.completionMode === 'Indexed',
  backoffLimit: spec?.backoffLimit ?? 6,
  backoffLimitPerIndex: spec?.backoffLimitPerIndex,
  maxFailedIndexes: spec?.maxFailedIndexes,
  isSuspended: spec?.suspend ?? false,
  replacesOnlyFailed:
    spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined,
  failurePolicy: spec?.podFailurePolicy,
  successPolicy: spec?.successPolicy,
  activeDeadlineMs:
    spec?.activeDeadlineSeconds === undefined ? undefined : spec.activeDeadlineSeconds * 1000,
  restartsInPlace: spec?.template.spec?.restartPolicy === 'OnFailure',
});
