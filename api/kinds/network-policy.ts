import { defaultNetworkPolicy } from '../defaults/networking';
import { NETWORK_POLICIES } from '../resources';
import { validateNetworkPolicy, validateNetworkPolicyUpdate } from '../validation/network-policy';
import { defineKind } from './kind';

export const NETWORK_POLICY_KIND = defineKind(NETWORK_POLICIES, {
  shortNames: ['netpol'],
  applyDefaults: defaultNetworkPolicy,
  validateCreate: validateNetworkPolicy,
  validateUpdate: validateNetworkPolicyUpdate,
});
