export { WebhookCallError } from './call-error';
export { cachedServices } from './service-place';
export type { ResolveService, WebhookTarget } from './target';
export { WebhookClient, type CallOptions, type WebhookClientDeps } from './webhook-client';
