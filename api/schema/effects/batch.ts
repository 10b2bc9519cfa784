import { all, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const JOB = tests('test/simulation/job-fields.test.ts');
const VERDICT = tests('control-plane/controllers/job/verdict.test.ts');
const CRON = tests('test/simulation/cron-jobs.test.ts');
const PLAN = tests('control-plane/controllers/cron-job/plan.test.ts');
const TIMES = tests('control-plane/controllers/cron-job/next-time.test.ts');

const RULES = shown(VERDICT('on exit code %i'));
const CONDITIONS = shown(VERDICT('on the exit code of an init container, and on conditions'));
const ENOUGH = shown(
  JOB('ends as soon as the indexes that matter have succeeded'),
  VERDICT('is enough when a rule for successes is met'),
);
const INDEXED = shown(JOB('gives each pod of an indexed job its index'));
const STARTS = shown(CRON('starts a job at each time, tells of it and keeps as many as it should'));

export const BATCH_EFFECTS: Effects = {
  Job: { ...OBJECT, spec: shown(JOB('completes, and says so as upstream does')), status: STATUS },
  JobSpec: {
    activeDeadlineSeconds: shown(JOB('fails at its deadline')),
    backoffLimit: shown(JOB('replaces what fails 10 s, 20 s, 40 s later')),
    backoffLimitPerIndex: shown(JOB('gives up an index that fails too often')),
    completionMode: INDEXED,
    completions: shown(JOB('completes, and says so'), JOB('without completions ends when')),
    managedBy: shown(JOB('leaves a job alone that is managed by somebody else')),
    manualSelector: shown(JOB('adopts and holds what its own selector finds')),
    maxFailedIndexes: shown(JOB('fails as a whole when too many indexes have')),
    parallelism: shown(JOB('follows its parallelism')),
    podFailurePolicy: shown(JOB('fails the job at once'), JOB('does not count what it ignores')),
    podReplacementPolicy: shown(
      JOB('is replaced only when it has ended, if the job says so'),
      JOB('is replaced at once otherwise, and counts as failed'),
    ),
    selector: shown(JOB('adopts and holds what its own selector finds')),
    successPolicy: ENOUGH,
    suspend: shown(JOB('lets no pod run while it is suspended, and begins anew when resumed')),
    template: shown(JOB('completes, and says so')),
    ttlSecondsAfterFinished: shown(JOB('is deleted with its pods when its time after the end')),
  },
  PodFailurePolicy: { rules: RULES },
  PodFailurePolicyRule: { action: RULES, onExitCodes: RULES, onPodConditions: CONDITIONS },
  PodFailurePolicyOnExitCodesRequirement: all(['containerName', 'operator', 'values'], RULES),
  PodFailurePolicyOnPodConditionsPattern: all(['status', 'type'], CONDITIONS),
  SuccessPolicy: { rules: ENOUGH },
  SuccessPolicyRule: all(['succeededCount', 'succeededIndexes'], ENOUGH),
  CronJob: { ...OBJECT, spec: STARTS, status: STATUS },
  CronJobSpec: {
    concurrencyPolicy: shown(
      CRON('starts another'),
      CRON('starts none, and the one that was missed when it may'),
      CRON('starts another in its place'),
    ),
    failedJobsHistoryLimit: shown(CRON('keeps failed jobs apart')),
    jobTemplate: STARTS,
    schedule: shown(TIMES('finds each minute at which the clock shows what is said')),
    startingDeadlineSeconds: shown(PLAN('says when it is too late')),
    successfulJobsHistoryLimit: STARTS,
    suspend: shown(CRON('starts nothing while it is suspended')),
    timeZone: shown(CRON('goes by the clock of its zone')),
  },
  JobTemplateSpec: { metadata: STARTS, spec: STARTS },
};
