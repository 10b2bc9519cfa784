import { defaultValidatingWebhooks } from '../defaults/webhooks';
import { VALIDATING_WEBHOOKS } from '../resources';
import { validateWebhooks, validateWebhooksUpdate } from '../validation/webhooks';
import { defineKind } from './kind';

export const VALIDATING_WEBHOOK_CONFIGURATION_KIND = defineKind(VALIDATING_WEBHOOKS, {
  categories: ['api-extensions'],
  applyDefaults: defaultValidatingWebhooks,
  validateCreate: validateWebhooks,
  validateUpdate: validateWebhooksUpdate,
});
