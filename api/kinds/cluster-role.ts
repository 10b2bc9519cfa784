import { CLUSTER_ROLES } from '../resources';
import { validateClusterRole, validateClusterRoleUpdate } from '../validation/access';
import { defineKind } from './kind';

export const CLUSTER_ROLE_KIND = defineKind(CLUSTER_ROLES, {
  validateCreate: validateClusterRole,
  validateUpdate: validateClusterRoleUpdate,
});
