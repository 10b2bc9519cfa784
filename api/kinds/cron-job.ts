import { defaultCronJob } from '../defaults/batch';
import { podWarnings } from '../pod-warnings';
import { CRON_JOBS } from '../resources';
import {
  validateCronJob,
  validateCronJobStatusUpdate,
  validateCronJobUpdate,
} from '../validation/cron-job';
import { defineKind } from './kind';

export const CRON_JOB_KIND = defineKind(CRON_JOBS, {
  shortNames: ['cj'],
  categories: ['all'],
  subresources: ['status'],
  applyDefaults: defaultCronJob,
  validateCreate: validateCronJob,
  validateUpdate: validateCronJobUpdate,
  validateStatusUpdate: validateCronJobStatusUpdate,
  warnings: podWarnings,
});
