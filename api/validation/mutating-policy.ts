import { jsonEqual } from '../json-value';
import { compileMutations, type Compiled } from '../policies/compile';
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from '../types';
import {
  FAILURE_POLICIES,
  validateBound,
  validateMatchResources,
  validateParamKind,
  validateVariables,
} from './admission-policy';
import { validateConditions, validateExpression } from './expressions';
import { forbidden, notSupported, oneOf, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };

type Policy = MutatingAdmissionPolicy;
type Binding = MutatingAdmissionPolicyBinding;

export const validateMutatingPolicy = (policy: Policy): readonly FieldError[] => [
  ...validateMetadata(policy, RULES),
  ...validatePolicySpec(policy),
];

/** A spec that stays as it was is not compiled again. */
export const validateMutatingPolicyUpdate = (
  policy: Policy,
  old: Policy,
): readonly FieldError[] => [
  ...validateMetadataUpdate(policy, old, RULES),
  ...(jsonEqual(policy.spec, old.spec) ? [] : validatePolicySpec(policy)),
];

export const validateMutatingBinding = (binding: Binding): readonly FieldError[] => [
  ...validateMetadata(binding, RULES),
  ...validateBound(binding.spec ?? EMPTY),
];

export const validateMutatingBindingUpdate = (
  binding: Binding,
  old: Binding,
): readonly FieldError[] => [
  ...validateMetadataUpdate(binding, old, RULES),
  ...validateBound(binding.spec ?? EMPTY),
];

const EMPTY = { policyName: '' };

const validatePolicySpec = (policy: Policy): readonly FieldError[] => {
  const spec = policy.spec ?? {};
  const { failurePolicy = 'Fail', mutations = [], reinvocationPolicy = '' } = spec;
  const compiled = compileMutations(policy);
  return [
    ...oneOf('spec.failurePolicy', failurePolicy, FAILURE_POLICIES),
    ...(spec.paramKind === undefined ? [] : validateParamKind(spec.paramKind)),
    ...(spec.matchConstraints === undefined
      ? [required('spec.matchConstraints')]
      : [
          ...validateMatchResources(spec.matchConstraints, 'spec.matchConstraints', 1),
          ...validateOperations(spec.matchConstraints),
        ]),
    ...validateConditions(spec.matchConditions, compiled.conditions, 'spec.matchConditions'),
    ...validateVariables(spec, compiled),
    ...(mutations.length === 0
      ? [required('spec.mutations', 'mutations must contain at least one item')]
      : []),
    ...mutations.flatMap((mutation, i) =>
      validateMutation(mutation, compiled.mutations[i], `spec.mutations[${i}]`),
    ),
    ...(reinvocationPolicy === ''
      ? [required('spec.reinvocationPolicy')]
      : oneOf('spec.reinvocationPolicy', reinvocationPolicy, REINVOCATION_POLICIES)),
  ];
};

/** Nothing can be changed of what goes. */
const validateOperations = ({ resourceRules = [] }: MatchResources): readonly FieldError[] =>
  resourceRules.flatMap(({ operations = [] }, i) =>
    operations.flatMap((operation, j) =>
      operation === 'DELETE'
        ? [
            notSupported(
              `spec.matchConstraints.resourceRules[${i}].operations[${j}]`,
              operation,
              OPERATIONS,
            ),
          ]
        : [],
    ),
  );

/** A body may lack what its type promises. */
const validateMutation = (
  { patchType = '', applyConfiguration, jsonPatch }: Partial<Mutation>,
  compiled: Compiled | undefined,
  at: string,
): readonly FieldError[] => {
  const members = { ApplyConfiguration: applyConfiguration, JSONPatch: jsonPatch };
  switch (patchType) {
    case '':
      return [required(`${at}.patchType`)];
    case 'ApplyConfiguration':
    case 'JSONPatch': {
      const other = patchType === 'JSONPatch' ? 'ApplyConfiguration' : 'JSONPatch';
      const own = members[patchType];
      return [
        ...(own === undefined
          ? [required(`${at}.${FIELDS[patchType]}`)]
          : members[other] === undefined
            ? validateExpression(own.expression, compiled, `${at}.${FIELDS[patchType]}.expression`)
            : []),
        ...(members[other] === undefined
          ? []
          : [forbidden(`${at}.${FIELDS[other]}`, `may not be set when patchType is ${patchType}`)]),
      ];
    }
    default:
      return [notSupported(`${at}.patchType`, patchType, Object.keys(FIELDS))];
  }
};

const FIELDS = { ApplyConfiguration: 'applyConfiguration', JSONPatch: 'jsonPatch' } as const;
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'UPDATE'];
