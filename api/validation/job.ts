import { jsonEqual } from '../json-value';
import { dns1123LabelProblems } from '../names';
import { matchesLabelSelector } from '../selectors';
import type { Job } from '../types';
import { validateLabelSelector } from './affinity';
import { immutable, invalid, required, type FieldError } from './field-error';
import { validateJobSpec, type JobSpec } from './job-spec';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { selectorOf, validateCounts, validateMatch } from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateJob = (job: Job): readonly FieldError[] => [
  ...validateMetadata(job, RULES),
  ...validateGenerated(job.metadata, job.spec ?? {}),
  ...validateSpec(job.spec ?? {}),
  ...validateHostnames(job),
  ...validateProtections(job),
  ...validatePodAnnotations(job),
];

export const validateJobUpdate = (job: Job, old: Job): readonly FieldError[] => [
  ...validateMetadataUpdate(job, old, RULES),
  ...validateSpec(job.spec ?? {}),
  ...validateCompletions(job.spec ?? {}, old.spec ?? {}),
  ...fixed(job.spec ?? {}, old.spec ?? {}, ['selector']),
  ...(jsonEqual(job.spec?.template, allowedTemplate(job, old))
    ? []
    : [immutable('spec.template', job.spec?.template)]),
  ...fixed(job.spec ?? {}, old.spec ?? {}, [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ]),
  ...validateProtections(job, old),
  ...validatePodAnnotations(job, old),
];

export const validateJobStatusUpdate = (job: Job, old: Job): readonly FieldError[] => [
  ...validateMetadataUpdate(job, old, RULES),
  ...validateCounts(job.status, ['active', 'succeeded', 'failed', 'ready', 'terminating']),
];

/** What a job without a selector of its own marks its pods by. */
export const generatedLabels = (name: string, uid: string): Readonly<Record<string, string>> => ({
  'batch.kubernetes.io/controller-uid': uid,
  'batch.kubernetes.io/job-name': name,
  'controller-uid': uid,
  'job-name': name,
});

const validateGenerated = (metadata: Job['metadata'], spec: JobSpec): readonly FieldError[] => {
  const { manualSelector, template } = spec;
  const selector = selectorOf(spec);
  if (manualSelector === true || selector === undefined) return [];
  const expected = generatedLabels(metadata.name, metadata.uid ?? '');
  const labels = template?.metadata?.labels ?? {};
  return [
    ...Object.entries(expected).flatMap(([key, value]) => {
      const field = `spec.template.metadata.labels[${key}]`;
      if (!Object.hasOwn(labels, key)) return [required(field, `must be '${value}'`)];
      return labels[key] === value ? [] : [invalid(field, labels, `must be '${value}'`)];
    }),
    ...(matchesLabelSelector(selector, expected)
      ? []
      : [invalid('spec.selector', selector, '`selector` not auto-generated')]),
  ];
};

const validateSpec = (spec: JobSpec): readonly FieldError[] => {
  const selector = selectorOf(spec);
  return [
    ...validateJobSpec(spec, 'spec'),
    ...(selector === undefined
      ? [required('spec.selector')]
      : validateLabelSelector(selector, 'spec.selector')),
    ...validateMatch(spec.template, selector),
  ];
};

/** Pods of an indexed job are called as it is, with their index behind. */
const validateHostnames = ({ metadata, spec }: Job): readonly FieldError[] => {
  const { completionMode, completions = 0 }: JobSpec = spec ?? {};
  if (completionMode !== 'Indexed' || completions <= 0) return [];
  const last = `${metadata.name}-${completions - 1}`;
  return dns1123LabelProblems(last).length === 0
    ? []
    : [
        invalid(
          'metadata.name',
          metadata.name,
          `will not able to create pod with invalid DNS label: ${last}`,
        ),
      ];
};

/** Of an indexed job they may change along with the parallelism. */
const validateCompletions = (spec: JobSpec, old: JobSpec): readonly FieldError[] => {
  const { completions, parallelism, completionMode } = spec;
  if (completions === old.completions) return [];
  const field = 'spec.completions';
  if (completionMode !== 'Indexed') return [immutable(field, completions)];
  return completions === undefined || completions === parallelism
    ? []
    : [invalid(field, completions, 'can only be modified in tandem with spec.parallelism')];
};

const fixed = (
  spec: JobSpec,
  old: JobSpec,
  fields: readonly (keyof JobSpec)[],
): readonly FieldError[] =>
  fields
    .filter((field) => !jsonEqual(spec[field], old[field]))
    .map((field) => immutable(`spec.${field}`, spec[field]));

/** The old template; of a job that waits to start, with what says where its pods may run. */
const allowedTemplate = (job: Job, old: Job): JobSpec['template'] => {
  const before = old.spec?.template;
  const next = job.spec?.template;
  const isWaiting = old.spec?.suspend === true && old.status?.startTime === undefined;
  if (!isWaiting || before?.spec === undefined || next?.spec === undefined) return before;
  const { nodeSelector, tolerations, schedulingGates, affinity } = next.spec;
  return withoutAbsent({
    ...before,
    metadata: withoutAbsent({
      ...before.metadata,
      labels: next.metadata?.labels,
      annotations: next.metadata?.annotations,
    }),
    spec: withoutAbsent({
      ...before.spec,
      ...{ nodeSelector, tolerations, schedulingGates },
      affinity: withoutAbsent({
        ...before.spec.affinity,
        nodeAffinity: affinity?.nodeAffinity,
      }),
    }),
  });
};

/** What is left of it, as decoding leaves it; undefined when that is nothing. */
const withoutAbsent = (object: object): object | undefined => {
  const left = Object.entries(object).filter(([, value]) => value !== undefined);
  return left.length === 0 ? undefined : Object.fromEntries(left);
};
