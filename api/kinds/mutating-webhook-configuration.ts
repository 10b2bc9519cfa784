import { defaultMutatingWebhooks } from '../defaults/webhooks';
import { MUTATING_WEBHOOKS } from '../resources';
import { validateWebhooks, validateWebhooksUpdate } from '../validation/webhooks';
import { defineKind } from './kind';

export const MUTATING_WEBHOOK_CONFIGURATION_KIND = defineKind(MUTATING_WEBHOOKS, {
  categories: ['api-extensions'],
  applyDefaults: defaultMutatingWebhooks,
  validateCreate: validateWebhooks,
  validateUpdate: validateWebhooksUpdate,
});
