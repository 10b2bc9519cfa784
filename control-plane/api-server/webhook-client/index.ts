export { WebhookCallError } from './call-error';
export type { ResolveService, WebhookTarget } from './target';
export { WebhookClient, type WebhookClientDeps } from './webhook-client';
