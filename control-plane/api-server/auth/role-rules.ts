import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../../api/types';
import { matchesLabelSelector } from '../../../api/selectors';
import { stringifyJson } from '../../../lib/json';
import type { Attributes } from './access-attributes';
import type { User } from './user';

/** The roles and bindings there are, from the caches. */
export interface RoleReader {
  clusterRoleBindings(): readonly ClusterRoleBinding[];
  roleBindings(namespace: string): readonly RoleBinding[];
  clusterRoles(): readonly ClusterRole[];
  clusterRole(name: string): ClusterRole | undefined;
  role(namespace: string, name: string): Role | undefined;
}

/** Every rule that holds for a user: cluster-wide, and in a namespace if one is named. */
export const rulesFor = (
  user: User,
  namespace: string,
  roles: RoleReader,
): readonly PolicyRule[] => {
  const everywhere = roles
    .clusterRoleBindings()
    .filter(({ subjects = [] }) => subjects.some((subject) => isSubject(subject, user, '')))
    .flatMap(({ roleRef }) => rulesOfRole(roleRef, '', roles) ?? []);
  if (namespace === '') return everywhere;
  const here = roles
    .roleBindings(namespace)
    .filter(({ subjects = [] }) => subjects.some((subject) => isSubject(subject, user, namespace)))
    .flatMap(({ roleRef }) => rulesOfRole(roleRef, namespace, roles) ?? [])
    // A binding in a namespace is about what lies in it.
    .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length === 0);
  return [...everywhere, ...here];
};

/** What a role allows; undefined when there is no such role. */
export const rulesOfRole = (
  { kind, name }: RoleRef,
  namespace: string,
  roles: RoleReader,
): readonly PolicyRule[] | undefined => {
  const role = kind === 'Role' ? roles.role(namespace, name) : roles.clusterRole(name);
  if (role === undefined) return undefined;
  return kind === 'Role' ? (role.rules ?? []) : aggregatedRules(role, roles, new Set());
};

/** A cluster role's own rules and those of the roles that it selects, which may select others. */
const aggregatedRules = (
  { metadata, rules, aggregationRule }: ClusterRole,
  roles: RoleReader,
  seen: Set<string>,
): readonly PolicyRule[] => {
  seen.add(metadata.name);
  const selectors = aggregationRule?.clusterRoleSelectors ?? [];
  const selected = selectors.length === 0 ? [] : roles.clusterRoles();
  return [
    ...(rules ?? []),
    ...selected
      .filter((other) => !seen.has(other.metadata.name))
      .filter(({ metadata: { labels } }) =>
        selectors.some((selector) => matchesLabelSelector(selector, labels)),
      )
      .flatMap((other) => aggregatedRules(other, roles, seen)),
  ];
};

export const ruleAllows = (
  { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule,
  { verb, group, resource, subresource, name, path }: Attributes,
): boolean => {
  if (!hasOrAll(verbs, verb)) return false;
  if (path !== undefined) return nonResourceURLs.some((url) => matchesPath(url, path));
  return (
    hasOrAll(apiGroups, group) &&
    resources.some((each) => matchesResource(each, resource, subresource)) &&
    (resourceNames.length === 0 || (name !== '' && resourceNames.includes(name)))
  );
};

/**
 * The smallest rules in `wanted` that `owned` does not cover: what a user who owns the one would
 * gain by granting the other. Those of one resource are one rule, as upstream tells them.
 */
export const uncovered = (
  owned: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] => {
  const missing: PolicyRule[] = [];
  for (const rule of wanted)
    for (const part of partsOf(rule)) {
      if (!owned.some((each) => covers(each, part))) missing.push(part);
      // Enough to refuse, and a rule may stand for a great many.
      if (missing.length >= MISSING_MAX) return compact(missing);
    }
  return compact(missing);
};

/** Joins rules that differ by their verb alone, in the order of their first. */
const compact = (parts: readonly PolicyRule[]): readonly PolicyRule[] => {
  const byTarget = new Map<string, PolicyRule>();
  for (const { verbs, ...target } of parts) {
    const key = stringifyJson(target);
    const known = byTarget.get(key)?.verbs ?? [];
    byTarget.set(key, { ...target, verbs: [...new Set([...known, ...verbs])] });
  }
  return [...byTarget.values()];
};

/** One verb on one resource, or on one path, each. */
function* partsOf({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): Generator<PolicyRule> {
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { verbs: [verb], nonResourceURLs: [url] };
    for (const group of apiGroups)
      for (const resource of resources) {
        const part = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (resourceNames.length === 0) yield part;
        for (const name of resourceNames) yield { ...part, resourceNames: [name] };
      }
  }
}

const covers = (owned: PolicyRule, part: PolicyRule): boolean => {
  const [verb = ''] = part.verbs;
  if (!hasOrAll(owned.verbs, verb)) return false;
  const [url] = part.nonResourceURLs ?? [];
  if (url !== undefined)
    return (owned.nonResourceURLs ?? []).some((each) => each === url || matchesPath(each, url));
  const [group = ''] = part.apiGroups ?? [];
  const [full = ''] = part.resources ?? [];
  const [resource = '', subresource = ''] = full.split('/');
  const names = owned.resourceNames ?? [];
  const [name] = part.resourceNames ?? [];
  return (
    hasOrAll(owned.apiGroups ?? [], group) &&
    (owned.resources ?? []).some(
      (each) => each === full || matchesResource(each, resource, subresource),
    ) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
};

const isSubject = (
  { kind, name, namespace = '' }: Subject,
  user: User,
  bindingNamespace: string,
): boolean => {
  if (kind === 'User') return name === user.name;
  if (kind === 'Group') return user.groups.includes(name);
  const place = namespace === '' ? bindingNamespace : namespace;
  return place !== '' && user.name === `system:serviceaccount:${place}:${name}`;
};

const hasOrAll = (list: readonly string[], value: string): boolean =>
  list.includes('*') || list.includes(value);

const matchesResource = (rule: string, resource: string, subresource: string): boolean =>
  rule === '*' ||
  rule === (subresource === '' ? resource : `${resource}/${subresource}`) ||
  (subresource !== '' && rule === `*/${subresource}`);

const matchesPath = (rule: string, path: string): boolean =>
  rule === '*' || rule === path || (rule.endsWith('*') && path.startsWith(rule.slice(0, -1)));

const MISSING_MAX = 90;
