import type {
  ClusterRole,
  ClusterRoleBinding,
  LabelSelector,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
} from '../../../api/types';
import { matchesLabelSelector } from '../../../api/selectors';
import { stringifyJson } from '../../../lib/json';
import type { Attributes } from './access-attributes';
import type { Bound } from './role-index';
import type { User } from './user';

/** The roles and bindings there are, from the caches. */
export interface RoleReader {
  clusterRoleBindings(user: User): readonly Bound<ClusterRoleBinding>[];
  roleBindings(user: User, namespace: string): readonly Bound<RoleBinding>[];
  /** With those of the roles that it selects; undefined when there is no such role. */
  clusterRoleRules(name: string): readonly PolicyRule[] | undefined;
  role(namespace: string, name: string): Role | undefined;
}

/** Rules that a user has, and by which binding. */
export interface Grant {
  readonly rules: readonly PolicyRule[];
  readonly bound: Bound;
}

/** Every rule that holds for a user: cluster-wide, and in a namespace if one is named. */
export const rulesFor = (user: User, namespace: string, roles: RoleReader): readonly PolicyRule[] =>
  [...grantsFor(user, namespace, roles)].flatMap(({ rules }) => rules);

/** The same, binding by binding: who has found what they look for need not see all. */
export function* grantsFor(user: User, namespace: string, roles: RoleReader): Generator<Grant> {
  for (const bound of roles.clusterRoleBindings(user))
    yield { bound, rules: rulesOfRole(bound.binding.roleRef, '', roles) ?? [] };
  if (namespace === '') return;
  for (const bound of roles.roleBindings(user, namespace)) {
    const rules = rulesOfRole(bound.binding.roleRef, namespace, roles) ?? [];
    // A binding in a namespace is about what lies in it.
    yield {
      bound,
      rules: rules.filter(({ nonResourceURLs = [] }) => nonResourceURLs.length === 0),
    };
  }
}

/** By which binding something is allowed, as upstream tells it. */
export const describeGrant = ({ bound: { binding, subject } }: Grant): string => {
  const { name, namespace } = binding.metadata;
  const shown = stringifyJson(namespace === undefined ? name : `${name}/${namespace}`);
  const { kind, name: roleName } = binding.roleRef;
  const place = subject.namespace ?? namespace;
  const who =
    subject.kind === 'ServiceAccount' && place !== undefined
      ? `${subject.name}/${place}`
      : subject.name;
  return (
    `RBAC: allowed by ${binding.kind} ${shown} of ${kind} ${stringifyJson(roleName)} ` +
    `to ${subject.kind} ${stringifyJson(who)}`
  );
};

/** What a role allows; undefined when there is no such role. */
export const rulesOfRole = (
  { kind, name }: RoleRef,
  namespace: string,
  roles: RoleReader,
): readonly PolicyRule[] | undefined => {
  if (kind !== 'Role') return roles.clusterRoleRules(name);
  const role = roles.role(namespace, name);
  return role && (role.rules ?? []);
};

/**
 * A cluster role's own rules and those of the roles that it selects, which may select others, also in
 * circles: each role counts once, and is looked at no more once it has been selected.
 */
export const aggregatedRules = (
  role: ClusterRole,
  all: () => readonly ClusterRole[],
): readonly PolicyRule[] => {
  const selected = [role];
  let others: UnselectedRoles | undefined;
  for (const { aggregationRule } of selected)
    for (const selector of aggregationRule?.clusterRoleSelectors ?? []) {
      others ??= new UnselectedRoles(all(), role.metadata.name);
      selected.push(...others.take(selector));
    }
  return selected.flatMap(({ rules }) => rules ?? []);
};

/** Roles that nothing has selected yet, by their labels: there may be thousands, one selecting the next. */
class UnselectedRoles {
  private readonly left = new Set<ClusterRole>();
  private readonly byLabel = new Map<string, ClusterRole[]>();

  constructor(all: readonly ClusterRole[], except: string) {
    for (const role of all) {
      if (role.metadata.name === except) continue;
      this.left.add(role);
      for (const [name, value] of Object.entries(role.metadata.labels ?? {})) {
        const key = `${name}=${value}`;
        const known = this.byLabel.get(key);
        if (known === undefined) this.byLabel.set(key, [role]);
        else known.push(role);
      }
    }
  }

  take(selector: LabelSelector): readonly ClusterRole[] {
    const [label] = Object.entries(selector.matchLabels ?? {});
    const key = label?.join('=');
    const candidates = key === undefined ? [...this.left] : (this.byLabel.get(key) ?? []);
    const unselected = candidates.filter((role) => this.left.has(role));
    const found = unselected.filter(({ metadata }) =>
      matchesLabelSelector(selector, metadata.labels),
    );
    for (const role of found) this.left.delete(role);
    // Who has the label and is selected is not looked at again.
    if (key !== undefined)
      this.byLabel.set(
        key,
        unselected.filter((role) => this.left.has(role)),
      );
    return found;
  }
}

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

const hasOrAll = (list: readonly string[], value: string): boolean =>
  list.includes('*') || list.includes(value);

const matchesResource = (rule: string, resource: string, subresource: string): boolean =>
  rule === '*' ||
  rule === (subresource === '' ? resource : `${resource}/${subresource}`) ||
  (subresource !== '' && rule === `*/${subresource}`);

const matchesPath = (rule: string, path: string): boolean =>
  rule === '*' || rule === path || (rule.endsWith('*') && path.startsWith(rule.slice(0, -1)));

const MISSING_MAX = 90;
