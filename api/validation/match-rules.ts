import type { WebhookRule } from '../types';
import { invalid, notSupported, required, type FieldError } from './field-error';

type Rule = {
  readonly [Key in keyof WebhookRule]: WebhookRule[Key] extends (infer Item)[] | undefined
    ? readonly Item[]
    : WebhookRule[Key];
};

/** What rules of webhooks and of policies must be. */
export const validateMatchRules = (
  rules: readonly Rule[] | undefined,
  field: string,
): readonly FieldError[] =>
  (rules ?? []).flatMap((rule, i) => validateMatchRule(rule, `${field}[${i}]`));

const validateMatchRule = (rule: Rule, at: string): readonly FieldError[] => {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope = ANY } = rule;
  return [
    ...oneOrAny(operations, `${at}.operations`, 'operations'),
    ...operations.flatMap((operation, i) =>
      OPERATIONS.includes(operation)
        ? []
        : [notSupported(`${at}.operations[${i}]`, operation, OPERATIONS)],
    ),
    ...oneOrAny(apiGroups, `${at}.apiGroups`, 'API groups'),
    ...oneOrAny(apiVersions, `${at}.apiVersions`, 'API versions'),
    ...present(apiVersions, `${at}.apiVersions`),
    ...validateResources(resources, `${at}.resources`),
    ...(SCOPES.includes(scope) ? [] : [notSupported(`${at}.scope`, scope, SCOPES)]),
  ];
};

const oneOrAny = (list: readonly string[], field: string, what: string): readonly FieldError[] => [
  ...(list.length === 0 ? [required(field)] : []),
  ...(list.length > 1 && list.includes(ANY)
    ? [invalid(field, list, `if '*' is present, must not specify other ${what}`)]
    : []),
];

const present = (list: readonly string[], field: string): readonly FieldError[] =>
  list.flatMap((each, i) => (each === '' ? [required(`${field}[${i}]`)] : []));

const validateResources = (resources: readonly string[], field: string): readonly FieldError[] => [
  ...(resources.length === 0 ? [required(field)] : []),
  ...validateParts(resources, field),
  ...(resources.length > 1 && resources.includes('*/*')
    ? [invalid(field, resources, "if '*/*' is present, must not specify other resources")]
    : []),
  ...(resources.includes(ANY) && isWholeLast(resources)
    ? [
        invalid(
          field,
          resources,
          "if '*' is present, must not specify other resources without subresources",
        ),
      ]
    : []),
];

/** As upstream counts: the last resource without a subresource decides. */
const isWholeLast = (resources: readonly string[]): boolean => {
  const last = resources.filter((each) => each !== '' && !each.includes('/')).at(-1);
  return last !== undefined && last !== ANY;
};

/** What a star before it covers need not be said again. */
const validateParts = (resources: readonly string[], field: string): readonly FieldError[] => {
  const withAllParts = new Set<string>();
  const partsOfAll = new Set<string>();
  return resources.flatMap((each, i) => {
    const at = `${field}[${i}]`;
    if (each === '') return [required(at)];
    const slash = each.indexOf('/');
    if (slash < 0) return [];
    const [resource, part] = [each.slice(0, slash), each.slice(slash + 1)];
    const covered = (by: string) =>
      invalid(at, each, `if '${by}' is present, must not specify ${each}`);
    const errors = [
      ...(withAllParts.has(resource) ? [covered(`${resource}/*`)] : []),
      ...(partsOfAll.has(part) ? [covered(`*/${part}`)] : []),
    ];
    if (part === ANY) withAllParts.add(resource);
    if (resource === ANY) partsOfAll.add(part);
    return errors;
  });
};

const ANY = '*';
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
