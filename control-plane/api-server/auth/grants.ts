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
import { storeNameOf, type ServedKind } from '../kinds/served-kind';
import type { Authorizer } from './authorizer';
import { rulesOfRole, uncovered, type RoleReader } from './role-rules';
import type { User } from './user';
import { stringifyJson } from '../../../lib/json';

/**
 * Nobody grants what they may not do themselves, unless they may `escalate` roles or `bind` them.
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
  const isBinding = kind.resource.kind.endsWith('Binding');
  if (old !== undefined && jsonEqual(grantOf(object), grantOf(old))) return;
  const namespace = object.metadata.namespace ?? '';
  const { roleRef } = object as RoleBinding | ClusterRoleBinding;
  const asked = isBinding
    ? {
        verb: 'bind',
        resource: roleRef.kind === 'Role' ? 'roles' : 'clusterroles',
        name: roleRef.name,
      }
    : { verb: 'escalate', resource: kind.resource.plural, name: object.metadata.name };
  if (authorizer.isAllowed(user, { ...asked, group: RBAC_GROUP, subresource: '', namespace }))
    return;
  const wanted = isBinding
    ? rulesOfBinding(object as RoleBinding, namespace, authorizer.roles)
    : rulesOfNewRole(object);
  const missing = uncovered(authorizer.rulesFor(user, namespace), wanted);
  if (missing.length > 0) throw refusal(kind, object, user, missing);
};

/** What of a role or binding grants something. */
const grantOf = (object: ApiObject): unknown => {
  const { rules, aggregationRule } = object as ClusterRole;
  const { subjects, roleRef } = object as RoleBinding;
  return { rules, aggregationRule, subjects, roleRef };
};

const rulesOfBinding = (
  { roleRef }: RoleBinding,
  namespace: string,
  roles: RoleReader,
): readonly PolicyRule[] => {
  const rules = rulesOfRole(roleRef, namespace, roles);
  if (rules !== undefined) return rules;
  throw notFound(roleRef.kind === 'Role' ? 'roles' : 'clusterroles', RBAC_GROUP, roleRef.name);
};

/** A role that is put together from others may come to hold anything. */
const rulesOfNewRole = ({ rules, aggregationRule }: ClusterRole): readonly PolicyRule[] => [
  ...(rules ?? []),
  ...(aggregationRule === undefined ? [] : EVERYTHING),
];

const refusal = (
  kind: ServedKind,
  { metadata }: ApiObject,
  { name, groups }: User,
  missing: readonly PolicyRule[],
): ApiError =>
  new ApiError(
    'Forbidden',
    `${storeNameOf(kind)} ${JSON.stringify(metadata.name)} is forbidden: user ` +
      `${JSON.stringify(name)} (groups=[${groups.map((group) => JSON.stringify(group)).join(' ')}]) ` +
      `is attempting to grant RBAC permissions not currently held:\n${missing.map(show).join('\n')}`,
    { details: { name: metadata.name, group: RBAC_GROUP, kind: kind.resource.plural } },
  );

const show = ({
  verbs,
  apiGroups,
  resources,
  resourceNames,
  nonResourceURLs,
}: PolicyRule): string =>
  `{${[
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['ResourceNames', resourceNames],
    ['NonResourceURLs', nonResourceURLs],
    ['Verbs', verbs],
  ]
    .filter(([, values]) => values !== undefined)
    .map(([name, values]) => `${String(name)}:${stringifyJson(values)}`)
    .join(', ')}}`;

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];
