import { SERVICE_ACCOUNTS } from '../resources';
import { validateServiceAccount, validateServiceAccountUpdate } from '../validation/cluster';
import { defineKind } from './kind';

export const SERVICE_ACCOUNT_KIND = defineKind(SERVICE_ACCOUNTS, {
  shortNames: ['sa'],
  subresources: ['token'],
  validateCreate: validateServiceAccount,
  validateUpdate: validateServiceAccountUpdate,
});
