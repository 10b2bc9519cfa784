import type { ApiObject, ReplicationController } from '../types';
import { nonNegative, required, type FieldError } from './field-error';
import { validateForGood, validateMatch, validatePodTemplate } from './pod-template';
import { workloadRules } from './workload-rules';

/** A body may lack what its type promises. */
type Spec = Partial<ReplicationController['spec']>;
type Status = Partial<ReplicationController['status']>;
type Body = ApiObject & { readonly spec?: Spec; readonly status?: Status };

/** Unlike a ReplicaSet's, its selector may change. */
export const REPLICATION_CONTROLLER_RULES = workloadRules<Body>({
  validateSpec: ({ spec = {} }) => validateSpec(spec),
  counts: [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'observedGeneration',
  ],
});

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
