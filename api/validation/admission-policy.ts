import { jsonEqual } from '../json-value';
import { compilePolicy, type CompiledPolicy, type CompiledVariables } from '../policies/compile';
import type {
  MatchResources,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../types';
import { validateLabelSelector } from './affinity';
import { duplicate, invalid, invalidFor, required, type FieldError, oneOf } from './field-error';
import { refusedBy, validateConditions, validateExpression } from './expressions';
import { validateMatchRules } from './match-rules';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '../names';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };

type Policy = ValidatingAdmissionPolicy;
type PolicySpec = NonNullable<Policy['spec']>;
type Validation = NonNullable<PolicySpec['validations']>[number];
type Binding = ValidatingAdmissionPolicyBinding;
type ParamRef = NonNullable<NonNullable<Binding['spec']>['paramRef']>;

export const validateValidatingPolicy = (policy: Policy): readonly FieldError[] => [
  ...validateMetadata(policy, RULES),
  ...validatePolicySpec(policy),
];

/** A spec that stays as it was is not compiled again. */
export const validateValidatingPolicyUpdate = (
  policy: Policy,
  old: Policy,
): readonly FieldError[] => [
  ...validateMetadataUpdate(policy, old, RULES),
  ...(jsonEqual(policy.spec, old.spec) ? [] : validatePolicySpec(policy)),
];

export const validateValidatingBinding = (binding: Binding): readonly FieldError[] => [
  ...validateMetadata(binding, RULES),
  ...validateBindingSpec(binding),
];

export const validateValidatingBindingUpdate = (
  binding: Binding,
  old: Binding,
): readonly FieldError[] => [
  ...validateMetadataUpdate(binding, old, RULES),
  ...validateBindingSpec(binding),
];

const validatePolicySpec = (policy: Policy): readonly FieldError[] => {
  const spec: PolicySpec = policy.spec ?? {};
  const { failurePolicy = 'Fail', validations = [], auditAnnotations = [] } = spec;
  const isEmpty = validations.length + auditAnnotations.length === 0;
  const problem = 'validations or auditAnnotations must contain at least one item';
  const compiled = compilePolicy(policy);
  return [
    ...oneOf('spec.failurePolicy', failurePolicy, FAILURE_POLICIES),
    ...(spec.paramKind === undefined ? [] : validateParamKind(spec.paramKind)),
    ...(spec.matchConstraints === undefined
      ? [required('spec.matchConstraints')]
      : validateMatchResources(spec.matchConstraints, 'spec.matchConstraints', 1)),
    ...validateConditions(spec.matchConditions, compiled.conditions, 'spec.matchConditions'),
    ...validateVariables(spec, compiled),
    ...(isEmpty
      ? [required('spec.validations', problem), required('spec.auditAnnotations', problem)]
      : []),
    ...validations.flatMap((validation, i) =>
      validateValidation(validation, compiled.validations[i], `spec.validations[${i}]`),
    ),
    ...validateAuditAnnotations(spec, compiled),
  ];
};

export const validateParamKind = ({
  apiVersion = '',
  kind = '',
}: NonNullable<PolicySpec['paramKind']>): readonly FieldError[] => {
  const [version = '', group] = apiVersion.split('/').reverse();
  const at = 'spec.paramKind.apiVersion';
  return [
    ...(apiVersion === '' ? [required(at)] : []),
    ...(apiVersion.split('/').length > 2
      ? [invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
      : apiVersion === ''
        ? []
        : [
            ...(group === undefined ? [] : invalidFor(at, group, dns1123SubdomainProblems(group))),
            ...invalidFor(at, version, dns1123LabelProblems(version)),
          ]),
    ...(kind === ''
      ? [required('spec.paramKind.kind')]
      : invalidFor('spec.paramKind.kind', kind, dns1123LabelProblems(kind.toLowerCase()))),
  ];
};

export const validateMatchResources = (
  match: MatchResources,
  at: string,
  rulesMin: number,
): readonly FieldError[] => {
  const { matchPolicy = 'Equivalent', resourceRules = [], excludeResourceRules = [] } = match;
  return [
    ...oneOf(`${at}.matchPolicy`, matchPolicy, MATCH_POLICIES),
    ...validateLabelSelector(match.namespaceSelector, `${at}.namespaceSelector`),
    ...validateLabelSelector(match.objectSelector, `${at}.objectSelector`),
    ...(resourceRules.length < rulesMin ? [required(`${at}.resourceRules`)] : []),
    ...validateMatchRules(resourceRules, `${at}.resourceRules`),
    ...validateMatchRules(excludeResourceRules, `${at}.excludeResourceRules`),
    ...[...resourceRules.entries()].flatMap(([i, { resourceNames = [] }]) =>
      validateResourceNames(resourceNames, `${at}.resourceRules[${i}].resourceNames`),
    ),
  ];
};

const validateResourceNames = (names: readonly string[], at: string): readonly FieldError[] =>
  names.flatMap((name, i) =>
    names.indexOf(name) < i
      ? [duplicate(`${at}[${i}]`, name)]
      : invalidFor(`${at}[${i}]`, name, dns1123SubdomainProblems(name)),
  );

export const validateVariables = (
  { variables = [] }: Pick<PolicySpec, 'variables'>,
  compiled: CompiledVariables,
): readonly FieldError[] => {
  const names = variables.map(({ name }) => name);
  return variables.flatMap(({ name, expression }, i) => {
    const at = `spec.variables[${i}]`;
    return [
      ...(name === ''
        ? [required(`${at}.name`, 'name is not specified')]
        : IDENTIFIER.test(name)
          ? []
          : [invalid(`${at}.name`, name, 'name is not a valid CEL identifier')]),
      ...(names.indexOf(name) < i ? [duplicate(`${at}.name`, name)] : []),
      ...validateExpression(expression, compiled.variables[i]?.program, `${at}.expression`),
    ];
  });
};

const validateValidation = (
  validation: Validation,
  compiled: CompiledPolicy['validations'][number] | undefined,
  at: string,
): readonly FieldError[] => {
  const { expression, message, messageExpression, reason } = validation;
  const isBlank = (text: string | undefined) => text !== undefined && text.trim() === '';
  return [
    ...validateExpression(expression, compiled?.program, `${at}.expression`),
    ...(isBlank(messageExpression)
      ? [invalid(`${at}.messageExpression`, messageExpression, NON_EMPTY('messageExpression'))]
      : messageExpression === undefined
        ? []
        : refusedBy(messageExpression, compiled?.message, `${at}.messageExpression`)),
    ...(isBlank(message)
      ? [invalid(`${at}.message`, message, NON_EMPTY('message'))]
      : message?.trim().includes('\n') === true
        ? [invalid(`${at}.message`, message, 'message must not contain line breaks')]
        : []),
    // A body may lack the expression.
    ...((expression as string | undefined)?.trim().includes('\n') === true && (message ?? '') === ''
      ? [required(`${at}.message`, 'message must be specified if expression contains line breaks')]
      : []),
    ...(reason === undefined ? [] : oneOf(`${at}.reason`, reason, REASONS)),
  ];
};

const validateAuditAnnotations = (
  { auditAnnotations = [] }: PolicySpec,
  compiled: CompiledPolicy,
): readonly FieldError[] => {
  const at = 'spec.auditAnnotations';
  if (auditAnnotations.length > ANNOTATIONS_MAX)
    return [
      invalid(at, auditAnnotations, `must not have more than ${ANNOTATIONS_MAX} auditAnnotations`),
    ];
  const keys = auditAnnotations.map(({ key }) => key);
  return auditAnnotations.flatMap(({ key, valueExpression }, i) => [
    ...(key === ''
      ? [required(`${at}[${i}].key`)]
      : invalidFor(`${at}[${i}].key`, key, qualifiedNameProblems(key))),
    ...(keys.indexOf(key) < i ? [duplicate(`${at}[${i}].key`, key)] : []),
    ...validateExpression(
      valueExpression,
      compiled.auditAnnotations[i],
      `${at}[${i}].valueExpression`,
      'valueExpression is not specified',
    ),
  ]);
};

const validateBindingSpec = (binding: Binding): readonly FieldError[] => [
  ...validateBound(binding.spec ?? {}),
  ...validateActions(binding.spec?.validationActions ?? []),
];

/** What all bindings say. */
export const validateBound = ({
  policyName = '',
  paramRef,
  matchResources,
}: Pick<
  NonNullable<Binding['spec']>,
  'policyName' | 'paramRef' | 'matchResources'
>): readonly FieldError[] => [
  ...(policyName === ''
    ? [required('spec.policyName')]
    : invalidFor('spec.policyName', policyName, dns1123SubdomainProblems(policyName))),
  ...(paramRef === undefined ? [] : validateParamRef(paramRef)),
  ...(matchResources === undefined
    ? []
    : validateMatchResources(matchResources, 'spec.matchResources', 0)),
];

const validateParamRef = ({
  name = '',
  selector,
  parameterNotFoundAction,
}: ParamRef): readonly FieldError[] => {
  const at = 'spec.paramRef';
  const either = 'one of name or selector must be specified';
  return [
    ...(name === ''
      ? selector === undefined
        ? [required(at, either)]
        : []
      : [
          ...invalidFor(`${at}.name`, name, dns1123SubdomainProblems(name)),
          ...(selector === undefined
            ? []
            : [
                invalid(
                  `${at}.name`,
                  name,
                  'name and selector are mutually exclusive; only one may be specified',
                ),
              ]),
        ]),
    ...validateLabelSelector(selector, `${at}.selector`),
    ...(parameterNotFoundAction === undefined
      ? [required(`${at}.parameterNotFoundAction`)]
      : oneOf(`${at}.parameterNotFoundAction`, parameterNotFoundAction, NOT_FOUND_ACTIONS)),
  ];
};

const validateActions = (actions: readonly string[]): readonly FieldError[] => {
  const at = 'spec.validationActions';
  if (actions.length === 0) return [required(at, 'at least one validation action is required')];
  return [
    ...actions.flatMap((action, i) =>
      actions.indexOf(action) < i
        ? [duplicate(`${at}[${i}]`, action)]
        : oneOf(`${at}[${i}]`, action, ACTIONS),
    ),
    ...(actions.includes('Deny') && actions.includes('Warn')
      ? [
          invalid(
            at,
            actions,
            'must not contain both Deny and Warn (repeating the same validation failure ' +
              'information in the API response and headers serves no purpose)',
          ),
        ]
      : []),
  ];
};

const NON_EMPTY = (what: string): string => `${what} must be non-empty if specified`;
const ANNOTATIONS_MAX = 20;
export const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const ACTIONS = ['Audit', 'Deny', 'Warn'];
const NOT_FOUND_ACTIONS = ['Allow', 'Deny'];
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
const IDENTIFIER =
  /^(?!(?:true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$)[_a-zA-Z][_a-zA-Z0-9]*$/;
