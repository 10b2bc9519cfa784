import { LEASES } from '../resources';
import { unsupportedInLease } from '../unsupported';
import { validateLease, validateLeaseUpdate } from '../validation/cluster';
import { defineKind } from './kind';

export const LEASE_KIND = defineKind(LEASES, {
  validateCreate: validateLease,
  validateUpdate: validateLeaseUpdate,
  warnings: unsupportedInLease,
});
