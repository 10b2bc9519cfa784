import { ROLES } from '../resources';
import { validateRole, validateRoleUpdate } from '../validation/access';
import { defineKind } from './kind';

export const ROLE_KIND = defineKind(ROLES, {
  validateCreate: validateRole,
  validateUpdate: validateRoleUpdate,
});
