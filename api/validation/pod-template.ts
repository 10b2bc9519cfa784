import { jsonEqual } from '../json-value';
import { matchesLabelSelector } from '../selectors';
import type { LabelSelector, PodSpec, PodTemplate } from '../types';
import { validateLabelSelector } from './affinity';
import {
  forbidden,
  immutable,
  invalid,
  nonNegative,
  notSupported,
  required,
  type FieldError,
} from './field-error';
import { validateAnnotations, validateLabels } from './metadata';
import { validatePodSpec } from './pod-spec';

/*
 * What workloads have in common: a template of pods, and a selector that finds them again.
 */

/** Absent although its type says otherwise: validation comes before anyone may count on it. */
export type Optional<T> = T | undefined;

/** Null where it is missing, whatever the declared type says. */
export const selectorOf = (spec: {
  readonly selector?: LabelSelector | null;
}): Optional<LabelSelector> => spec.selector ?? undefined;

export const validateSelector = (
  selector: Optional<LabelSelector>,
  what: string,
): readonly FieldError[] => {
  const field = 'spec.selector';
  if (selector === undefined) return [required(field)];
  return [
    ...validateLabelSelector(selector, field),
    ...notEmpty(selector, what),
    ...(isWellFormed(selector) ? [] : [invalid(field, selector, 'invalid label selector')]),
  ];
};

export const notEmpty = (selector: LabelSelector, what: string): readonly FieldError[] => {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return Object.keys(matchLabels).length + matchExpressions.length === 0
    ? [invalid('spec.selector', selector, `empty selector is invalid for ${what}`)]
    : [];
};

const isWellFormed = (selector: LabelSelector): boolean =>
  validateLabelSelector(selector, '').length === 0;

/** Of pods that run until their owner, a kind called `what`, is gone. */
export const validateTemplate = (
  template: Optional<PodTemplate>,
  selector: Optional<LabelSelector>,
  what = 'ReplicaSet',
): readonly FieldError[] => {
  // Upstream does not look at the template under a selector it cannot read.
  if (selector !== undefined && !isWellFormed(selector)) return [];
  if (template === undefined) return [required('spec.template')];
  return [
    ...validateMatch(template, selector),
    ...validatePodTemplate(template, 'spec.template'),
    ...validateForGood(template.spec, what),
  ];
};

export const validateMatch = (
  template: Optional<PodTemplate>,
  selector: Optional<LabelSelector>,
): readonly FieldError[] => {
  const labels = template?.metadata?.labels ?? {};
  return matchesLabelSelector(selector, labels)
    ? []
    : [
        invalid(
          'spec.template.metadata.labels',
          labels,
          '`selector` does not match template `labels`',
        ),
      ];
};

/** Of any pods. */
export const validatePodTemplate = (
  template: Optional<PodTemplate>,
  field: string,
): readonly FieldError[] => {
  const { metadata, spec } = template ?? {};
  return [
    ...validateLabels(metadata?.labels, `${field}.labels`),
    ...validateAnnotations(metadata?.annotations, `${field}.annotations`),
    ...validatePodSpec(spec ?? { containers: [] }, `${field}.spec`),
    ...((spec?.ephemeralContainers ?? []).length === 0
      ? []
      : [
          forbidden(
            `${field}.spec.ephemeralContainers`,
            'ephemeral containers not allowed in pod template',
          ),
        ]),
  ];
};

export const validateForGood = (spec: Optional<PodSpec>, what: string): readonly FieldError[] => [
  ...(spec?.restartPolicy === undefined || spec.restartPolicy === 'Always'
    ? []
    : [notSupported('spec.template.spec.restartPolicy', spec.restartPolicy, ['Always'])]),
  ...(spec?.activeDeadlineSeconds === undefined
    ? []
    : [
        forbidden(
          'spec.template.spec.activeDeadlineSeconds',
          `activeDeadlineSeconds in ${what} is not Supported`,
        ),
      ]),
];

export const validateSameSelector = (
  selector: LabelSelector,
  old: LabelSelector,
): readonly FieldError[] =>
  jsonEqual(selector, old) ? [] : [immutable('spec.selector', selector)];

export const validateCounts = <K extends string>(
  status: { readonly [Key in K]?: number } | undefined,
  fields: readonly K[],
): readonly FieldError[] =>
  fields.flatMap((field) => nonNegative(`status.${field}`, status?.[field]));
