import { defaultPolicyBinding } from '../defaults/admission-policy';
import { MUTATING_POLICY_BINDINGS } from '../resources';
import {
  validateMutatingBinding,
  validateMutatingBindingUpdate,
} from '../validation/mutating-policy';
import { defineKind } from './kind';

export const MUTATING_POLICY_BINDING_KIND = defineKind(MUTATING_POLICY_BINDINGS, {
  categories: ['api-extensions'],
  applyDefaults: defaultPolicyBinding,
  validateCreate: validateMutatingBinding,
  validateUpdate: validateMutatingBindingUpdate,
});
