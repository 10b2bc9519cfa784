import type { ApiObject, ReplicationController } from '../types';
import { nonNegative, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import {
  validateCounts,
  validateForGood,
  validateMatch,
  validatePodTemplate,
} from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

/** A body may lack what its type promises. */
type Spec = Partial<ReplicationController['spec']>;
type Status = Partial<ReplicationController['status']>;
type Body = ApiObject & { readonly spec?: Spec; readonly status?: Status };

export const validateReplicationController = (controller: Body): readonly FieldError[] => [
  ...validateMetadata(controller, RULES),
  ...validateSpec(controller.spec ?? {}),
  ...validateProtections(controller),
  ...validatePodAnnotations(controller),
];

/** Unlike a ReplicaSet's, its selector may change. */
export const validateReplicationControllerUpdate = (
  controller: Body,
  old: Body,
): readonly FieldError[] => [
  ...validateMetadataUpdate(controller, old, RULES),
  ...validateSpec(controller.spec ?? {}),
  ...validateProtections(controller, old),
  ...validatePodAnnotations(controller, old),
];

export const validateReplicationControllerStatusUpdate = (
  controller: Body,
  old: Body,
): readonly FieldError[] => [
  ...validateMetadataUpdate(controller, old, RULES),
  ...validateCounts(controller.status, COUNTS),
];

const COUNTS = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { selector = {} } = spec;
  const isEmpty = Object.keys(selector).length === 0;
  return [
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...(isEmpty ? [required('spec.selector')] : []),
    ...nonNegative('spec.replicas', spec.replicas),
    ...(spec.template === undefined
      ? [required('spec.template')]
      : [
          ...(isEmpty ? [] : validateMatch(spec.template, { matchLabels: selector })),
          ...validatePodTemplate(spec.template, 'spec.template'),
          ...validateForGood(spec.template.spec, 'ReplicationController'),
        ]),
  ];
};
