export type { WebhooksDeps } from './deps';
export { mutatingHooks, validatingHooks } from './hook';
export { HookCaller, type WebhookCalls } from './hook-caller';
export { mutatingAdmissionWebhook } from './mutating';
export { validatingAdmissionWebhook } from './validating';
export { settled } from './patched';
export { isOfKind } from './admission-request';
export { asNew, inVersion, kindIn, convertObject, type ConvertObject } from './versions';
export { WebhookMetrics } from './webhook-metrics';
