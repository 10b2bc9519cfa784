import type * as core from 'kubernetes-types/core/v1';
import { parseQuantity } from '../quantity';
import { isIntegerResource, isStandardQuotaResource } from '../resource-names';
import type { DeepReadonly, ResourceQuota } from '../types';
import { immutable, invalid, required, tooMany, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateResourceName } from './resources';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateResourceQuota = (quota: ResourceQuota): readonly FieldError[] => [
  ...validateMetadata(quota, RULES),
  ...countProblems(quota),
  ...validateSpec(quota),
];

export const validateResourceQuotaUpdate = (
  quota: ResourceQuota,
  old: ResourceQuota,
): readonly FieldError[] => [
  ...validateMetadataUpdate(quota, old, RULES),
  ...(countOf(quota) > countOf(old) ? countProblems(quota) : []),
  ...validateSpec(quota),
  ...(isSameSet(quota.spec?.scopes ?? [], old.spec?.scopes ?? [])
    ? []
    : [immutable('spec.scopes', quota.spec?.scopes ?? null)]),
];

export const validateResourceQuotaStatusUpdate = (
  quota: ResourceQuota,
  old: ResourceQuota,
): readonly FieldError[] => [
  ...validateMetadataUpdate(quota, old, RULES),
  ...validateList(quota.status?.hard, 'status.hard'),
  ...validateList(quota.status?.used, 'status.used'),
];

/** Each write in the namespace looks at all of them. Upstream has no bound. */
const countProblems = (quota: ResourceQuota): readonly FieldError[] => {
  const count = countOf(quota);
  return count > RESOURCES_MAX ? [tooMany('spec.hard', count, RESOURCES_MAX)] : [];
};

const countOf = ({ spec }: ResourceQuota): number => Object.keys(spec?.hard ?? {}).length;

const RESOURCES_MAX = 500;

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.every((item) => b.includes(item)) && b.every((item) => a.includes(item));

type Spec = NonNullable<ResourceQuota['spec']>;
type Requirement = DeepReadonly<core.ScopedResourceSelectorRequirement>;

const validateSpec = ({ spec }: ResourceQuota): readonly FieldError[] =>
  spec === undefined
    ? []
    : [...validateList(spec.hard, 'spec.hard'), ...validateScopes(spec), ...validateSelector(spec)];

const validateList = (
  list: Readonly<Record<string, string>> | undefined,
  field: string,
): readonly FieldError[] =>
  Object.entries(list ?? {}).flatMap(([name, text]) => {
    const at = `${field}[${name}]`;
    const { nanos } = parseQuantity(text);
    return [
      ...validateResourceName(name, at),
      ...(name.includes('/') || isStandardQuotaResource(name)
        ? []
        : [invalid(at, name, 'must be a standard resource for quota')]),
      ...(nanos < 0n ? [invalid(at, text, 'must be greater than or equal to 0')] : []),
      ...(isIntegerResource(name) && nanos % 1_000_000_000n !== 0n
        ? [invalid(at, text, 'must be an integer')]
        : []),
    ];
  });

const BASIC_SCOPES = ['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort'];
const SCOPES = [...BASIC_SCOPES, 'PriorityClass', 'CrossNamespacePodAffinity'];
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
const OF_PODS: ReadonlySet<string> = new Set([
  'pods',
  ...['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'],
]);

/** Does the scope say anything about what the resource counts? */
const isValidFor = (scope: string, resource: string): boolean => {
  if (!SCOPES.includes(scope)) return true;
  return scope === 'BestEffort' ? resource === 'pods' : OF_PODS.has(resource);
};

const standardNames = ({ hard }: Spec): readonly string[] =>
  Object.keys(hard ?? {}).filter(isStandardQuotaResource);

const validateScopes = (spec: Spec): readonly FieldError[] => {
  const { scopes = [] } = spec;
  const field = 'spec.scopes';
  return [
    ...scopes.flatMap((scope) => [
      ...(SCOPES.includes(scope) ? [] : [invalid(field, scopes, 'unsupported scope')]),
      ...standardNames(spec)
        .filter((name) => !isValidFor(scope, name))
        .map(() => invalid(field, scopes, 'unsupported scope applied to resource')),
    ]),
    ...conflicts(scopes, scopes),
  ];
};

const validateSelector = (spec: Spec): readonly FieldError[] => {
  const requirements = spec.scopeSelector?.matchExpressions ?? [];
  const field = 'spec.scopeSelector.matchExpressions';
  return [
    ...requirements.flatMap((requirement) => [
      ...(SCOPES.includes(requirement.scopeName)
        ? []
        : [invalid(`${field}.scopeName`, requirement.scopeName, 'unsupported scope')]),
      ...standardNames(spec)
        .filter((name) => !isValidFor(requirement.scopeName, name))
        .map(() => invalid(field, spec.scopeSelector, 'unsupported scope applied to resource')),
      ...validateOperator(requirement, field),
    ]),
    ...conflicts(
      requirements.map(({ scopeName }) => scopeName),
      spec.scopes ?? null,
    ),
  ];
};

const validateOperator = (
  { scopeName, operator, values = [] }: Requirement,
  field: string,
): readonly FieldError[] => [
  ...((BASIC_SCOPES.includes(scopeName) || scopeName === 'CrossNamespacePodAffinity') &&
  operator !== 'Exists'
    ? [
        invalid(
          `${field}.operator`,
          operator,
          "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, " +
            'ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ' +
            'ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity',
        ),
      ]
    : []),
  ...validateValues(operator, values, field),
];

const validateValues = (
  operator: string,
  values: readonly string[],
  field: string,
): readonly FieldError[] => {
  const [needs, has] = [operator === 'In' || operator === 'NotIn', values.length > 0];
  if (!needs && operator !== 'Exists' && operator !== 'DoesNotExist')
    return [invalid(`${field}.operator`, operator, 'not a valid selector operator')];
  if (needs && !has)
    return [
      required(
        `${field}.values`,
        "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
      ),
    ];
  return !needs && has
    ? [
        invalid(
          `${field}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      ]
    : [];
};

const conflicts = (scopes: readonly string[], shown: unknown): readonly FieldError[] =>
  OPPOSITES.filter((pair) => pair.every((scope) => scopes.includes(scope))).map(() =>
    invalid('spec.scopes', shown, 'conflicting scopes'),
  );
