import { containersIn } from '../pod-in';
import type { DeepReadonly, Job } from '../types';
import type * as batch from 'kubernetes-types/batch/v1';
import {
  duplicate,
  invalid,
  nonNegative,
  notSupported,
  oneOf,
  required,
  tooLong,
  tooMany,
  type FieldError,
} from './field-error';
import { validatePodTemplate } from './pod-template';
import { validateDomainPath } from './typed-reference';

/** A body may lack what its type promises. */
export type JobSpec = Partial<NonNullable<Job['spec']>>;

/** Of a job, or of the template that a cron job makes jobs of. */
export const validateJobSpec = (spec: JobSpec, field: string): readonly FieldError[] => [
  ...COUNTS.flatMap((name) => nonNegative(`${field}.${name}`, spec[name])),
  ...(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined
    ? [required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
    : []),
  ...validateManager(spec.managedBy, `${field}.managedBy`),
  ...oneOf(`${field}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']),
  ...(spec.completionMode === 'Indexed'
    ? validateIndexed(spec, field)
    : [
        ...onlyIndexed(spec, 'backoffLimitPerIndex', field),
        ...onlyIndexed(spec, 'maxFailedIndexes', field),
      ]),
  ...validateFailurePolicy(spec, `${field}.podFailurePolicy.rules`),
  ...(spec.completionMode === 'Indexed'
    ? validateSuccessPolicy(spec, `${field}.successPolicy.rules`)
    : onlyIndexed(spec, 'successPolicy', field)),
  ...oneOf(
    `${field}.podReplacementPolicy`,
    spec.podReplacementPolicy,
    spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'],
  ),
  ...validatePodTemplate(spec.template, `${field}.template`),
  ...validateRestartPolicy(spec, `${field}.template.spec.restartPolicy`),
];

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;
const INDEXES_MAX = 100_000;
const INDEXES_MAX_OF_MANY = 10_000;
const RULES_MAX = 20;
const EXIT_CODES_MAX = 255;
const INDEXES_BYTES_MAX = 64 * 1024;
const MANAGER_BYTES_MAX = 63;
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];

const validateManager = (name: string | undefined, field: string): readonly FieldError[] =>
  name === undefined
    ? []
    : [
        ...validateDomainPath(field, name),
        ...(Buffer.byteLength(name) > MANAGER_BYTES_MAX ? [tooLong(field, MANAGER_BYTES_MAX)] : []),
      ];

const onlyIndexed = (spec: JobSpec, name: keyof JobSpec, field: string): readonly FieldError[] =>
  spec[name] === undefined
    ? []
    : [invalid(`${field}.${name}`, spec[name], 'requires indexed completion mode')];

const validateIndexed = (spec: JobSpec, field: string): readonly FieldError[] => {
  const { completions, parallelism = 0, maxFailedIndexes = 0, backoffLimitPerIndex } = spec;
  const isMany = (completions ?? 0) > INDEXES_MAX && backoffLimitPerIndex !== undefined;
  const atMost = (name: 'parallelism' | 'maxFailedIndexes', max: number, when: string) =>
    (spec[name] ?? 0) > max
      ? [invalid(`${field}.${name}`, spec[name], `must be less than or equal to ${max}${when}`)]
      : [];
  const ofMany = ` when completions are above ${INDEXES_MAX} and used with backoff limit per index`;
  return [
    ...(completions === undefined
      ? [required(`${field}.completions`, 'when completion mode is Indexed')]
      : []),
    ...atMost('parallelism', INDEXES_MAX, ' when completion mode is Indexed'),
    ...(completions !== undefined && maxFailedIndexes > completions
      ? [
          invalid(
            `${field}.maxFailedIndexes`,
            maxFailedIndexes,
            'must be less than or equal to completions',
          ),
        ]
      : []),
    ...atMost('maxFailedIndexes', INDEXES_MAX, ''),
    ...(isMany && spec.maxFailedIndexes === undefined
      ? [
          required(
            `${field}.maxFailedIndexes`,
            `must be specified when completions is above ${INDEXES_MAX}`,
          ),
        ]
      : []),
    ...(isMany && parallelism > INDEXES_MAX_OF_MANY
      ? atMost('parallelism', INDEXES_MAX_OF_MANY, ofMany)
      : []),
    ...(isMany ? atMost('maxFailedIndexes', INDEXES_MAX_OF_MANY, ofMany) : []),
  ];
};

const validateRestartPolicy = (
  { template, podFailurePolicy }: JobSpec,
  field: string,
): readonly FieldError[] => {
  const policy = template?.spec?.restartPolicy ?? 'Always';
  if (policy === 'Always') return [required(field, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never')
    return [notSupported(field, policy, ['OnFailure', 'Never'])];
  return podFailurePolicy !== undefined && policy !== 'Never'
    ? [invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
};

/** Null where it is missing, whatever the declared type says. */
const itemsOf = <T>(list: readonly T[] | null | undefined): readonly T[] => list ?? [];

type FailureRule = DeepReadonly<Partial<batch.PodFailurePolicyRule>>;
type ExitCodes = DeepReadonly<Partial<batch.PodFailurePolicyOnExitCodesRequirement>>;

const validateFailurePolicy = (spec: JobSpec, field: string): readonly FieldError[] => {
  const rules = itemsOf(spec.podFailurePolicy?.rules);
  const pod = spec.template?.spec;
  const names = new Set((pod === undefined ? [] : containersIn(pod)).map(([{ name }]) => name));
  return [
    ...(rules.length > RULES_MAX ? [tooMany(field, rules.length, RULES_MAX)] : []),
    ...rules
      .slice(0, RULES_MAX)
      .flatMap((rule, i) => validateFailureRule(spec, rule, names, `${field}[${i}]`)),
  ];
};

const validateFailureRule = (
  spec: JobSpec,
  { action = '', onExitCodes, onPodConditions }: FailureRule,
  names: ReadonlySet<string>,
  field: string,
): readonly FieldError[] => {
  const conditions = onPodConditions ?? [];
  const isOne = (onExitCodes === undefined) !== (conditions.length === 0);
  return [
    ...chosen(`${field}.action`, action, ACTIONS),
    ...(action === 'FailIndex' && spec.backoffLimitPerIndex === undefined
      ? [invalid(`${field}.action`, action, 'requires the backoffLimitPerIndex to be set')]
      : []),
    ...(onExitCodes === undefined
      ? []
      : validateExitCodes(onExitCodes, names, `${field}.onExitCodes`)),
    ...(conditions.length > RULES_MAX
      ? [tooMany(`${field}.onPodConditions`, conditions.length, RULES_MAX)]
      : conditions.flatMap(({ status = '' }, i) =>
          chosen(`${field}.onPodConditions[${i}].status`, status, STATUSES),
        )),
    ...(isOne
      ? []
      : [
          {
            type: 'FieldValueInvalid' as const,
            field,
            message:
              onExitCodes === undefined
                ? 'Invalid value: specifying one of OnExitCodes and OnPodConditions is required'
                : 'Invalid value: specifying both OnExitCodes and OnPodConditions is not supported',
          },
        ]),
  ];
};

const chosen = (field: string, value: string, values: readonly string[]): readonly FieldError[] =>
  value === ''
    ? [required(field, `valid values: [${values.map((each) => `"${each}"`).join(' ')}]`)]
    : oneOf(field, value, values);

const validateExitCodes = (
  { operator = '', containerName, values }: ExitCodes,
  names: ReadonlySet<string>,
  field: string,
): readonly FieldError[] => {
  const codes = values ?? [];
  const isOrdered = codes.every((code, i) => i === 0 || (codes[i - 1] ?? code) <= code);
  return [
    ...chosen(`${field}.operator`, operator, OPERATORS),
    ...(containerName === undefined || names.has(containerName)
      ? []
      : [
          invalid(
            `${field}.containerName`,
            containerName,
            'must be one of the container or initContainer names in the pod template',
          ),
        ]),
    ...(codes.length === 0
      ? [invalid(`${field}.values`, codes, 'at least one value is required')]
      : []),
    ...(codes.length > EXIT_CODES_MAX
      ? [tooMany(`${field}.values`, codes.length, EXIT_CODES_MAX)]
      : codes.flatMap((code, i) => [
          ...(operator === 'In' && code === 0
            ? [invalid(`${field}.values[${i}]`, code, 'must not be 0 for the In operator')]
            : []),
          ...(codes.indexOf(code) < i ? [duplicate(`${field}.values[${i}]`, code)] : []),
        ])),
    ...(isOrdered ? [] : [invalid(`${field}.values`, codes, 'must be ordered')]),
  ];
};

const validateSuccessPolicy = (
  { successPolicy, completions = 0 }: JobSpec,
  field: string,
): readonly FieldError[] => {
  if (successPolicy === undefined) return [];
  const rules = itemsOf(successPolicy.rules);
  return [
    ...(rules.length === 0
      ? [
          required(
            field,
            'at least one rules must be specified when the successPolicy is specified',
          ),
        ]
      : []),
    ...(rules.length > RULES_MAX ? [tooMany(field, rules.length, RULES_MAX)] : []),
    ...rules
      .slice(0, RULES_MAX)
      .flatMap(({ succeededCount, succeededIndexes }, i) => [
        ...(succeededCount === undefined && succeededIndexes === undefined
          ? [
              required(
                `${field}[${i}]`,
                'at least one of succeededCount or succeededIndexes must be specified',
              ),
            ]
          : []),
        ...(Buffer.byteLength(succeededIndexes ?? '') > INDEXES_BYTES_MAX
          ? [tooLong(`${field}[${i}].succeededIndexes`, INDEXES_BYTES_MAX)]
          : []),
        ...nonNegative(`${field}[${i}].succeededCount`, succeededCount),
        ...((succeededCount ?? 0) > completions
          ? [
              invalid(
                `${field}[${i}].succeededCount`,
                succeededCount,
                `must be less than or equal to ${completions} (the number of specified completions)`,
              ),
            ]
          : []),
      ]),
  ];
};
