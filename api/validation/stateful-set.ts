import type * as core from 'kubernetes-types/core/v1';
import { jsonEqual } from '../json-value';
import type { ApiObject, DeepReadonly, PodTemplate, StatefulSet } from '../types';
import { forbidden, invalid, nonNegative, oneOf, required, type FieldError } from './field-error';
import {
  labelName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { amountOf, notMoreThanAll, validateIntOrPercent } from './percents';
import { validatePodAnnotations } from './pod-annotations';
import {
  selectorOf,
  validateCounts,
  validateSelector,
  validateTemplate,
  type Optional,
} from './pod-template';
import { validateProtections } from './protections';

const RULES: MetadataRules = { isNamespaced: true, name: labelName };

/** A body may lack what its type promises. */
type Spec = Partial<StatefulSet['spec']>;
type Body = ApiObject & { readonly spec?: Spec; readonly status?: Partial<StatefulSet['status']> };

export const validateStatefulSet = (set: Body): readonly FieldError[] => [
  ...validateMetadata(set, RULES),
  ...validateSpec(set.spec ?? {}),
  ...validateProtections(set),
  ...validatePodAnnotations(set),
];

export const validateStatefulSetUpdate = (set: Body, old: Body): readonly FieldError[] => [
  ...validateMetadataUpdate(set, old, RULES),
  ...validateSpec(set.spec ?? {}),
  ...(jsonEqual(fixedOf(set.spec ?? {}), fixedOf(old.spec ?? {}))
    ? []
    : [
        forbidden(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', " +
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and " +
            "'minReadySeconds' are forbidden",
        ),
      ]),
  ...validateProtections(set, old),
  ...validatePodAnnotations(set, old),
];

export const validateStatefulSetStatusUpdate = (set: Body, old: Body): readonly FieldError[] => {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = set.status ?? {};
  const beyond = (name: (typeof SHARES)[number]): readonly FieldError[] => {
    const count = set.status?.[name] ?? 0;
    return count > replicas
      ? [invalid(`status.${name}`, count, 'cannot be greater than status.replicas')]
      : [];
  };
  return [
    ...validateCounts(set.status, ['replicas', ...SHARES, 'observedGeneration', 'collisionCount']),
    ...SHARES.flatMap(beyond),
    ...(availableReplicas > readyReplicas
      ? [
          invalid(
            'status.availableReplicas',
            availableReplicas,
            'cannot be greater than status.readyReplicas',
          ),
        ]
      : []),
    ...validateMetadataUpdate(set, old, RULES),
  ];
};

const SHARES = [
  'readyReplicas',
  'currentReplicas',
  'updatedReplicas',
  'availableReplicas',
] as const;
const MAY_CHANGE: ReadonlySet<string> = new Set([
  ...['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit'],
  ...['persistentVolumeClaimRetentionPolicy', 'minReadySeconds'],
]);
const MANAGEMENT = ['OrderedReady', 'Parallel'];
const RETENTION = ['Retain', 'Delete'];

const fixedOf = (spec: Spec): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(spec).filter(([name]) => !MAY_CHANGE.has(name)));

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { podManagementPolicy: management = '', persistentVolumeClaimRetentionPolicy } = spec;
  const retention = 'spec.persistentVolumeClaimRetentionPolicy';
  const selector = selectorOf(spec);
  return [
    ...(management === '' ? [required('spec.podManagementPolicy')] : []),
    ...(management === '' || MANAGEMENT.includes(management)
      ? []
      : [invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'")]),
    ...validateStrategy(spec.updateStrategy ?? {}),
    ...(['whenDeleted', 'whenScaled'] as const).flatMap((name) =>
      oneOf(`${retention}.${name}`, persistentVolumeClaimRetentionPolicy?.[name], RETENTION),
    ),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...validateSelector(selector, 'statefulset'),
    ...validateTemplate(
      withClaims(spec.template, spec.volumeClaimTemplates ?? []),
      selector,
      'StatefulSet',
    ),
  ];
};

const validateStrategy = (strategy: NonNullable<Spec['updateStrategy']>): readonly FieldError[] => {
  const field = 'spec.updateStrategy';
  const { type = '', rollingUpdate } = strategy;
  switch (type) {
    case '':
      return [required(field)];
    case 'OnDelete':
      return rollingUpdate === undefined
        ? []
        : [
            invalid(
              `${field}.rollingUpdate`,
              rollingUpdate,
              "only allowed for updateStrategy 'RollingUpdate'",
            ),
          ];
    case 'RollingUpdate':
      return [
        ...nonNegative(`${field}.rollingUpdate.partition`, rollingUpdate?.partition),
        ...validateMaxUnavailable(
          rollingUpdate?.maxUnavailable,
          `${field}.rollingUpdate.maxUnavailable`,
        ),
      ];
    default:
      return [invalid(field, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
};

const validateMaxUnavailable = (
  value: number | string | undefined,
  field: string,
): readonly FieldError[] =>
  value === undefined
    ? []
    : [
        ...validateIntOrPercent(value, field),
        ...(amountOf(value) === 0 ? [invalid(field, value, 'cannot be 0')] : []),
        ...notMoreThanAll(value, field),
      ];

/** Each of its pods has a volume for every claim, whose name stands before that of a volume. */
const withClaims = (
  template: Optional<PodTemplate>,
  claims: readonly DeepReadonly<core.PersistentVolumeClaim>[],
): Optional<PodTemplate> => {
  if (template?.spec === undefined) return template;
  const { volumes = [] } = template.spec;
  const known = new Set(volumes.map(({ name }) => name));
  const claimed = new Set(claims.map(({ metadata }) => metadata?.name ?? ''));
  const added = [...claimed]
    .filter((name) => name !== '' && !known.has(name))
    .map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...template.spec, volumes: [...volumes, ...added] } };
};
