import type { CronJob } from '../types';
import { scheduleProblem } from './cron-schedule';
import {
  invalid,
  nonNegative,
  notSupported,
  oneOf,
  required,
  type FieldError,
} from './field-error';
import { validateJobSpec, type JobSpec } from './job-spec';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { selectorOf } from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateCronJob = (cronJob: CronJob): readonly FieldError[] => [
  ...validateMetadata(cronJob, RULES),
  ...validateSpec(cronJob.spec ?? {}, undefined),
  ...validateLength(cronJob.metadata.name),
  ...validateProtections(cronJob),
  ...validatePodAnnotations(cronJob),
];

export const validateCronJobUpdate = (cronJob: CronJob, old: CronJob): readonly FieldError[] => [
  ...validateMetadataUpdate(cronJob, old, RULES),
  ...validateSpec(cronJob.spec ?? {}, old.spec),
  ...validateProtections(cronJob, old),
  ...validatePodAnnotations(cronJob, old),
];

export const validateCronJobStatusUpdate = (
  cronJob: CronJob,
  old: CronJob,
): readonly FieldError[] => validateMetadataUpdate(cronJob, old, RULES);

/** A body may lack what its type promises. */
type Spec = Partial<NonNullable<CronJob['spec']>>;

/** Its jobs are called as it is, with a time behind. */
const NAME_LENGTH_MAX = 52;
const ZONE_PART = /^[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}$/;

const validateLength = (name: string | undefined): readonly FieldError[] =>
  (name ?? '').length > NAME_LENGTH_MAX
    ? [invalid('metadata.name', name, `must be no more than ${NAME_LENGTH_MAX} characters`)]
    : [];

const validateSpec = (spec: Spec, old: Spec | undefined): readonly FieldError[] => {
  const { schedule = '', timeZone, jobTemplate } = spec;
  return [
    ...(schedule === ''
      ? [required('spec.schedule')]
      : validateSchedule(schedule, timeZone, (old?.schedule ?? '').includes('TZ'))),
    ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...(timeZone === undefined || timeZone === old?.timeZone ? [] : validateZone(timeZone)),
    ...((spec.concurrencyPolicy ?? '') === '' ? [required('spec.concurrencyPolicy')] : []),
    ...oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...validateJobTemplate(jobTemplate?.spec ?? {}, 'spec.jobTemplate.spec'),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
  ];
};

const validateSchedule = (
  schedule: string,
  timeZone: string | undefined,
  mayNameZone: boolean,
): readonly FieldError[] => {
  const wrong = (why: string): FieldError => invalid('spec.schedule', schedule, why);
  const namesZone = schedule.includes('TZ');
  const problem = scheduleProblem(schedule);
  return [
    ...(problem === undefined ? [] : [wrong(problem)]),
    ...(namesZone && mayNameZone && timeZone !== undefined
      ? [wrong('cannot use both timeZone field and TZ or CRON_TZ in schedule')]
      : []),
    ...(namesZone && !mayNameZone
      ? [wrong('cannot use TZ or CRON_TZ in schedule, use timeZone field instead')]
      : []),
  ];
};

const validateZone = (zone: string): readonly FieldError[] => {
  const wrong = (why: string): readonly FieldError[] => [invalid('spec.timeZone', zone, why)];
  if (zone === '') return wrong('timeZone must be nil or non-empty string');
  if (zone.toLowerCase() === 'local')
    return wrong(
      'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    );
  const parts = zone.split('/');
  return parts.every((part) => ZONE_PART.test(part) && part !== '.' && part !== '..') &&
    isZone(zone)
    ? []
    : wrong(`unknown time zone ${zone}`);
};

const isZone = (timeZone: string): boolean => {
  try {
    Intl.DateTimeFormat('en', { timeZone });
    // Offsets are zones to it, and to nobody upstream.
    return /^[A-Za-z]/.test(timeZone);
  } catch {
    return false;
  }
};

const validateJobTemplate = (spec: JobSpec, field: string): readonly FieldError[] => [
  ...validateJobSpec(spec, field),
  ...(selectorOf(spec) === undefined
    ? []
    : [invalid(`${field}.selector`, spec.selector, '`selector` will be auto-generated')]),
  ...(spec.manualSelector === true
    ? [notSupported(`${field}.manualSelector`, true, ['nil', 'false'])]
    : []),
];
