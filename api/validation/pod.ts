import { jsonEqual } from '../json-value';
import type { Container, Pod, PodSpec, Toleration } from '../types';
import { validateTolerations } from './affinity';
import { validateImage } from './containers';
import { validateEphemeralContainersKept } from './ephemeral-containers';
import { forbidden, inRange, invalid, nonNegative, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { validatePodResize } from './pod-resize';
import { validatePodSpec } from './pod-spec';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

const MAY_CHANGE =
  'pod updates may not change fields other than `spec.containers[*].image`,' +
  '`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` ' +
  '(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` ' +
  '(allow it to be set to 1 if it was previously negative)';

export const validatePod = (pod: Pod): readonly FieldError[] => [
  ...validateMetadata(pod, RULES),
  ...validatePodSpec(pod.spec, 'spec'),
  ...validateProtections(pod),
  ...validatePodAnnotations(pod),
  ...((pod.spec.ephemeralContainers ?? []).length === 0
    ? []
    : [forbidden('spec.ephemeralContainers', 'cannot be set on create')]),
];

/** A running pod is nearly immutable: images, the deadline and added tolerations may change. */
export const validatePodUpdate = (pod: Pod, old: Pod): readonly FieldError[] => {
  const metadata = validateMetadataUpdate(pod, old, RULES);
  const count = validateCounts(pod.spec, old.spec);
  if (count.length > 0) return [...metadata, ...count];
  return [
    ...metadata,
    ...validateImages(pod.spec),
    ...validateDeadline(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds),
    ...validateGates(pod.spec, old.spec),
    ...validateAddedTolerations(pod.spec.tolerations ?? [], old.spec.tolerations ?? []),
    ...validateProtections(pod, old),
    ...validatePodAnnotations(pod, old),
    ...(jsonEqual(immutablePart(pod.spec, old.spec), immutablePart(old.spec, old.spec))
      ? []
      : [forbidden('spec', MAY_CHANGE)]),
  ];
};

/** Through its own subresource, which leaves all else as it is. */
export const validateEphemeralContainersUpdate = (pod: Pod, old: Pod): readonly FieldError[] => [
  ...validateMetadataUpdate(pod, old, RULES),
  ...validatePodSpec(pod.spec, 'spec'),
  ...validateProtections(pod, old),
  ...validateEphemeralContainersKept(pod, old),
];

/** Through its own subresource, which leaves all else as it is. */
export const validateResizeUpdate = (pod: Pod, old: Pod): readonly FieldError[] => [
  ...validateMetadataUpdate(pod, old, RULES),
  ...validatePodSpec(pod.spec, 'spec'),
  ...validatePodResize(pod, old),
];

/** Status is the agent's word; only what would confuse every reader is refused. */
export const validatePodStatusUpdate = (pod: Pod, old: Pod): readonly FieldError[] => [
  ...validateMetadataUpdate(pod, old, RULES),
  ...(pod.status.containerStatuses ?? []).flatMap(({ restartCount }, i) =>
    nonNegative(`status.containerStatuses[${i}].restartCount`, restartCount),
  ),
];

const validateCounts = (spec: PodSpec, old: PodSpec): readonly FieldError[] =>
  (['containers', 'initContainers'] as const)
    .filter((list) => (spec[list] ?? []).length !== (old[list] ?? []).length)
    .map((list) => forbidden(`spec.${list}`, 'pod updates may not add or remove containers'));

const validateImages = (spec: PodSpec): readonly FieldError[] =>
  (['containers', 'initContainers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap(({ image = '' }, i) =>
      validateImage(image, `spec.${list}[${i}].image`),
    ),
  );

const validateDeadline = (
  seconds: number | undefined,
  old: number | undefined,
): readonly FieldError[] => {
  const field = 'spec.activeDeadlineSeconds';
  if (seconds === undefined)
    return old === undefined
      ? []
      : [invalid(field, seconds, 'must not update from a positive integer to nil value')];
  const outside = inRange(field, seconds, 0, 2 ** 31 - 1);
  if (outside.length > 0) return outside;
  return old !== undefined && seconds > old
    ? [invalid(field, seconds, `must be less than or equal to previous value`)]
    : [];
};

const validateGates = (spec: PodSpec, old: PodSpec): readonly FieldError[] => {
  const known = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  const added = (spec.schedulingGates ?? []).find(({ name }) => !known.has(name));
  return added === undefined
    ? []
    : [
        forbidden(
          'spec.schedulingGates',
          `only deletion is allowed, but found new scheduling gate '${added.name}'`,
        ),
      ];
};

const validateAddedTolerations = (
  tolerations: readonly Toleration[],
  old: readonly Toleration[],
): readonly FieldError[] => {
  const field = 'spec.tolerations';
  const withoutSeconds = (toleration: Toleration) => ({ ...toleration, tolerationSeconds: 0 });
  const isKept = (each: Toleration) =>
    tolerations.some((other) => jsonEqual(withoutSeconds(each), withoutSeconds(other)));
  return [
    ...(old.every(isKept)
      ? []
      : [forbidden(field, 'existing toleration can not be modified except its tolerationSeconds')]),
    ...validateTolerations(tolerations, field),
  ];
};

/** The spec with everything that may change taken from the old one. */
const immutablePart = (spec: PodSpec, old: PodSpec): object => {
  const withOldImages = (list: readonly Container[] | undefined, from?: readonly Container[]) =>
    list?.map((container, i) => ({ ...container, image: from?.[i]?.image }));
  return {
    ...spec,
    containers: withOldImages(spec.containers, old.containers),
    initContainers: withOldImages(spec.initContainers, old.initContainers),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
    terminationGracePeriodSeconds:
      (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
        ? old.terminationGracePeriodSeconds
        : spec.terminationGracePeriodSeconds,
  };
};
