import { defaultClaim } from '../defaults/storage';
import { PERSISTENT_VOLUME_CLAIMS } from '../resources';
import { unsupportedInClaim } from '../unsupported';
import {
  validateClaim,
  validateClaimStatusUpdate,
  validateClaimUpdate,
} from '../validation/storage';
import { defineKind } from './kind';

export const PERSISTENT_VOLUME_CLAIM_KIND = defineKind(PERSISTENT_VOLUME_CLAIMS, {
  shortNames: ['pvc'],
  subresources: ['status'],
  applyDefaults: defaultClaim,
  validateCreate: validateClaim,
  validateUpdate: validateClaimUpdate,
  validateStatusUpdate: validateClaimStatusUpdate,
  warnings: unsupportedInClaim,
});
