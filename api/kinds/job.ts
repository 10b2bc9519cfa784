import { defaultJob } from '../defaults/batch';
import { podWarnings } from '../pod-warnings';
import { JOBS } from '../resources';
import { validateJob, validateJobStatusUpdate, validateJobUpdate } from '../validation/job';
import { defineKind } from './kind';

export const JOB_KIND = defineKind(JOBS, {
  categories: ['all'],
  subresources: ['status'],
  fields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
  applyDefaults: defaultJob,
  validateCreate: validateJob,
  validateUpdate: validateJobUpdate,
  validateStatusUpdate: validateJobStatusUpdate,
  warnings: podWarnings,
});
