import { defaultPolicy } from '../defaults/admission-policy';
import { VALIDATING_POLICIES } from '../resources';
import {
  validateValidatingPolicy,
  validateValidatingPolicyUpdate,
} from '../validation/admission-policy';
import { defineKind } from './kind';

export const VALIDATING_POLICY_KIND = defineKind(VALIDATING_POLICIES, {
  categories: ['api-extensions'],
  subresources: ['status'],
  applyDefaults: defaultPolicy,
  validateCreate: validateValidatingPolicy,
  validateUpdate: validateValidatingPolicyUpdate,
});
