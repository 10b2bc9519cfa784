import { jsonEqual } from '../json-value';
import { RBAC_GROUP } from '../resources';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../types';
import { invalid, notSupported, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { pathSegmentProblems } from '../names';

const NAMESPACED: MetadataRules = { isNamespaced: true, name: pathSegmentProblems };
const CLUSTER: MetadataRules = { isNamespaced: false, name: pathSegmentProblems };

export const validateRole = (role: Role): readonly FieldError[] => [
  ...validateMetadata(role, NAMESPACED),
  ...validateRules(role.rules, true),
];

export const validateRoleUpdate = (role: Role, old: Role): readonly FieldError[] => [
  ...validateMetadataUpdate(role, old, NAMESPACED),
  ...validateRules(role.rules, true),
];

export const validateClusterRole = (role: ClusterRole): readonly FieldError[] => [
  ...validateMetadata(role, CLUSTER),
  ...validateRules(role.rules, false),
  ...validateAggregation(role),
];

export const validateClusterRoleUpdate = (
  role: ClusterRole,
  old: ClusterRole,
): readonly FieldError[] => [
  ...validateMetadataUpdate(role, old, CLUSTER),
  ...validateRules(role.rules, false),
  ...validateAggregation(role),
];

export const validateRoleBinding = (binding: RoleBinding): readonly FieldError[] => [
  ...validateMetadata(binding, NAMESPACED),
  ...validateBinding(binding, ['Role', 'ClusterRole']),
];

export const validateRoleBindingUpdate = (
  binding: RoleBinding,
  old: RoleBinding,
): readonly FieldError[] => [
  ...validateMetadataUpdate(binding, old, NAMESPACED),
  ...validateBinding(binding, ['Role', 'ClusterRole']),
  ...validateSameRole(binding, old),
];

export const validateClusterRoleBinding = (binding: ClusterRoleBinding): readonly FieldError[] => [
  ...validateMetadata(binding, CLUSTER),
  ...validateBinding(binding, ['ClusterRole']),
];

export const validateClusterRoleBindingUpdate = (
  binding: ClusterRoleBinding,
  old: ClusterRoleBinding,
): readonly FieldError[] => [
  ...validateMetadataUpdate(binding, old, CLUSTER),
  ...validateBinding(binding, ['ClusterRole']),
  ...validateSameRole(binding, old),
];

const validateRules = (
  rules: readonly PolicyRule[] | null | undefined,
  isNamespaced: boolean,
): readonly FieldError[] =>
  (rules ?? []).flatMap((rule, i) => validateRule(rule, `rules[${i}]`, isNamespaced));

const validateRule = (
  { verbs, nonResourceURLs = [], resources = [], apiGroups = [], resourceNames = [] }: PolicyRule,
  field: string,
  isNamespaced: boolean,
): readonly FieldError[] => {
  const errors: FieldError[] = [];
  if ((verbs as readonly string[] | null) === null || verbs.length === 0)
    errors.push(required(`${field}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    if (isNamespaced)
      errors.push(
        invalid(
          `${field}.nonResourceURLs`,
          nonResourceURLs,
          'namespaced rules cannot apply to non-resource URLs',
        ),
      );
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      errors.push(
        invalid(
          `${field}.nonResourceURLs`,
          nonResourceURLs,
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    return errors;
  }
  if (apiGroups.length === 0)
    errors.push(
      required(`${field}.apiGroups`, 'resource rules must supply at least one api group'),
    );
  if (resources.length === 0)
    errors.push(required(`${field}.resources`, 'resource rules must supply at least one resource'));
  return errors;
};

const validateAggregation = ({ aggregationRule }: ClusterRole): readonly FieldError[] =>
  aggregationRule !== undefined && (aggregationRule.clusterRoleSelectors ?? []).length === 0
    ? [
        required(
          'aggregationRule.clusterRoleSelectors',
          'at least one clusterRoleSelector required if aggregationRule is non-nil',
        ),
      ]
    : [];

const validateBinding = (
  { roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding,
  roleKinds: readonly string[],
): readonly FieldError[] => [
  ...(roleRef.apiGroup === RBAC_GROUP
    ? []
    : [notSupported('roleRef.apiGroup', roleRef.apiGroup, [RBAC_GROUP])]),
  ...(roleKinds.includes(roleRef.kind)
    ? []
    : [notSupported('roleRef.kind', roleRef.kind, roleKinds)]),
  ...(roleRef.name === ''
    ? [required('roleRef.name')]
    : pathSegmentProblems(roleRef.name).map((why) => invalid('roleRef.name', roleRef.name, why))),
  ...subjects.flatMap((subject, i) =>
    validateSubject(subject, `subjects[${i}]`, roleKinds.includes('Role')),
  ),
];

const validateSubject = (
  { kind, name, namespace = '', apiGroup = '' }: Subject,
  field: string,
  isNamespaced: boolean,
): readonly FieldError[] => [
  ...(name === '' ? [required(`${field}.name`)] : []),
  ...(kind === 'ServiceAccount'
    ? [
        ...(name === ''
          ? []
          : subdomainName(name).map((why) => invalid(`${field}.name`, name, why))),
        ...(apiGroup === '' ? [] : [notSupported(`${field}.apiGroup`, apiGroup, [''])]),
        ...(namespace === '' && !isNamespaced ? [required(`${field}.namespace`)] : []),
      ]
    : kind === 'User' || kind === 'Group'
      ? apiGroup === RBAC_GROUP
        ? []
        : [notSupported(`${field}.apiGroup`, apiGroup, [RBAC_GROUP])]
      : [notSupported(`${field}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]),
];

const validateSameRole = (
  { roleRef }: RoleBinding | ClusterRoleBinding,
  old: RoleBinding | ClusterRoleBinding,
): readonly FieldError[] =>
  jsonEqual(roleRef, old.roleRef) ? [] : [invalid('roleRef', roleRef, 'cannot change roleRef')];
