import { defaultBinding } from '../defaults/access';
import { ROLE_BINDINGS } from '../resources';
import { validateRoleBinding, validateRoleBindingUpdate } from '../validation/access';
import { defineKind } from './kind';

export const ROLE_BINDING_KIND = defineKind(ROLE_BINDINGS, {
  applyDefaults: defaultBinding,
  validateCreate: validateRoleBinding,
  validateUpdate: validateRoleBindingUpdate,
});
