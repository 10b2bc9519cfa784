import { defaultBinding } from '../defaults/access';
import { CLUSTER_ROLE_BINDINGS } from '../resources';
import { validateClusterRoleBinding, validateClusterRoleBindingUpdate } from '../validation/access';
import { defineKind } from './kind';

export const CLUSTER_ROLE_BINDING_KIND = defineKind(CLUSTER_ROLE_BINDINGS, {
  applyDefaults: defaultBinding,
  validateCreate: validateClusterRoleBinding,
  validateUpdate: validateClusterRoleBindingUpdate,
});
