import { defaultPolicyBinding } from '../defaults/admission-policy';
import { VALIDATING_POLICY_BINDINGS } from '../resources';
import {
  validateValidatingBinding,
  validateValidatingBindingUpdate,
} from '../validation/admission-policy';
import { defineKind } from './kind';

export const VALIDATING_POLICY_BINDING_KIND = defineKind(VALIDATING_POLICY_BINDINGS, {
  categories: ['api-extensions'],
  applyDefaults: defaultPolicyBinding,
  validateCreate: validateValidatingBinding,
  validateUpdate: validateValidatingBindingUpdate,
});
