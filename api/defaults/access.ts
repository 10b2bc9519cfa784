import type * as rbac from 'kubernetes-types/rbac/v1';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1';
import { RBAC_GROUP } from '../resources';

/** Roles, users and groups are of the group of roles; service accounts are not. */
export const defaultBinding = (binding: rbac.RoleBinding | rbac.ClusterRoleBinding): void => {
  if (
    (binding.roleRef.apiGroup as string | undefined) === undefined ||
    binding.roleRef.apiGroup === ''
  )
    binding.roleRef.apiGroup = RBAC_GROUP;
  for (const subject of binding.subjects ?? []) {
    const isOfGroup = subject.kind === 'User' || subject.kind === 'Group';
    if (isOfGroup && (subject.apiGroup ?? '') === '') subject.apiGroup = RBAC_GROUP;
  }
};

export const defaultPriorityClass = (priority: PriorityClass): void => {
  priority.preemptionPolicy ??= 'PreemptLowerPriority';
};
