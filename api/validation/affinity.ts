import type * as core from 'kubernetes-types/core/v1';
import type {
  Affinity,
  DeepReadonly,
  LabelSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Taint,
  Toleration,
} from '../types';
import {
  duplicate,
  forbidden,
  inRange,
  invalid,
  invalidFor,
  notSupported,
  required,
  type FieldError,
} from './field-error';
import { validateLabels } from './metadata';
import { labelValueProblems, qualifiedNameProblems } from '../names';

type PodAffinityTerm = DeepReadonly<core.PodAffinityTerm>;
type Spread = DeepReadonly<core.TopologySpreadConstraint>;

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export const validateTolerations = (
  tolerations: readonly Toleration[],
  field: string,
): readonly FieldError[] =>
  tolerations.flatMap((toleration, i) => validateToleration(toleration, `${field}[${i}]`));

const validateToleration = (toleration: Toleration, field: string): readonly FieldError[] => {
  const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
  return [
    ...(key === '' ? [] : invalidFor(`${field}.key`, key, qualifiedNameProblems(key))),
    ...(key === '' && operator !== 'Exists'
      ? [
          invalid(
            `${field}.operator`,
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
          ),
        ]
      : []),
    ...(tolerationSeconds !== undefined && effect !== 'NoExecute'
      ? [
          invalid(
            `${field}.effect`,
            effect,
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
          ),
        ]
      : []),
    ...(operator === '' || operator === 'Equal'
      ? invalidFor(`${field}.operator`, value, labelValueProblems(value))
      : operator !== 'Exists'
        ? [notSupported(`${field}.operator`, operator, ['Equal', 'Exists'])]
        : value === ''
          ? []
          : [
              invalid(
                `${field}.operator`,
                toleration,
                "value must be empty when `operator` is 'Exists'",
              ),
            ]),
    ...(effect === '' || EFFECTS.includes(effect)
      ? []
      : [notSupported(`${field}.effect`, effect, EFFECTS)]),
  ];
};

export const validateTaints = (taints: readonly Taint[], field: string): readonly FieldError[] => {
  const seen = new Set<string>();
  return taints.flatMap((taint, i) => {
    const at = `${field}[${i}]`;
    const identity = `${taint.key}:${taint.effect}`;
    const isRepeated = seen.has(identity);
    seen.add(identity);
    return [
      ...invalidFor(`${at}.key`, taint.key, qualifiedNameProblems(taint.key)),
      ...invalidFor(`${at}.value`, taint.value, labelValueProblems(taint.value ?? '')),
      ...(taint.effect === ''
        ? [required(`${at}.effect`)]
        : EFFECTS.includes(taint.effect)
          ? []
          : [notSupported(`${at}.effect`, taint.effect, EFFECTS)]),
      ...(isRepeated ? [duplicate(at, taint, 'taints must be unique by key and effect pair')] : []),
    ];
  });
};

export const validateAffinity = (
  affinity: Affinity | undefined,
  field: string,
): readonly FieldError[] => [
  ...validateNodeAffinity(affinity?.nodeAffinity, `${field}.nodeAffinity`),
  ...validatePodAffinity(affinity?.podAffinity, `${field}.podAffinity`),
  ...validatePodAffinity(affinity?.podAntiAffinity, `${field}.podAntiAffinity`),
];

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

const validateNodeAffinity = (
  affinity: Affinity['nodeAffinity'],
  field: string,
): readonly FieldError[] => {
  const needed = affinity?.[REQUIRED];
  return [
    ...(needed === undefined ? [] : validateNodeSelector(needed, `${field}.${REQUIRED}`)),
    ...(affinity?.[PREFERRED] ?? []).flatMap(({ weight, preference }, i) => [
      ...validateWeight(weight, `${field}.${PREFERRED}[${i}].weight`),
      ...validateTerm(preference, `${field}.${PREFERRED}[${i}].preference`),
    ]),
  ];
};

/** One of its terms has to fit a node, and there is one. */
export const validateNodeSelector = (
  { nodeSelectorTerms }: { readonly nodeSelectorTerms?: readonly NodeSelectorTerm[] | null },
  field: string,
): readonly FieldError[] => {
  const terms = nodeSelectorTerms ?? [];
  const at = `${field}.nodeSelectorTerms`;
  return [
    ...(terms.length === 0 ? [required(at, 'must have at least one node selector term')] : []),
    ...terms.flatMap((term, i) => validateTerm(term, `${at}[${i}]`)),
  ];
};

const validateWeight = (weight: number, field: string): readonly FieldError[] =>
  inRange(field, weight, 1, 100).map(() => invalid(field, weight, 'must be in the range 1-100'));

const validateTerm = (term: NodeSelectorTerm, field: string): readonly FieldError[] => [
  ...(term.matchExpressions ?? []).flatMap((each, i) =>
    validateRequirement(each, `${field}.matchExpressions[${i}]`),
  ),
  ...(term.matchFields ?? []).flatMap((each, i) =>
    validateFieldRequirement(each, `${field}.matchFields[${i}]`),
  ),
];

const validateRequirement = (
  { key, operator, values = [] }: NodeSelectorRequirement,
  field: string,
): readonly FieldError[] => [
  ...validateOperator(operator, values, field),
  ...invalidFor(`${field}.key`, key, qualifiedNameProblems(key)),
  ...(operator === 'Gt' || operator === 'Lt' || operator === 'In' || operator === 'NotIn'
    ? values.flatMap((value, i) =>
        invalidFor(`${field}.values[${i}]`, value, labelValueProblems(value)),
      )
    : []),
];

const validateOperator = (
  operator: string,
  values: readonly string[],
  field: string,
): readonly FieldError[] => {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [
            forbidden(
              `${field}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          ];
    case 'Gt':
    case 'Lt':
      return values.length === 1
        ? []
        : [
            required(
              `${field}.values`,
              "must be specified single value when `operator` is 'Lt' or 'Gt'",
            ),
          ];
    default:
      return [invalid(`${field}.operator`, operator, 'not a valid selector operator')];
  }
};

const validateFieldRequirement = (
  { key, operator, values = [] }: NodeSelectorRequirement,
  field: string,
): readonly FieldError[] => [
  ...(operator !== 'In' && operator !== 'NotIn'
    ? [invalid(`${field}.operator`, operator, 'not a valid selector operator')]
    : values.length === 1
      ? []
      : [
          required(
            `${field}.values`,
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
          ),
        ]),
  ...(key === 'metadata.name'
    ? []
    : [invalid(`${field}.key`, key, 'not a valid field selector key')]),
];

const validatePodAffinity = (
  affinity: Affinity['podAffinity'],
  field: string,
): readonly FieldError[] => [
  ...(affinity?.[REQUIRED] ?? []).flatMap((term, i) =>
    validatePodTerm(term, `${field}.${REQUIRED}[${i}]`),
  ),
  ...(affinity?.[PREFERRED] ?? []).flatMap(({ weight, podAffinityTerm }, i) => [
    ...validateWeight(weight, `${field}.${PREFERRED}[${i}].weight`),
    ...validatePodTerm(podAffinityTerm, `${field}.${PREFERRED}[${i}].podAffinityTerm`),
  ]),
];

const validatePodTerm = (
  { labelSelector, namespaceSelector, topologyKey }: PodAffinityTerm,
  field: string,
): readonly FieldError[] => [
  ...validateLabelSelector(labelSelector, `${field}.labelSelector`),
  ...validateLabelSelector(namespaceSelector, `${field}.namespaceSelector`),
  ...validateTopologyKey(topologyKey, `${field}.topologyKey`),
];

const validateTopologyKey = (key: string, field: string): readonly FieldError[] =>
  key === ''
    ? [required(field, 'can not be empty')]
    : invalidFor(field, key, qualifiedNameProblems(key));

export const validateTopologySpread = (
  constraints: readonly Spread[],
  field: string,
): readonly FieldError[] =>
  constraints.flatMap((constraint, i) => {
    const at = `${field}[${i}]`;
    const { maxSkew, minDomains, topologyKey, whenUnsatisfiable, labelSelector } = constraint;
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    const isRepeated = constraints
      .slice(0, i)
      .some(
        (other) =>
          other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable,
      );
    return [
      ...(maxSkew > 0 ? [] : [invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero')]),
      ...validateTopologyKey(topologyKey, `${at}.topologyKey`),
      ...(['DoNotSchedule', 'ScheduleAnyway'].includes(whenUnsatisfiable)
        ? []
        : [
            notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, [
              'DoNotSchedule',
              'ScheduleAnyway',
            ]),
          ]),
      ...(isRepeated ? [duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair)] : []),
      ...(minDomains !== undefined && minDomains <= 0
        ? [invalid(`${at}.minDomains`, minDomains, 'must be greater than zero')]
        : []),
      ...validateLabelSelector(labelSelector, `${at}.labelSelector`),
    ];
  });

export const validateLabelSelector = (
  selector: LabelSelector | undefined,
  field: string,
): readonly FieldError[] => [
  ...validateLabels(selector?.matchLabels, `${field}.matchLabels`),
  ...(selector?.matchExpressions ?? []).flatMap(({ key, operator, values = [] }, i) => {
    const at = `${field}.matchExpressions[${i}]`;
    return [
      ...(operator === 'Gt' || operator === 'Lt'
        ? [invalid(`${at}.operator`, operator, 'not a valid selector operator')]
        : validateOperator(operator, values, at)),
      ...invalidFor(`${at}.key`, key, qualifiedNameProblems(key)),
      ...values.flatMap((value, j) =>
        invalidFor(`${at}.values[${j}]`, value, labelValueProblems(value)),
      ),
    ];
  }),
];
