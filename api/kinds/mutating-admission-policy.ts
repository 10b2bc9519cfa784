import { defaultPolicy } from '../defaults/admission-policy';
import { MUTATING_POLICIES } from '../resources';
import {
  validateMutatingPolicy,
  validateMutatingPolicyUpdate,
} from '../validation/mutating-policy';
import { defineKind } from './kind';

export const MUTATING_POLICY_KIND = defineKind(MUTATING_POLICIES, {
  categories: ['api-extensions'],
  applyDefaults: defaultPolicy,
  validateCreate: validateMutatingPolicy,
  validateUpdate: validateMutatingPolicyUpdate,
});
