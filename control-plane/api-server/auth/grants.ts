import { ApiError, notFound } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import { RBAC_GROUP } from '../../../api/resources';
import type {
  ApiObject,
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RoleBinding,
} from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import { storeNameOf, type ServedKind } from '../kinds/served-kind';
import type { Authorizer } from './authorizer';
import { rulesOfRole, uncovered, type RoleReader } from './role-rules';
import type { User } from './user';

/**
 * Nobody grants what they may not do themselves, unless they may `escalate` roles or `bind` them.
 * Every write of a role counts, also one of its labels: they may make other roles hold its rules.
 * `old` is what an update replaces. @throws Forbidden, NotFound for the role of a binding
 */
export const checkGrant = (
  kind: ServedKind,
  object: ApiObject,
  old: ApiObject | undefined,
  user: User,
  authorizer: Authorizer,
): void => {
  if (kind.resource.group !== RBAC_GROUP) return;
  // Who lets go of an object, or has it collected, grants nothing by that.
  if (old !== undefined && jsonEqual(grantOf(object), grantOf(old))) return;
  if (kind.resource.kind.endsWith('Binding'))
    checkBinding(kind, object as RoleBinding | ClusterRoleBinding, user, authorizer);
  else checkRole(kind, object, old, user, authorizer);
};

/** All but what the server keeps and what the garbage collector needs to change. */
const grantOf = (object: ApiObject): unknown => {
  const { resourceVersion, managedFields, ownerReferences, finalizers, ...metadata } =
    object.metadata;
  return { ...object, metadata };
};

const checkBinding = (
  kind: ServedKind,
  binding: RoleBinding | ClusterRoleBinding,
  user: User,
  authorizer: Authorizer,
): void => {
  const { roleRef } = binding;
  const namespace = binding.metadata.namespace ?? '';
  const resource = roleRef.kind === 'Role' ? 'roles' : 'clusterroles';
  const bind = { verb: 'bind', resource, name: roleRef.name, namespace, ...OF_ROLES };
  if (authorizer.isAllowed(user, bind)) return;
  checkHeld(kind, binding, rulesOfBinding(binding, namespace, authorizer.roles), user, authorizer);
};

/** Rules that a role has already must be held as well as those that it gets. */
const checkRole = (
  kind: ServedKind,
  role: ClusterRole,
  old: ClusterRole | undefined,
  user: User,
  authorizer: Authorizer,
): void => {
  const { name, namespace = '' } = role.metadata;
  const escalate = { verb: 'escalate', resource: kind.resource.plural, name, namespace };
  if (authorizer.isAllowed(user, { ...escalate, ...OF_ROLES })) return;
  checkHeld(kind, role, role.rules ?? [], user, authorizer);
  if (role.aggregationRule === undefined && old?.aggregationRule === undefined) return;
  // A role that is put together from others may come to hold anything.
  if (uncovered(authorizer.rulesFor(user, namespace), EVERYTHING).length > 0)
    throw refusal(kind, role, 'must have cluster-admin privileges to use an aggregationRule');
};

const checkHeld = (
  kind: ServedKind,
  object: ApiObject,
  wanted: readonly PolicyRule[],
  user: User,
  authorizer: Authorizer,
): void => {
  const held = authorizer.rulesFor(user, object.metadata.namespace ?? '');
  const missing = uncovered(held, wanted);
  if (missing.length === 0) return;
  const why =
    `user ${stringifyJson(user.name)} (groups=${quoted(user.groups)}) is attempting to grant RBAC ` +
    `permissions not currently held:\n${missing.map(show).sort().join('\n')}`;
  throw refusal(kind, object, why);
};

const rulesOfBinding = (
  { roleRef }: RoleBinding | ClusterRoleBinding,
  namespace: string,
  roles: RoleReader,
): readonly PolicyRule[] => {
  const rules = rulesOfRole(roleRef, namespace, roles);
  if (rules !== undefined) return rules;
  throw notFound(roleRef.kind === 'Role' ? 'roles' : 'clusterroles', RBAC_GROUP, roleRef.name);
};

const refusal = (kind: ServedKind, { metadata: { name } }: ApiObject, why: string): ApiError =>
  new ApiError('Forbidden', `${storeNameOf(kind)} ${stringifyJson(name)} is forbidden: ${why}`, {
    details: { name, group: RBAC_GROUP, kind: kind.resource.plural },
  });

const show = (rule: PolicyRule): string => {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = rule;
  const parts: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['ResourceNames', resourceNames],
    ['NonResourceURLs', nonResourceURLs],
    ['Verbs', verbs],
  ];
  return `{${parts
    .flatMap(([name, values]) => (values === undefined ? [] : `${name}:${quoted(values)}`))
    .join(', ')}}`;
};

/** As Go prints a list of strings. */
const quoted = (values: readonly string[]): string =>
  `[${values.map((value) => stringifyJson(value)).join(' ')}]`;

const OF_ROLES = { group: RBAC_GROUP, subresource: '' };
const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];
