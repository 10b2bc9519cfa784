import { RESOURCE_QUOTAS } from '../resources';
import {
  validateResourceQuota,
  validateResourceQuotaStatusUpdate,
  validateResourceQuotaUpdate,
} from '../validation/resource-quota';
import { defineKind } from './kind';

export const RESOURCE_QUOTA_KIND = defineKind(RESOURCE_QUOTAS, {
  shortNames: ['quota'],
  subresources: ['status'],
  validateCreate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  validateStatusUpdate: validateResourceQuotaStatusUpdate,
});
